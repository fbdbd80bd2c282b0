"""LiteLLM's paging and cap, its export folders, and its three shapes of one call."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from countersign.canonical import Json
from countersign.connectors.interface import Params
from countersign.connectors.litellm import LiteLLM
from countersign.connectors.wire.call import Deployment
from countersign.errors import Fault, SourceError
from countersign.model import Window, instant
from countersign.records import CallText, GatewayCall, InferenceLocation, Record

DAY = Window.parse("2026-11-09/2026-11-10")
MIDNIGHT = datetime(2026, 11, 9, tzinfo=UTC)
CAP = 10_000


def row(request_id: str, started: datetime, **fields: object) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "litellm_call_id": f"call-{request_id}",
        "call_type": "acompletion",
        "startTime": started.isoformat(),
        "endTime": (started + timedelta(seconds=2)).isoformat(),
        "completionStartTime": (started + timedelta(seconds=1)).isoformat(),
        "model": "openai/gpt-5.4-mini-2026-03-17",
        "model_id": "dep-openai-eu",
        "model_group": "chat-eu",
        "custom_llm_provider": "openai",
        "api_base": "https://eu.api.openai.com/v1",
        "status": "success",
        **fields,
    }


@dataclass
class SpendLogs:
    """The v2 API over a list of rows: inclusive bounds, a capped total, no page beyond the cap."""

    rows: Sequence[dict[str, Any]]
    change: Mapping[int, Mapping[str, object]] = field(default_factory=dict)
    asked: list[Params] = field(default_factory=list)

    def __call__(
        self,
        path: str,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Json = None,
    ) -> bytes:
        assert path == "/spend/logs/v2"
        assert params is not None
        self.asked.append(params)
        first, last = (
            datetime.fromisoformat(f"{params[bound]}+00:00") for bound in ("start_date", "end_date")
        )
        found = [r for r in self.rows if first <= datetime.fromisoformat(r["startTime"]) <= last]
        found = sorted(found, key=lambda r: str(r["startTime"]))[:CAP]
        size, number = int(str(params["page_size"])), int(str(params["page"]))
        reply = {
            "data": found[(number - 1) * size : number * size],
            "total": len(found),
            "page": number,
            "page_size": size,
            "total_pages": -(-len(found) // size),
        }
        return json.dumps(reply | dict(self.change.get(len(self.asked), {}))).encode()


def ids(pages: Iterator[bytes]) -> Counter[str]:
    return Counter(r["request_id"] for page in pages for r in json.loads(page)["data"])


def fault_of(logs: SpendLogs) -> SourceError:
    with pytest.raises(SourceError) as caught:
        list(LiteLLM().pages(logs, DAY))
    return caught.value


def test_empty_day_is_one_page() -> None:
    logs = SpendLogs([])
    assert len(list(LiteLLM().pages(logs, DAY))) == 1


def test_bounds_are_the_two_midnights_in_ascending_order() -> None:
    logs = SpendLogs([row("a", MIDNIGHT)])
    list(LiteLLM().pages(logs, DAY))
    assert logs.asked == [
        {
            "start_date": "2026-11-09 00:00:00",
            "end_date": "2026-11-10 00:00:00",
            "page": 1,
            "page_size": 1_000,
            "sort_by": "startTime",
            "sort_order": "asc",
        }
    ]


def test_each_day_of_a_window_is_read_by_itself() -> None:
    logs = SpendLogs([])
    list(LiteLLM().pages(logs, Window.parse("2026-11-09/2026-11-12")))
    assert [p["start_date"] for p in logs.asked] == [
        "2026-11-09 00:00:00",
        "2026-11-10 00:00:00",
        "2026-11-11 00:00:00",
    ]


def test_day_above_the_cap_is_read_on_from_its_last_row() -> None:
    rows = [row(f"{n:05d}", MIDNIGHT + timedelta(seconds=3.3 * n)) for n in range(25_000)]
    logs = SpendLogs(rows)
    found = ids(LiteLLM().pages(logs, DAY))
    assert set(found) == {r["request_id"] for r in rows}
    assert [i for i, times in found.items() if times > 1] == ["09999", "19998"]
    assert len(logs.asked) == 10 + 10 + 6


def test_more_rows_in_a_second_than_the_cap_are_refused() -> None:
    logs = SpendLogs([row(f"{n}", MIDNIGHT) for n in range(CAP + 1)])
    assert fault_of(logs).fault is Fault.MALFORMED


def test_fewer_rows_than_announced_are_truncated() -> None:
    rows = [row(f"{n}", MIDNIGHT + timedelta(seconds=n)) for n in range(1_500)]
    error = fault_of(SpendLogs(rows, change={2: {"data": []}}))
    assert error.fault is Fault.TRUNCATED
    assert error.expected == "1500 rows as announced"
    assert error.observed == "1000 rows"
    assert error.page == "2 from 2026-11-09T00:00:00Z"


@pytest.mark.parametrize(
    ("call", "change"),
    [
        (2, {"page": 7}),
        (1, {"total": None}),
        (1, {"total_pages": "many"}),
        (1, {"data": {}}),
        (1, {"data": [{"startTime": "yesterday"}]}),
    ],
)
def test_reply_that_contradicts_its_paging_is_malformed(
    call: int, change: dict[str, object]
) -> None:
    rows = [row(f"{n}", MIDNIGHT + timedelta(seconds=n)) for n in range(1_500)]
    assert fault_of(SpendLogs(rows, change={call: change})).fault is Fault.MALFORMED


class Files:
    """An exported folder whose files hold their own names."""

    def __init__(self, *names: str) -> None:
        self.listed = names

    def names(self) -> Sequence[str]:
        return self.listed

    def read(self, name: str) -> bytes:
        return name.encode()


def test_export_reads_the_days_around_and_files_without_a_day() -> None:
    folder = Files(
        "2026-11-07/a.jsonl",
        "logs/2026-11-08/23/b.jsonl",
        "2026-11-09/c.jsonl",
        "2026-11-10/d.jsonl",
        "2026-11-11/e.jsonl",
        "all-2026-11-01.jsonl",
        "2026-99-99/f.jsonl",
    )
    found = [name.decode() for name in LiteLLM().export(folder, DAY)]
    assert found == [*folder.listed[1:4], *folder.listed[5:]]
    own = LiteLLM(neighbour_days=0)
    assert next(own.export(folder, DAY)) == b"2026-11-09/c.jsonl"


USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 88,
    "total_tokens": 1288,
    "prompt_tokens_details": {"cached_tokens": 1024},
}
DEPLOYMENTS = {"dep-openai-eu": Deployment(key="key_eu_prod", region="eu", group="chat-eu")}


def calls(*documents: object, deployments: Mapping[str, Deployment] | None = None) -> list[Record]:
    page = "\n".join(json.dumps(d) for d in documents).encode()
    return list(
        LiteLLM(deployments=DEPLOYMENTS if deployments is None else deployments).parse(page)
    )


def payload_of(logged: Mapping[str, Any]) -> dict[str, Any]:
    """The callback's form of a row: other names, and seconds since 1970."""
    made = {k: v for k, v in logged.items() if k not in ("request_id", "spend")}
    made |= {"id": logged["request_id"], "response_cost": logged.get("spend")}
    for name in ("startTime", "endTime", "completionStartTime"):
        made[name] = instant(datetime.fromisoformat(logged[name])) / 1_000_000
    return made


