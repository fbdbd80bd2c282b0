"""Langfuse's paging, its exports in every form, and what one observation leaves open."""

import base64
import gzip
import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from countersign.connectors.langfuse import Langfuse
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.pipeline.fetch import HttpFetch, Patience
from countersign.records import CallText, GatewayCall, InferenceLocation, Record

DAY = Window.parse("2026-11-02/2026-11-03")
KEYS = "pk-lf-public:sk-lf-very-secret"
Serve = Callable[[Callable[..., tuple[int, dict[str, str], bytes]]], str]


def observation(number: int, **fields: object) -> dict[str, Any]:
    return {
        "id": f"obs_{number}",
        "traceId": "t_1",
        "type": "GENERATION",
        "startTime": "2026-11-02T10:00:00.120Z",
        "endTime": "2026-11-02T10:00:03.900Z",
        "level": "DEFAULT",
        "providedModelName": "gpt-5.4",
        "usageDetails": {"input": 10, "output": 5, "total": 15},
        **fields,
    }


GROUPS = {"usageDetails": "usage", "providedModelName": "model", "input": "io"}


class Observations:
    """The v2 API: newest first, by cursor; usage and text only for those who ask for them."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows
        self.asked: list[dict[str, str]] = []
        self.busy = False

    def __call__(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        login = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
        if self.busy:
            self.busy = False
            return 429, {"Retry-After": "0"}, b'{"message": "slow down"}'
        assert (method, login) == ("GET", KEYS)
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        self.asked.append(query)
        groups = query.get("fields", "core,basic").split(",")
        found = [row for row in self.rows if row["type"] == query["type"]]
        start = int(query.get("cursor", 0))
        page = [self._shown(row, groups) for row in found[start : start + int(query["limit"])]]
        more = start + len(page)
        meta = {"cursor": str(more)} if more < len(found) else {}
        return 200, {}, json.dumps({"data": page, "meta": meta}).encode()

    def _shown(self, row: dict[str, Any], groups: Sequence[str]) -> dict[str, Any]:
        return {k: v for k, v in row.items() if GROUPS.get(k, "core") in groups}


def collected(connector: Langfuse, address: str) -> list[bytes]:
    bound = HttpFetch.bound("langfuse", address, connector.credential_header, KEYS)
    quick = HttpFetch(
        "langfuse", address, bound.headers, bound.secrets, patience=Patience(first_s=0)
    )
    with quick as fetch:
        return list(connector.pages(fetch, DAY))


def parsed(*rows: object, **settings: object) -> list[Record]:
    connector = TypeAdapter(Langfuse).validate_python(settings)
    return list(connector.parse(json.dumps({"data": rows, "meta": {}}).encode()))


def call(*rows: object, **settings: object) -> GatewayCall:
    (found,) = (r for r in parsed(*rows, **settings) if isinstance(r, GatewayCall))
    return found


def test_cursor_is_followed_for_each_type_and_groups_are_asked_for(loopback: Serve) -> None:
    rows = [observation(n) for n in range(5)] + [observation(9, type="EMBEDDING")]
    api = Observations([*rows, observation(10, type="SPAN")])
    pages = collected(Langfuse(limit=2), loopback(api))
    calls = [r for page in pages for r in Langfuse().parse(page)]
    assert [c.call_id for c in calls if isinstance(c, GatewayCall)] == [r["id"] for r in rows]
    assert all(c.in_uncached == 10 for c in calls if isinstance(c, GatewayCall))
    assert [asked.get("cursor") for asked in api.asked] == [None, "2", "4", None]
    assert {asked["fields"] for asked in api.asked} == {
        "core,basic,time,metadata,model,usage,trace_context,io"
    }
    assert {(a["fromStartTime"], a["toStartTime"]) for a in api.asked} == {
        ("2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z")
    }
    assert all("filter" not in asked and "parseIoAsJson" not in asked for asked in api.asked)


def test_text_is_not_asked_for_when_it_is_not_taken(loopback: Serve) -> None:
    api = Observations([observation(1, input="Hello", output="Hi")])
    connector = Langfuse(records=("gateway_call",))
    pages = collected(connector, loopback(api))
    assert all("io" not in asked["fields"].split(",") for asked in api.asked)
    assert b"Hello" not in b"".join(pages)
    assert not [r for page in pages for r in connector.parse(page) if isinstance(r, CallText)]


def test_throttled_page_is_asked_again(loopback: Serve) -> None:
    api = Observations([observation(1)])
    api.busy = True
    assert len(collected(Langfuse(types=("GENERATION",)), loopback(api))) == 1


def test_page_cut_on_the_way_is_not_taken(loopback: Serve) -> None:
    def cut(*_asked: object) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Length": "500"}, b'{"data": ['

    with pytest.raises(SourceError) as caught:
        collected(Langfuse(), loopback(cut))
    assert caught.value.fault is Fault.TRUNCATED


class Files:
    def __init__(self, *names: str) -> None:
        self.listed = names

    def names(self) -> Sequence[str]:
        return self.listed

    def read(self, name: str) -> bytes:
        return name.encode()


def test_export_reads_observations_only_and_of_two_layouts_the_enriched() -> None:
    enriched = "p_1/observations_v2/2026-11-02T10-00-00.jsonl.gz"
    legacy = "p_1/observations/2026-11-02T10-00-00.jsonl"
    others = ("p_1/scores/a.jsonl", "p_1/traces/a.jsonl", "p_1/manifests/a.json")
    both = Files(*others, legacy, enriched, "DEPRECATION_NOTICE.txt")
    assert list(Langfuse().export(both, DAY)) == [enriched.encode()]
    assert list(Langfuse().export(Files(*others, legacy), DAY)) == [legacy.encode()]


BLOB = {
    "id": "obs_1",
    "trace_id": "t_1",
    "type": "GENERATION",
    "start_time": "2026-11-02 10:00:00.120000",
    "end_time": "2026-11-02 10:00:03.900000",
    "provided_model_name": "gpt-5.4",
    "usage_details": {"input": 10, "output": 5, "total": 15},
    "metadata": {"tenant": "aster-bank"},
    "user_id": "",
}


def as_parquet() -> bytes:
    row = {
        **BLOB,
        "start_time": datetime.fromisoformat(str(BLOB["start_time"])),
        "end_time": datetime.fromisoformat(str(BLOB["end_time"])),
        "usage_details": list({"input": 10, "output": 5, "total": 15}.items()),
        "metadata": [("tenant", "aster-bank")],
    }
    kinds = {"usage_details": pa.map_(pa.string(), pa.int64())}
    kinds["metadata"] = pa.map_(pa.string(), pa.string())
    columns = {name: pa.array([value], type=kinds.get(name)) for name, value in row.items()}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def as_csv() -> bytes:
    cells = [json.dumps(v) if isinstance(v, dict) else str(v) for v in BLOB.values()]
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    return f"{','.join(BLOB)}\n{quoted}\n".encode()


def test_export_gives_the_same_call_in_every_form() -> None:
    api = observation(1, metadata={"tenant": "aster-bank"})
    (expected,) = parsed(api)
    forms = {
        "jsonl": json.dumps(BLOB).encode(),
        "json": json.dumps([BLOB]).encode(),
        "gzip": gzip.compress(json.dumps(BLOB).encode()),
        "parquet": as_parquet(),
        "csv": as_csv(),
        "csv.gz": gzip.compress(as_csv()),
    }
    for form, body in forms.items():
        assert list(Langfuse().parse(body)) == [expected], form


def test_table_of_something_else_is_malformed() -> None:
    with pytest.raises(SourceError) as caught:
        list(Langfuse().parse(b"id,name,value\ns_1,accuracy,1\n"))
    assert caught.value.fault is Fault.MALFORMED
    assert "start_time" in caught.value.expected


def test_usage_rule_follows_the_models_prefix() -> None:
    row = observation(1, usageDetails={"input": 100, "input_cached_tokens": 90, "output": 1})
    assert call(row).usage_quality == "estimated"
    inside = call(row, usage={"gpt-": {"overlap": "inside"}})
    assert (inside.in_uncached, inside.in_cache_read, inside.usage_quality) == (10, 90, "exact")


def test_setting_that_names_no_counter_is_refused() -> None:
    with pytest.raises(ValueError, match="counters"):
        TypeAdapter(Langfuse).validate_python({"usage": {"": {"counters": {"x": "tokens"}}}})


def test_provider_comes_from_the_metadata_before_the_setting() -> None:
    azure = observation(1, metadata={"attributes": {"gen_ai.system": "az.ai.openai"}})
    assert call(azure, providers={"gpt-": "openai"}).provider == "azure.ai.openai"
    assert call(observation(1), providers={"gpt-": "openai"}).provider == "openai"
    assert call(observation(1)).provider == "unknown"
    vertex = observation(1, metadata={"ls_provider": "google_vertexai"})
    assert call(vertex).provider == "gcp.vertex_ai"


def test_place_needs_a_regional_host_that_was_noted() -> None:
    noted = {"attributes": json.dumps({"server.address": "eu.api.openai.com"})}
    places = [r for r in parsed(observation(1, metadata=noted)) if isinstance(r, InferenceLocation)]
    assert [(p.region, p.strength, p.evidence) for p in places] == [("eu", "R2", "host")]
    elsewhere = observation(1, metadata={"api_base": "https://api.openai.com/v1"})
    assert not [r for r in parsed(elsewhere) if isinstance(r, InferenceLocation)]


@pytest.mark.parametrize(
    ("fields", "status", "ended_by"),
    [
        ({"endTime": None}, None, None),
        ({"level": "ERROR", "statusMessage": "Read timed out"}, "error", "timeout"),
        ({"level": "ERROR", "statusMessage": "HTTP 500"}, "error", "upstream_error"),
        ({"level": "ERROR", "statusMessage": "Request was aborted."}, "cancelled", None),
        (
            {"level": "ERROR", "statusMessage": "client disconnected"},
            "cancelled",
            "client_disconnect",
        ),
        ({"level": "WARNING", "statusMessage": "cancelled"}, "ok", "completed"),
    ],
)
def test_ending_is_read_from_level_message_and_end(
    fields: dict[str, object], status: str | None, ended_by: str | None
) -> None:
    found = call(observation(1, **fields))
    assert (found.status, found.ended_by, found.cancel_boundary) == (status, ended_by, None)
    assert found.usage_quality == ("exact" if status == "ok" else "estimated")


def test_error_message_is_reduced_to_the_class_that_it_names() -> None:
    said = "BadRequestError: your prompt 'my secret' is too long"
    found = call(observation(1, level="ERROR", statusMessage=said))
    assert found.error_type == "BadRequestError"


def test_zeros_of_an_answered_generation_are_no_exact_figures() -> None:
    zeros = observation(1, usageDetails={"input": 0, "output": 0, "total": 0})
    assert call(zeros).usage_quality == "estimated"


def test_request_is_the_trace_unless_the_metadata_names_it() -> None:
    row = observation(1, metadata={"request_id": "req-1"})
    assert call(row).request_id == "t_1"
    assert call(row, request_key="request_id").request_id == "req-1"


@pytest.mark.parametrize(
    "broken",
    [
        {"id": None},
        {"startTime": "yesterday"},
        {"type": None},
        {"usageDetails": {"input": 10**30}},
        {"totalCost": "cheap"},
        {"endTime": 1e300},
    ],
    ids=str,
)
def test_unreadable_row_is_malformed_and_numbered(broken: dict[str, object]) -> None:
    with pytest.raises(SourceError) as caught:
        parsed(observation(1), observation(2) | broken)
    assert caught.value.fault is Fault.MALFORMED
    assert "row 2" in caught.value.observed
