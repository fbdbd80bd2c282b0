"""Envoy's access log: the operator's names, placeholders, flags, backends."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter

from countersign.connectors.envoy_ai import EnvoyAI
from countersign.errors import Fault, SourceError
from countersign.records import GatewayCall, Record

LINE: dict[str, Any] = {
    "start_time": "2026-11-02T10:00:00.120Z",
    "response_code": 200,
    "response_flags": "-",
    "x-request-id": "r-1",
    "gen_ai.request.model": "gpt-5.4",
    "gen_ai.provider.name": "default/aoai-sweden/route/r/rule/0/ref/0",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 88,
}


def records(connector: EnvoyAI, *lines: dict[str, Any]) -> list[Record]:
    return list(connector.parse("\n".join(map(json.dumps, lines)).encode()))


def call(changes: Mapping[str, Any] | None = None, **settings: Any) -> GatewayCall:
    [found] = records(configured(**settings), LINE | dict(changes or {}))
    assert isinstance(found, GatewayCall)
    return found


def configured(**settings: Any) -> EnvoyAI:
    made: EnvoyAI = TypeAdapter(EnvoyAI).validate_python(settings)
    return made


@pytest.mark.parametrize(
    ("flags", "code", "status", "ended_by"),
    [
        ("DC", 200, "cancelled", "client_disconnect"),
        ("DR", 0, "cancelled", "client_disconnect"),
        ("UC,DC", 200, "cancelled", "client_disconnect"),
        ("UT", 504, "error", "timeout"),
        ("SI", 200, "error", "timeout"),
        ("UF,URX", 503, "error", "upstream_error"),
        ("-", 200, "ok", "completed"),
        ("-", 429, "error", "upstream_error"),
        ("-", 0, None, None),
    ],
)
def test_flags_say_how_a_call_ended_before_its_status(
    flags: str, code: int, status: str | None, ended_by: str | None
) -> None:
    found = call({"response_flags": flags, "response_code": code})
    assert (found.status, found.ended_by) == (status, ended_by)
    assert found.http_status == (code or None)
    assert (found.cancel_boundary == "proxy") == (status == "cancelled")


@pytest.mark.parametrize("nothing", [None, "-", ""])
def test_placeholders_are_missing_and_not_zero(nothing: object) -> None:
    tokens: dict[str, Any] = {
        "gen_ai.usage.input_tokens": nothing,
        "gen_ai.usage.output_tokens": nothing,
    }
    found = call(tokens | {"response_flags": "DC"})
    assert found.usage_quality == "missing"
    assert found.in_uncached is None
    assert json.loads(found.usage_raw or "") == tokens


def test_cancelled_call_with_tokens_is_an_estimate() -> None:
    assert call({"response_flags": "DC"}).usage_quality == "estimated"


def test_line_without_a_model_a_backend_or_tokens_is_other_traffic() -> None:
    rest = {k: v for k, v in LINE.items() if not k.startswith("gen_ai")}
    assert records(EnvoyAI(), rest, rest | {"gen_ai.request.model": "-"}) == []


def test_backend_reference_is_no_provider() -> None:
    assert call().provider == "unknown"
    found = call(backends={"default/aoai-sweden": {"provider": "azure"}})
    assert found.provider == "azure.ai.openai"


def test_longest_reference_counts_and_a_mere_prefix_of_a_name_does_not() -> None:
    refs = {
        "default": "openai",
        "default/aoai-sweden/route/r": "anthropic",
        "default/aoai-swe": "cohere",
    }
    found = call(backends={ref: {"provider": name} for ref, name in refs.items()})
    assert found.provider == "anthropic"


def test_operator_names_the_fields() -> None:
    connector = configured(
        fields={"started_at": "ts", "input_tokens": "in", "output_tokens": "out", "tenant": "team"}
    )
    line = {"ts": LINE["start_time"], "in": 5, "out": "7", "team": "acme", "x-request-id": "r"}
    [found] = records(connector, line)
    assert isinstance(found, GatewayCall)
    assert (found.in_uncached, found.out_visible, found.tenant) == (5, 7, "acme")
    assert found.usage_raw == '{"in":5,"out":"7"}'


def test_cached_tokens_that_cannot_be_inside_the_input_are_counted_beside() -> None:
    found = call({"gen_ai.usage.cache_read.input_tokens": 4096})
    assert (found.in_uncached, found.in_cache_read) == (1200, 4096)
    assert found.usage_quality == "estimated"


@pytest.mark.parametrize(
    "changes",
    [
        {"start_time": "-"},
        {"start_time": "noon"},
        {"gen_ai.usage.input_tokens": "many"},
        {"gen_ai.usage.input_tokens": [1]},
        {"duration": 2**62},
    ],
)
def test_row_that_cannot_be_read_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="row 2") as caught:
        records(EnvoyAI(), LINE, LINE | changes)
    assert caught.value.fault is Fault.MALFORMED