def test_row_payload_and_database_export_give_the_same_call() -> None:
    metadata = {"user_api_key_team_alias": "aster-bank", "usage_object": USAGE}
    logged = row("chatcmpl-1", MIDNIGHT, spend=0.00042, metadata=metadata)
    exported = {**logged, "metadata": json.dumps(metadata)}
    by_api = list(LiteLLM(deployments=DEPLOYMENTS).parse(json.dumps({"data": [logged]}).encode()))
    assert calls(payload_of(logged)) == by_api
    assert calls(exported) == by_api
    assert calls([logged]) == by_api
    assert {type(r) for r in by_api} == {GatewayCall, InferenceLocation}


def test_retried_attempts_of_a_callback_file_are_one_call() -> None:
    answered = payload_of(row("chatcmpl-1", MIDNIGHT, metadata={"usage_object": USAGE}))
    failed = {
        **answered,
        "id": answered["litellm_call_id"],
        "status": "failure",
        "total_tokens": 0,
        "metadata": {},
    }
    found = [r for r in calls(failed, failed, answered) if isinstance(r, GatewayCall)]
    assert [c.call_id for c in found] == ["chatcmpl-1"]
    alone = [r for r in calls(failed) if isinstance(r, GatewayCall)]
    assert [(c.status, c.usage_quality, c.in_uncached) for c in alone] == [
        ("error", "missing", None)
    ]


