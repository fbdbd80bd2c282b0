"""OTLP: its encoding, the conventions of four families, what is withheld, and real samples."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from countersign.connectors.otlp import Otlp
from countersign.errors import Fault, SourceError
from countersign.records import CallText, GatewayCall, InferenceLocation, Record, SurfaceAccess
from countersign.records.trace import Span

START = 1793613600120000000


def wrapped(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [wrapped(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": pairs(value)}}
    return {"stringValue": value}


def pairs(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": wrapped(value)} for key, value in given.items()]


def span(attributes: Mapping[str, Any], number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": f"{number:016x}",
        "name": "chat",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 3_780_000_000),
        "attributes": pairs(attributes),
        **more,
    }


def body(*spans: dict[str, Any], resource: Mapping[str, Any] | None = None) -> bytes:
    group = {"resource": {"attributes": pairs(resource or {})}, "scopeSpans": [{"spans": spans}]}
    return json.dumps({"resourceSpans": [group]}).encode()


def records(*spans: dict[str, Any], **settings: Any) -> list[Record]:
    connector: Otlp = TypeAdapter(Otlp).validate_python(settings)
    return list(connector.parse(body(*spans)))


def calls(*spans: dict[str, Any], **settings: Any) -> list[GatewayCall]:
    return [r for r in records(*spans, **settings) if isinstance(r, GatewayCall)]


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}


def test_example_of_the_standard_is_one_span_with_lower_case_ids(shared_data: Path) -> None:
    page = (shared_data / "otel_samples" / "otlp_example_trace.json").read_bytes()
    [found] = Otlp().parse(page)
    assert isinstance(found, Span)
    assert found.trace_id == "5b8efff798038103d269b633813fc60c"
    assert found.parent_span_id == "eee19b7ec3c1b173"
    assert (found.kind, found.service, found.scope) == ("server", "my.service", "my.library")
    assert (found.start_ns, found.started_at) == (1544712660000000000, 1544712660000000)
    assert found.attributes == '{"my.span.attr":"some value"}'


@pytest.mark.parametrize("signal", ["events", "logs", "metrics"])
def test_examples_of_other_signals_hold_no_spans(shared_data: Path, signal: str) -> None:
    page = (shared_data / "otel_samples" / f"otlp_example_{signal}.json").read_bytes()
    assert list(Otlp().parse(page)) == []


def real_spans(shared_data: Path) -> list[dict[str, Any]]:
    """Spans of the Vercel AI SDK, as its in-memory exporter wrote them, in OTLP's encoding."""
    file = shared_data / "otel_samples" / "vercel_ai_sdk_v6_all-spans.json"
    return [
        span(
            s["attributes"],
            name=s["name"],
            traceId=s["spanContext"]["traceId"],
            spanId=s["spanContext"]["spanId"],
            startTimeUnixNano=s["startTime"][0] * 10**9 + s["startTime"][1],
            endTimeUnixNano=s["endTime"][0] * 10**9 + s["endTime"][1],
            status=s["status"],
            events=[{"name": e["name"], "attributes": pairs(e["attributes"])} for e in s["events"]],
        )
        for s in json.loads(file.read_text())
    ]


def test_real_spans_count_inner_calls_and_not_the_outer_ones_that_repeat_them(
    shared_data: Path,
) -> None:
    found = calls(*real_spans(shared_data))
    assert [(c.operation, c.in_uncached, c.out_visible, c.usage_quality) for c in found] == [
        ("chat", 14, 20, "exact"),
        ("chat", 50, 9, "exact"),
        ("chat", 63, 156, "exact"),
        ("chat", 15, 112, "exact"),
        ("embeddings", 10, None, "exact"),
    ]
    assert {c.provider for c in found} == {"openai"}
    assert found[0].provider_request_id == "resp_0269f3aed1fd415900698212189ed88190b8bb13919d420b02"
    assert (found[0].model_requested, found[0].model_resolved) == (
        "gpt-4o-mini",
        "gpt-4o-mini-2024-07-18",
    )
    assert (found[3].stream, found[3].in_cache_read, found[3].out_reasoning) == (True, 0, 0)
    assert found[3].first_token_at == found[3].started_at + 426_853


