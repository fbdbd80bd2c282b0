"""Helicone's paging without a cursor, its sentinels, its cache, and where its counts end."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from countersign.connectors.helicone import Helicone
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.pipeline.fetch import HttpFetch, Patience
from countersign.records import CallText, GatewayCall, InferenceLocation, Record

DAY = Window.parse("2026-11-02/2026-11-03")
MIDNIGHT = datetime(2026, 11, 2, tzinfo=UTC)
NO_CACHE = "00000000-0000-0000-0000-000000000000"
Serve = Callable[[Callable[..., tuple[int, dict[str, str], bytes]]], str]


def row(number: int, after_s: float = 0, **fields: object) -> dict[str, Any]:
    return {
        "request_id": f"r-{number}",
        "request_created_at": (MIDNIGHT + timedelta(seconds=after_s)).isoformat(),
        "response_status": 200,
        "provider": "OPENAI",
        "request_model": "gpt-5.4",
        "prompt_tokens": 176,
        "prompt_cache_read_tokens": 1024,
        "completion_tokens": 88,
        "delay_ms": 900,
        "target_url": "https://eu.api.openai.com/v1/chat/completions",
        "cache_reference_id": NO_CACHE,
        **fields,
    }


class Requests:
    """The query API over rows: filters by time, sorts, and pages by offset and limit."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows
        self.asked: list[dict[str, Any]] = []
        self.ignores_filter = False
        self.busy = False

    def __call__(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if self.busy:
            self.busy = False
            return 429, {"Retry-After": "0"}, b"{}"
        assert (method, target) == ("POST", "/v1/request/query-clickhouse")
        assert headers["Authorization"] == "Bearer sk-helicone"
        asked = json.loads(body)
        self.asked.append(asked)
        if asked["limit"] > 1000:
            return 200, {}, b'{"data": null, "error": "invalid limit"}'
        both = [asked["filter"][side]["request_response_rmt"] for side in ("left", "right")]
        low, high = (
            datetime.fromisoformat(bound["request_created_at"][name])
            for bound, name in zip(both, ("gte", "lt"), strict=True)
        )
        assert asked["sort"] == {"created_at": "asc"}
        found = sorted(self.rows, key=lambda r: str(r["request_created_at"]))
        if not self.ignores_filter:
            times = [datetime.fromisoformat(r["request_created_at"]) for r in found]
            found = [r for r, at in zip(found, times, strict=True) if low <= at < high]
        shown = found[asked["offset"] : asked["offset"] + asked["limit"]]
        return 200, {}, json.dumps({"data": shown, "error": None}).encode()


def collected(connector: Helicone, address: str) -> list[bytes]:
    with HttpFetch(
        "helicone",
        address,
        {"Authorization": "Bearer sk-helicone"},
        patience=Patience(attempts=2, first_s=0),
    ) as fetch:
        return list(connector.pages(fetch, DAY))


def ids(pages: Sequence[bytes]) -> list[str]:
    return [r["request_id"] for page in pages for r in json.loads(page)["data"]]


def parsed(*rows: object, **settings: object) -> list[Record]:
    connector = TypeAdapter(Helicone).validate_python(settings)
    return list(connector.parse(json.dumps({"data": rows, "error": None}).encode()))


def call(*rows: object, **settings: object) -> GatewayCall:
    (found,) = (r for r in parsed(*rows, **settings) if isinstance(r, GatewayCall))
    return found


def test_rows_are_read_on_from_the_last_time(loopback: Serve) -> None:
    api = Requests([row(n, n) for n in range(25)])
    found = ids(collected(Helicone(limit=10), loopback(api)))
    assert list(dict.fromkeys(found)) == [f"r-{n}" for n in range(25)]
    assert [found.count(i) for i in ("r-9", "r-18")] == [2, 2]
    assert [asked["offset"] for asked in api.asked] == [0, 0, 0]


def test_more_rows_of_one_moment_than_a_page_are_read_by_offset(loopback: Serve) -> None:
    rows = [row(0)] + [row(n, 5) for n in range(1, 35)] + [row(35, 6)]
    api = Requests(rows)
    found = ids(collected(Helicone(limit=10), loopback(api)))
    assert set(found) == {f"r-{n}" for n in range(36)}
    assert max(asked["offset"] for asked in api.asked) == 30


def test_rows_of_other_days_are_not_asked_for(loopback: Serve) -> None:
    api = Requests([row(1, -1), row(2, 0), row(3, 86_399.999), row(4, 86_400)])
    assert ids(collected(Helicone(), loopback(api))) == ["r-2", "r-3"]


def test_ignored_filter_is_found_out(loopback: Serve) -> None:
    api = Requests([row(1, -1)])
    api.ignores_filter = True
    with pytest.raises(SourceError) as caught:
        collected(Helicone(), loopback(api))
    assert caught.value.fault is Fault.MALFORMED


def test_error_in_the_envelope_is_a_refusal(loopback: Serve) -> None:
    with pytest.raises(SourceError, match="invalid limit") as caught:
        collected(Helicone(limit=2000), loopback(Requests([])))
    assert caught.value.fault is Fault.REFUSED


def test_throttled_question_is_posted_again(loopback: Serve) -> None:
    api = Requests([row(1)])
    api.busy = True
    assert ids(collected(Helicone(), loopback(api))) == ["r-1"]


def test_reply_cut_on_the_way_is_truncated(loopback: Serve) -> None:
    def cut(*_asked: object) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Length": "500"}, b'{"data": ['

    with pytest.raises(SourceError) as caught:
        collected(Helicone(), loopback(cut))
    assert caught.value.fault is Fault.TRUNCATED


@pytest.mark.parametrize(
    ("code", "status", "ended_by", "boundary"),
    [
        (-1, "error", "timeout", None),
        (-2, None, None, None),
        (-3, "cancelled", "client_disconnect", "proxy"),
        (-4, "error", None, None),
        (200, "ok", "completed", None),
        (429, "error", "upstream_error", None),
        (504, "error", "timeout", None),
    ],
)
def test_sentinels_below_zero_are_endings(
    code: int, status: str | None, ended_by: str | None, boundary: str | None
) -> None:
    found = call(row(1, response_status=code))
    assert (found.status, found.ended_by, found.cancel_boundary) == (status, ended_by, boundary)
    assert found.http_status == (code if code > 0 else None)
    assert found.usage_quality == ("exact" if status == "ok" else "estimated")


def test_pending_row_knows_no_usage_and_no_end() -> None:
    found = call(
        row(1, response_status=-2, prompt_tokens=None, completion_tokens=None, delay_ms=None)
    )
    assert (found.usage_quality, found.in_uncached, found.ended_at) == ("missing", None, None)


def test_cancelled_row_without_output_keeps_its_input_and_is_missing() -> None:
    found = call(row(1, response_status=-3, completion_tokens=None))
    assert (found.in_uncached, found.out_visible, found.usage_quality) == (176, None, "missing")


def test_row_from_helicones_cache_was_neither_billed_nor_sent() -> None:
    found = parsed(row(1, cache_reference_id="5b0c9a77-0000-4000-8000-000000000001"))
    (only,) = found
    assert isinstance(only, GatewayCall)
    assert only.stage == "gateway_cache"
    assert (only.in_uncached, only.out_visible, only.usage_quality) == (0, 0, "exact")


@pytest.mark.parametrize("reference", [None, "", NO_CACHE])
def test_default_reference_is_no_cache(reference: str | None) -> None:
    assert call(row(1, cache_reference_id=reference)).stage is None


def test_callers_country_is_no_evidence_of_the_place() -> None:
    asked = row(1, country_code="DE", target_url="https://api.openai.com/v1/chat/completions")
    assert not [r for r in parsed(asked) if isinstance(r, InferenceLocation)]
    places = [r for r in parsed(row(1)) if isinstance(r, InferenceLocation)]
    assert [(p.region, p.strength) for p in places] == [("eu", "R2")]


def test_blocked_request_went_nowhere() -> None:
    assert not [r for r in parsed(row(1, response_status=-4)) if isinstance(r, InferenceLocation)]


def test_placeholder_of_a_body_elsewhere_is_no_text() -> None:
    said = {"helicone_message": "fetching body from signed_url..."}
    found = parsed(row(1, request_body=said, response_body=json.dumps(said)))
    assert not [r for r in found if isinstance(r, CallText)]


def test_text_is_left_out_when_it_is_not_taken() -> None:
    spoken = row(
        1,
        request_body={"messages": [{"role": "user", "content": "Hello"}]},
        response_body={"choices": [{"message": {"content": "Hi"}}]},
    )
    assert [r.text for r in parsed(spoken) if isinstance(r, CallText)] == ["Hello", "Hi"]
    assert not [r for r in parsed(spoken, records=["gateway_call"]) if isinstance(r, CallText)]


def test_quoted_numbers_and_a_space_in_the_time_are_read() -> None:
    quoted = row(1, prompt_tokens="176", request_created_at="2026-11-02 00:00:00.000")
    assert replace(call(quoted), usage_raw=None) == replace(call(row(1)), usage_raw=None)


def test_zeros_of_an_answered_request_are_no_exact_figures() -> None:
    zeros = row(1, prompt_tokens=0, completion_tokens=0, prompt_cache_read_tokens=0)
    assert call(zeros).usage_quality == "estimated"


def test_setting_for_versions_that_leave_the_cache_inside() -> None:
    assert call(row(1, prompt_tokens=1200), cache_inside=True).in_uncached == 176


@pytest.mark.parametrize(
    "broken",
    [
        {"request_id": None},
        {"request_created_at": None},
        {"prompt_tokens": "many"},
        {"completion_tokens": 10**30},
        {"delay_ms": 10**15},
        {"cost": "cheap"},
    ],
    ids=str,
)
def test_unreadable_row_is_malformed_and_numbered(broken: dict[str, object]) -> None:
    with pytest.raises(SourceError) as caught:
        parsed(row(1), row(2) | broken)
    assert caught.value.fault is Fault.MALFORMED
    assert "row 2" in caught.value.observed