def test_fallback_leaves_two_attempts_of_one_request() -> None:
    everywhere = {
        **DEPLOYMENTS,
        "dep-openai-us": Deployment(key="key_us_prod", region="us", group="chat-us"),
    }
    moved = row(
        "chatcmpl-1",
        MIDNIGHT,
        model_group="chat-us",
        model_id="dep-openai-us",
        api_base="https://us.api.openai.com/v1/",
        metadata={
            "attempted_fallbacks": 1,
            "original_model_group": "chat-eu",
            "usage_object": USAGE,
        },
    )
    found = calls(moved, deployments=everywhere)
    served, failed = (r for r in found if isinstance(r, GatewayCall))
    assert served.request_id == failed.request_id == "call-chatcmpl-1"
    assert (served.attempt, served.status, served.api_key_commitment) == (2, "ok", "key_us_prod")
    assert (served.region_configured, served.region_observed) == ("eu", "us")
    assert (failed.attempt, failed.status, failed.api_key_commitment) == (1, "error", "key_eu_prod")
    assert (failed.call_id, failed.usage_quality) == ("chatcmpl-1#attempt-1", "missing")
    unknown, _ = (r for r in calls(moved, deployments={}) if isinstance(r, GatewayCall))
    assert unknown.region_configured is None


def test_left_stream_is_cancelled_and_its_count_an_estimate() -> None:
    left = row(
        "chatcmpl-1",
        MIDNIGHT,
        metadata={
            "usage_object": {**USAGE, "prompt_tokens_details": {"cached_tokens": 0}},
            "error_information": {"error_code": "499", "error_class": "ClientDisconnected"},
        },
    )
    call = next(r for r in calls(left) if isinstance(r, GatewayCall))
    assert (call.status, call.ended_by, call.cancel_boundary) == (
        "cancelled",
        "client_disconnect",
        "proxy",
    )
    assert call.usage_quality == "estimated"
    assert (call.in_uncached, call.in_cache_read, call.out_visible) == (1200, None, 88)


def test_text_is_the_last_user_message_and_the_answer() -> None:
    talk = payload_of(row("chatcmpl-1", MIDNIGHT, metadata={"usage_object": USAGE}))
    talk |= {
        "messages": [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": [{"type": "text", "text": "second"}]},
        ],
        "response": {"choices": [{"finish_reason": "stop", "message": {"content": "two"}}]},
        "model_parameters": {"tools": [{}, {}]},
    }
    found = calls(talk)
    assert [(t.role, t.text) for t in found if isinstance(t, CallText)] == [
        ("prompt", "second"),
        ("output", "two"),
    ]
    call = next(r for r in found if isinstance(r, GatewayCall))
    assert (call.turns, call.tool_count, call.finish_reason) == (2, 2, "stop")


def test_prompt_of_a_megabyte_comes_whole() -> None:
    said = "\u202e<script>\x00" * 100_000
    talk = payload_of(row("chatcmpl-1", MIDNIGHT, messages=[{"role": "user", "content": said}]))
    text = next(t for t in calls(talk) if isinstance(t, CallText))
    assert text.text == said


@pytest.mark.parametrize(
    "broken",
    [
        {"startTime": None},
        {"startTime": "not a time"},
        {"startTime": 1e300},
        {"metadata": "{not json"},
        {"metadata": {"usage_object": {"prompt_tokens": 10**30}}},
        {"metadata": {"usage_object": {"prompt_tokens": 1.5}}},
        {"spend": "cheap"},
        {"request_id": None, "litellm_call_id": None},
    ],
    ids=str,
)
def test_unreadable_row_is_malformed_and_numbered(broken: dict[str, object]) -> None:
    with pytest.raises(SourceError) as caught:
        calls(row("fine", MIDNIGHT), row("bad", MIDNIGHT) | broken)
    assert caught.value.fault is Fault.MALFORMED
    assert "row 2" in caught.value.observed


def test_host_belongs_to_the_call_whichever_way_the_base_is_spelt() -> None:
    spellings = (
        "https://EU.api.openai.com/v1/",
        "https://eu.api.openai.com:443/v1",
        "eu.api.openai.com",
    )
    for base in spellings:
        call, place = calls(row("a", MIDNIGHT, api_base=base))
        assert isinstance(call, GatewayCall)
        assert isinstance(place, InferenceLocation)
        assert call.endpoint_host == "eu.api.openai.com"
        assert replace(place, observed_at=0).region == "eu"