def test_real_texts_become_texts_and_leave_no_trace_in_the_spans(shared_data: Path) -> None:
    found = records(*real_spans(shared_data))
    texts = [r for r in found if isinstance(r, CallText)]
    assert texts[0].text == "Write a haiku about programming."
    assert texts[1].text.startswith("Lines of code align")
    kept = "".join((r.attributes or "") for r in found if isinstance(r, Span))
    assert "Write a haiku" not in kept
    assert "Lines of code" not in kept
    assert sum(isinstance(r, Span) for r in found) == 10


@pytest.mark.parametrize(
    "usage",
    [
        {
            "gen_ai.usage.input_tokens": 1200,
            "gen_ai.usage.cache_read.input_tokens": 1024,
            "gen_ai.usage.cache_write.input_tokens": 64,
            "gen_ai.usage.output_tokens": 88,
            "gen_ai.usage.reasoning.output_tokens": 32,
        },
        {
            "gen_ai.usage.prompt_tokens": 1200,
            "gen_ai.usage.cache_read_input_tokens": 1024,
            "gen_ai.usage.cache_creation_input_tokens": 64,
            "gen_ai.usage.completion_tokens": 88,
            "gen_ai.usage.reasoning_tokens": 32,
            "llm.usage.total_tokens": 1288,
        },
        {
            "gen_ai.usage.input_tokens": 1200,
            "gen_ai.usage.cache_read.input_tokens": 1024,
            "gen_ai.usage.cache_creation.input_tokens": 64,
            "gen_ai.usage.output_tokens": 88,
            "gen_ai.usage.reasoning_tokens": 32,
        },
        {
            "llm.token_count.prompt": 1200,
            "llm.token_count.prompt_details.cache_read": 1024,
            "llm.token_count.prompt_details.cache_write": 64,
            "llm.token_count.completion": 88,
            "llm.token_count.completion_details.reasoning": 32,
            "llm.token_count.total": 1288,
        },
    ],
)
def test_every_convention_gives_the_same_counters(usage: dict[str, int]) -> None:
    [found] = calls(span(CHAT | usage))
    assert (found.in_uncached, found.in_cache_read, found.in_cache_write_5m) == (112, 1024, 64)
    assert (found.out_visible, found.out_reasoning, found.usage_quality) == (56, 32, "exact")
    assert json.loads(found.usage_raw or "") == usage


def test_newer_name_counts_where_a_span_has_both() -> None:
    both: dict[str, Any] = {"gen_ai.usage.prompt_tokens": 1, "gen_ai.usage.input_tokens": 2}
    both |= {"gen_ai.system": "az.ai.openai", "gen_ai.provider.name": "openai"}
    [found] = calls(span({"gen_ai.operation.name": "chat"} | both))
    assert (found.in_uncached, found.provider) == (2, "openai")


def test_zero_and_missing_are_different() -> None:
    zero, missing = calls(span(CHAT | {"gen_ai.usage.output_tokens": 0}), span(CHAT, 2))
    assert (zero.out_visible, zero.in_uncached, zero.usage_quality) == (0, None, "exact")
    assert (missing.out_visible, missing.usage_quality) == (None, "missing")


def test_integers_as_text_and_as_numbers_are_the_same() -> None:
    texts = span(CHAT | {"gen_ai.usage.input_tokens": 5})
    numbers = json.loads(json.dumps(texts).replace('"5"', "5").replace(f'"{START}"', f"{START}"))
    assert records(texts) == records(numbers)


