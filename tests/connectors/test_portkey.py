"""Portkey's export jobs against a server that keeps them, and the two spellings of its lines."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from countersign.connectors.portkey import Portkey
from countersign.connectors.wire.portkey_log import moment
from countersign.errors import Fault, SourceError
from countersign.model import Window, instant
from countersign.pipeline.fetch import HttpFetch, Patience
from countersign.records import CallText, GatewayCall, InferenceLocation, Record

DAY = Window.parse("2026-11-02/2026-11-03")
MIDNIGHT = datetime(2026, 11, 2, tzinfo=UTC)
SIGNATURE = "X-Amz-Signature=0f1e2d3c4b5a6978"
Reply = tuple[int, dict[str, str], bytes]
Serve = Callable[[Callable[..., Reply]], str]


def line(number: int, after_s: float = 0, **fields: object) -> dict[str, Any]:
    return {
        "id": f"log_{number}",
        "trace_id": f"t_{number}",
        "created_at": (MIDNIGHT + timedelta(seconds=after_s)).isoformat(),
        "ai_org": "openai",
        "ai_model": "gpt-5.4",
        "req_units": 1200,
        "res_units": 88,
        "total_units": 1288,
        "cost": 0.21,
        "response_time": 900,
        "response_status_code": 200,
        "request_url": "https://eu.api.openai.com/v1/chat/completions",
        **fields,
    }


class Exports:
    """The export API over lines, with a cap, denied fields, and jobs that take their time."""

    def __init__(self, lines: list[dict[str, Any]], cap: int = 50_000) -> None:
        self.lines, self.cap = lines, cap
        self.jobs: dict[str, dict[str, Any]] = {}
        self.denied: list[str] = []
        self.restrictions = 200
        self.polls = 2
        self.ends_as = "success"
        self.announces = True
        self.loses = 0
        self.ignores_filter = False
        self.busy = False
        self.link_headers: list[dict[str, str]] = []
        self.address = ""

    def __call__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        if target.startswith("/bucket/"):
            self.link_headers.append({name.lower(): value for name, value in headers.items()})
            return self._content(target)
        assert {name.lower(): value for name, value in headers.items()}["x-portkey-api-key"]
        path, _, query = target.removeprefix("/v1/logs/exports").partition("?")
        if self.busy:
            self.busy = False
            return 429, {"Retry-After": "0"}, b"{}"
        if (method, path) == ("GET", "/field-restrictions"):
            assert query == "workspace_id=ws-example"
            return self.restrictions, {}, json.dumps({"deniedFields": self.denied}).encode()
        if (method, path) == ("POST", ""):
            return self._make(json.loads(body))
        job = self.jobs[path.split("/")[1]]
        if (method, path.rpartition("/")[2]) == ("POST", "start"):
            job["status"] = "in_progress"
        elif path.endswith("/download"):
            link = f"{self.address}/bucket/{job['id']}?{SIGNATURE}"
            return 200, {}, json.dumps({"signed_url": link}).encode()
        elif method == "GET":
            job["polled"] += 1
            if job["status"] == "in_progress" and job["polled"] >= self.polls:
                job["status"] = self.ends_as
        return 200, {}, json.dumps({"id": job["id"], "status": job["status"]}).encode()

    def _make(self, asked: dict[str, Any]) -> Reply:
        refused = sorted(set(self.denied) & set(asked["requested_data"]))
        if refused:
            return 403, {}, json.dumps({"message": f"denied fields: {refused}"}).encode()
        assert asked["workspace_id"] == "ws-example"
        assert asked["description"]
        span = asked["filters"]
        span = span.get("created_at", span)
        low, high = (datetime.fromisoformat(bound) for bound in span.values())
        found = [
            row
            for row in self.lines
            if self.ignores_filter or low <= datetime.fromisoformat(row["created_at"]) < high
        ]
        name = f"job-{len(self.jobs) + 1}"
        shown = [{k: v for k, v in r.items() if k in asked["requested_data"]} for r in found]
        job = {"id": name, "status": "draft", "polled": 0, "rows": shown, "asked": asked}
        self.jobs[name] = job
        total = {"total": len(found)} if self.announces else {}
        return 200, {}, json.dumps({"id": name, "object": "export", **total}).encode()

    def _content(self, target: str) -> Reply:
        rows = self.jobs[target.split("/")[2].partition("?")[0]]["rows"]
        kept = rows[: min(self.cap, len(rows) - self.loses)]
        return 200, {}, "".join(json.dumps(row) + "\n" for row in kept).encode()


def collected(api: Exports, loopback: Serve, **settings: object) -> list[bytes]:
    api.address = loopback(api)
    chosen = {"workspace": "ws-example", "poll_s": 0, "polls": 5} | settings
    connector = TypeAdapter(Portkey).validate_python(chosen)
    with HttpFetch(
        "portkey",
        api.address,
        {"x-portkey-api-key": "pk-very-secret"},
        patience=Patience(attempts=2, first_s=0),
    ) as fetch:
        return list(connector.pages(fetch, DAY))


def failed(api: Exports, loopback: Serve, **settings: object) -> SourceError:
    with pytest.raises(SourceError) as caught:
        collected(api, loopback, **settings)
    assert SIGNATURE not in str(caught.value)
    assert "pk-very-secret" not in str(caught.value)
    return caught.value


def parsed(*lines: object, **settings: object) -> list[Record]:
    connector = TypeAdapter(Portkey).validate_python(settings)
    return list(connector.parse("\n".join(json.dumps(row) for row in lines).encode()))


def calls(*pages: bytes) -> list[GatewayCall]:
    found = (record for page in pages for record in Portkey().parse(page))
    return [record for record in found if isinstance(record, GatewayCall)]


def call(row: object, **settings: object) -> GatewayCall:
    (found,) = (r for r in parsed(row, **settings) if isinstance(r, GatewayCall))
    return found


def test_job_is_made_started_waited_for_and_read_without_the_credential(loopback: Serve) -> None:
    api = Exports([line(1), line(2, 60), line(3, 86_400)])
    made, content = collected(api, loopback)
    assert json.loads(made)["total"] == 2
    assert [c.call_id for c in calls(made, content)] == ["log_1", "log_2"]
    assert api.jobs["job-1"]["polled"] == 2
    (headers,) = api.link_headers
    assert "x-portkey-api-key" not in headers


def test_empty_day_makes_a_job_that_is_never_started(loopback: Serve) -> None:
    api = Exports([])
    (made,) = collected(api, loopback)
    assert calls(made) == []
    assert api.jobs["job-1"]["status"] == "draft"


def test_throttled_question_is_asked_again(loopback: Serve) -> None:
    api = Exports([line(1)])
    api.busy = True
    assert len(calls(*collected(api, loopback))) == 1


def test_day_at_the_cap_is_halved_before_it_runs(loopback: Serve) -> None:
    api = Exports([line(n, 3_000 * n) for n in range(25)], cap=10)
    pages = collected(api, loopback, rows_a_job=10)
    assert sorted(c.call_id for c in calls(*pages)) == sorted(f"log_{n}" for n in range(25))
    assert api.jobs["job-1"]["status"] == "draft"
    assert all(len(page.splitlines()) < 10 for page in pages)


def test_exactly_as_many_rows_as_the_cap_are_never_trusted(loopback: Serve) -> None:
    api = Exports([line(n, 3_000 * n) for n in range(14)], cap=10)
    api.announces = False
    found = {c.call_id for c in calls(*collected(api, loopback, rows_a_job=10))}
    assert found == {f"log_{n}" for n in range(14)}
    assert len(api.jobs) > 1


def test_more_rows_in_a_second_than_the_cap_are_refused(loopback: Serve) -> None:
    api = Exports([line(n, 7) for n in range(14)], cap=10)
    error = failed(api, loopback, rows_a_job=10)
    assert error.fault is Fault.MALFORMED
    assert "a second" in error.expected


def test_more_rows_a_job_than_portkey_writes_cannot_be_set(loopback: Serve) -> None:
    api = Exports([line(n, n * 1.5) for n in range(50_000)])
    pages = collected(api, loopback, rows_a_job=1_000_000)
    assert api.jobs["job-1"]["status"] == "draft"
    assert sum(len(page.splitlines()) for page in pages[1:]) == 50_000 + 2


def test_fewer_rows_than_announced_are_truncated(loopback: Serve) -> None:
    api = Exports([line(1), line(2), line(3)])
    api.loses = 1
    error = failed(api, loopback)
    assert error.fault is Fault.TRUNCATED
    assert (error.expected, error.observed) == ("3 rows as announced", "2 rows")


def test_download_cut_on_the_way_is_truncated(loopback: Serve) -> None:
    class Cutting(Exports):
        def _content(self, target: str) -> Reply:
            _, _, content = super()._content(target)
            return 200, {"Content-Length": str(len(content))}, content[:-20]

    assert failed(Cutting([line(1)]), loopback).fault is Fault.TRUNCATED


@pytest.mark.parametrize("status", ["failure", "failed", "stopped"])
def test_job_that_fails_is_named(loopback: Serve, status: str) -> None:
    api = Exports([line(1)])
    api.ends_as = status
    error = failed(api, loopback)
    assert error.fault is Fault.REFUSED
    assert error.observed == f"job job-1: {status}"


def test_job_that_never_ends_is_given_up(loopback: Serve) -> None:
    api = Exports([line(1)])
    api.polls = 100
    error = failed(api, loopback)
    assert error.fault is Fault.UNREACHABLE
    assert "in_progress" in error.observed


def test_denied_fields_are_not_asked_for(loopback: Serve) -> None:
    api = Exports([line(1)])
    api.denied = ["request", "response", "metadata"]
    assert len(calls(*collected(api, loopback))) == 1
    assert not set(api.denied) & set(api.jobs["job-1"]["asked"]["requested_data"])


def test_denied_time_is_an_error_that_says_so(loopback: Serve) -> None:
    api = Exports([line(1)])
    api.denied = ["created_at"]
    assert "created_at" in failed(api, loopback).expected
    assert api.jobs == {}


def test_unknown_restrictions_leave_the_word_to_the_job(loopback: Serve) -> None:
    api = Exports([line(1)])
    api.restrictions = 404
    assert len(calls(*collected(api, loopback))) == 1
    api.denied = ["request"]
    error = failed(api, loopback)
    assert "denied fields" in error.observed


def test_text_is_not_asked_for_when_it_is_not_taken(loopback: Serve) -> None:
    api = Exports([line(1, request={"messages": [{"role": "user", "content": "Hello"}]})])
    pages = collected(api, loopback, records=["gateway_call"])
    assert "request" not in api.jobs["job-1"]["asked"]["requested_data"]
    assert b"Hello" not in b"".join(pages)


def test_filter_that_the_server_ignores_is_found_out(loopback: Serve) -> None:
    api = Exports([line(1, -3_600), line(2)])
    api.ignores_filter = True
    error = failed(api, loopback)
    assert error.fault is Fault.MALFORMED
    assert "bounds" in error.observed


@pytest.mark.parametrize(
    ("bounds", "filters"),
    [
        (
            "time_of_generation",
            {
                "time_of_generation_min": "2026-11-02T00:00:00Z",
                "time_of_generation_max": "2026-11-03T00:00:00Z",
            },
        ),
        (
            "created_at",
            {"created_at": {"gte": "2026-11-02T00:00:00Z", "lte": "2026-11-03T00:00:00Z"}},
        ),
    ],
)
def test_either_documented_filter_can_be_used(
    loopback: Serve, bounds: str, filters: dict[str, object]
) -> None:
    api = Exports([line(1)])
    collected(api, loopback, bounds=bounds)
    assert api.jobs["job-1"]["asked"]["filters"] == filters


def test_both_spellings_give_the_same_call() -> None:
    other = {
        "ai_org": "ai_provider",
        "req_units": "request_tokens",
        "res_units": "response_tokens",
        "total_units": "total_tokens",
        "response_status_code": "status_code",
    }
    assert parsed({other.get(k, k): v for k, v in line(1).items()}) == parsed(line(1))


@pytest.mark.parametrize(
    ("spelt", "meant"),
    [
        ("Sat Jul 25 2026 11:14:18 GMT+0000 (Coordinated Universal Time)", "2026-07-25T11:14:18Z"),
        (
            "Sat Jul 25 2026 11:14:18 GMT+0530 (India Standard Time)",
            "2026-07-25T11:14:18+05:30",
        ),
        ("Sun Mar 01 2026 00:00:00 GMT-0330", "2026-03-01T00:00:00-03:30"),
        ("2026-11-02 10:00:00", "2026-11-02T10:00:00Z"),
    ],
)
def test_dates_as_javascript_spells_them(spelt: str, meant: str) -> None:
    assert moment(spelt) == instant(datetime.fromisoformat(meant))


@pytest.mark.parametrize("spelt", ["Sat Jul 45 2026 11:14:18 GMT+0000", "Sat Xyz 25 2026", None])
def test_other_dates_are_refused(spelt: object) -> None:
    with pytest.raises(ValueError, match="time"):
        moment(spelt)


def test_cost_is_in_cents_of_dollars_only() -> None:
    assert call(line(1, cost=0.4212)).cost_logged_usd_micros == 4_212
    assert call(line(1, cost=None)).cost_logged_usd_micros is None
    assert call(line(1, cost_currency="EUR")).cost_logged_usd_micros is None


def test_cache_split_comes_from_the_response_else_it_is_an_estimate() -> None:
    usage = {
        "prompt_tokens": 1200,
        "completion_tokens": 88,
        "total_tokens": 1288,
        "prompt_tokens_details": {"cached_tokens": 1024},
    }
    with_response = call(line(1, response={"usage": usage}))
    assert (with_response.in_uncached, with_response.usage_quality) == (176, "exact")
    assert json.loads(with_response.usage_raw or "") == usage
    without = call(line(1))
    assert (without.in_uncached, without.in_cache_read) == (1200, None)
    assert without.usage_quality == "estimated"


def test_client_that_left_is_cancelled_only_by_its_status() -> None:
    left = call(line(1, response_status_code=499))
    assert (left.status, left.cancel_boundary, left.usage_quality) == (
        "cancelled",
        "proxy",
        "estimated",
    )


def test_place_is_where_a_regional_host_says() -> None:
    places = [r for r in parsed(line(1)) if isinstance(r, InferenceLocation)]
    assert [(p.region, p.strength) for p in places] == [("eu", "R2")]
    elsewhere = line(1, request_url="https://api.openai.com/v1/chat/completions")
    assert not [r for r in parsed(elsewhere) if isinstance(r, InferenceLocation)]


def test_answer_from_portkeys_cache_ran_nowhere_and_cost_nothing() -> None:
    (only,) = parsed(line(1, cache_status="SEMANTIC HIT"))
    assert isinstance(only, GatewayCall)
    assert (only.stage, only.in_uncached, only.usage_quality) == ("gateway_cache", 0, "exact")
    assert call(line(1, cache_status="MISS")).stage is None


def test_text_is_the_last_user_message_and_the_answer() -> None:
    talk = line(
        1,
        request={"body": {"messages": [{"role": "user", "content": "Hello"}]}},
        response=json.dumps({"choices": [{"message": {"content": "Hi"}}]}),
    )
    assert [r.text for r in parsed(talk) if isinstance(r, CallText)] == ["Hello", "Hi"]


@pytest.mark.parametrize(
    "broken",
    [
        {"created_at": None},
        {"req_units": "many"},
        {"res_units": 10**30},
        {"cost": "cheap"},
        {"response_time": 10**15},
        {"response": {"usage": {"prompt_tokens": 1.5}}},
    ],
    ids=str,
)
def test_unreadable_line_is_malformed_and_numbered(broken: dict[str, object]) -> None:
    with pytest.raises(SourceError) as caught:
        parsed(line(1), line(2) | broken)
    assert caught.value.fault is Fault.MALFORMED
    assert "row 2" in caught.value.observed