@pytest.mark.parametrize("name", ["invoke_agent", "execute_tool", "create_agent", "CHAIN", "AGENT"])
def test_agents_and_tools_that_repeat_totals_are_no_calls(name: str) -> None:
    attributes = {"gen_ai.provider.name": "openai", "gen_ai.usage.output_tokens": 88}
    for key in ("gen_ai.operation.name", "openinference.span.kind"):
        assert calls(span(attributes | {key: name})) == []


def test_retries_embedding_and_retrieval_share_the_request_of_the_trace() -> None:
    failed = span(CHAT | {"error.type": "timeout"}, 1, status={"code": 2})
    again, next_one = span(CHAT, 2), span(CHAT, 3)
    embedding = span(CHAT | {"gen_ai.operation.name": "embeddings"}, 4, parentSpanId="f" * 16)
    store = span({"db.system": "qdrant"}, 5)
    found = records(failed, again, next_one, embedding, store)
    asked = [r for r in found if isinstance(r, GatewayCall)]
    touched = [r for r in found if isinstance(r, SurfaceAccess)]
    assert {c.request_id for c in asked} == {t.request_id for t in touched} == {asked[0].request_id}
    assert [c.attempt for c in asked] == [1, 2, None, None]
    assert [t.surface for t in touched] == ["query_embedding", "vector_store"]
    assert len({c.call_id for c in asked}) == 4


def test_attribute_of_the_operator_names_request_tenant_and_pipeline() -> None:
    settings = {
        "request_attribute": "app.request",
        "tenant_attribute": "team",
        "pipeline_attribute": "app.pipeline",
        "pipelines": {"p": "support"},
    }
    [found] = calls(span(CHAT | {"app.request": "r", "team": "t", "app.pipeline": "p"}), **settings)
    assert (found.request_id, found.tenant, found.pipeline) == ("r", "t", "support")


@pytest.mark.parametrize(
    ("error", "status", "ended_by"),
    [
        ("asyncio.CancelledError", "cancelled", None),
        ("AbortError", "cancelled", None),
        ("499", "cancelled", None),
        ("openai.APITimeoutError", "error", "timeout"),
        ("504", "error", "timeout"),
        ("RateLimitError", "error", "upstream_error"),
    ],
)
def test_error_type_says_how_a_call_ended(error: str, status: str, ended_by: str | None) -> None:
    tokens = {"gen_ai.usage.input_tokens": 9}
    [found] = calls(span(CHAT | tokens | {"error.type": error}, status={"code": 2}))
    assert (found.status, found.ended_by, found.usage_quality) == (status, ended_by, "estimated")


@pytest.mark.parametrize(
    ("address", "host", "strength", "observed"),
    [
        ("https://eu.api.openai.com/v1", "eu.api.openai.com", "R2", "eu"),
        ("aiplatform.googleapis.com", "aiplatform.googleapis.com", "R0", None),
    ],
)
def test_address_that_was_asked_is_evidence_of_the_place(
    address: str, host: str, strength: str, observed: str | None
) -> None:
    found = records(span(CHAT | {"server.address": address}))
    [place] = [r for r in found if isinstance(r, InferenceLocation)]
    [call] = [r for r in found if isinstance(r, GatewayCall)]
    assert (place.strength, place.call_id) == (strength, call.call_id)
    assert (call.endpoint_host, call.region_observed) == (host, observed)


def test_region_of_the_client_is_not_the_models() -> None:
    page = body(span(CHAT), resource={"cloud.region": "eu-central-1", "service.name": "bot"})
    kinds = [type(r) for r in Otlp().parse(page)]
    assert kinds == [Span, GatewayCall]


def test_words_and_people_are_withheld_and_facts_stay() -> None:
    attributes = {
        "gen_ai.input.messages": [{"role": "user", "content": "my secret"}],
        "gen_ai.prompt.0.content": "my secret",
        "gen_ai.prompt.name": "greeting",
        "user.email": "ada@example.org",
        "user_agent.original": "curl",
        "acme.note.text": "my secret",
        "gen_ai.request.model": "gpt-5.4",
    }
    found = records(span(attributes), withhold=("acme.note",))[0]
    assert isinstance(found, Span)
    shown = json.loads(found.attributes or "")
    assert "secret" not in (found.attributes or "")
    assert "ada" not in (found.attributes or "")
    assert list(shown) == list(attributes)
    assert shown["gen_ai.prompt.name"] == "greeting"
    assert shown["user_agent.original"] == "curl"
    assert shown["gen_ai.prompt.0.content"] == "withheld: 9 characters"


@pytest.mark.parametrize(
    ("attributes", "events"),
    [
        (
            {
                "gen_ai.input.messages": [
                    {"role": "user", "parts": [{"type": "text", "content": "Q"}]}
                ],
                "gen_ai.output.messages": json.dumps(
                    [{"role": "assistant", "parts": [{"type": "text", "content": "A"}]}]
                ),
            },
            [],
        ),
        ({"gen_ai.prompt": '[{"role":"user","content":"Q"}]', "gen_ai.completion": "A"}, []),
        (
            {
                "llm.input_messages.1.message.role": "user",
                "llm.input_messages.1.message.content": "Q",
                "llm.input_messages.0.message.role": "system",
                "llm.input_messages.0.message.content": "S",
                "llm.output_messages.0.message.contents.0.message_content.type": "text",
                "llm.output_messages.0.message.contents.0.message_content.text": "A",
            },
            [],
        ),
        (
            {},
            [
                {"name": "gen_ai.user.message", "attributes": pairs({"content": "Q"})},
                {"name": "gen_ai.choice", "attributes": pairs({"message": {"content": "A"}})},
            ],
        ),
        (
            {},
            [
                {
                    "name": "gen_ai.client.inference.operation.details",
                    "attributes": pairs(
                        {
                            "gen_ai.input.messages": [{"role": "user", "content": "Q"}],
                            "gen_ai.output.messages": [{"role": "assistant", "content": "A"}],
                        }
                    ),
                }
            ],
        ),
    ],
)
def test_texts_are_found_however_they_were_recorded(
    attributes: dict[str, Any], events: list[dict[str, Any]]
) -> None:
    found = records(span(CHAT | attributes, events=events))
    assert [(r.role, r.text) for r in found if isinstance(r, CallText)] == [
        ("prompt", "Q"),
        ("output", "A"),
    ]


def test_reasoning_is_not_what_was_answered() -> None:
    parts = [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "A"}]
    messages = {"gen_ai.output.messages": [{"role": "assistant", "parts": parts}]}
    [text] = [r for r in records(span(CHAT | messages)) if isinstance(r, CallText)]
    assert text.text == "A"


def test_spans_alone_can_be_asked_for() -> None:
    assert {type(r) for r in records(span(CHAT), records=("span",))} == {Span}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"traceId": "W47/95gDgQPSabYzgT/GDA=="}, "hexadecimal"),
        ({"spanId": ""}, "hexadecimal"),
        ({"startTimeUnixNano": "0"}, "not finished"),
        ({"endTimeUnixNano": None}, "not finished"),
        ({"startTimeUnixNano": str(2**64)}, "64 bits"),
        ({"attributes": {"a": 1}}, "list"),
        ({"attributes": [{"key": "a", "value": {"intValue": "1.5"}}]}, "whole number"),
        ({"links": [{"traceId": "x"}]}, "hexadecimal"),
        ({"events": "none"}, "list"),
    ],
)
def test_span_that_is_none_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=rf"row 2.*{said}") as caught:
        records(span({}), span({}, 2) | change)
    assert caught.value.fault is Fault.MALFORMED


def test_values_that_nest_without_end_are_refused() -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(100):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(SourceError, match="deeper"):
        records(span({}) | {"attributes": [{"key": "a", "value": value}]})
