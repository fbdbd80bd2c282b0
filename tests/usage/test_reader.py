"""Replies that are cut, silent, running, binary or wrong."""

import base64
import json
import struct
import zlib
from typing import Any

import pytest

from countersign import usage
from countersign.errors import ConfigError, EvidenceError, Fault, SourceError
from countersign.usage import Counters


def sse(*events: dict[str, Any] | str) -> bytes:
    lines = [e if isinstance(e, str) else f"data: {json.dumps(e)}" for e in events]
    return ("\n\n".join(lines) + "\n\n").encode()


CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "model": "gpt-5.4",
    "choices": [{"delta": {"content": "Hi"}}],
    "usage": None,
}
STARTED = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "model": "claude-sonnet-5",
        "usage": {
            "input_tokens": 43,
            "cache_read_input_tokens": 7,
            "cache_creation_input_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
            "output_tokens": 4,
            "inference_geo": "us",
        },
    },
}


def delta(output: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {}, "usage": {"output_tokens": output}}


def test_chat_stream_has_its_usage_in_the_last_chunk() -> None:
    last = {**CHUNK, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    found = usage.read("openai", sse(CHUNK, last, "data: [DONE]"))
    assert found.counters == Counters(in_uncached=9, out_visible=2)
    assert (found.quality, found.wire) == ("exact", "openai-chat")
    assert (found.model, found.response_id) == ("gpt-5.4", "chatcmpl-1")
    assert found.identity_holds is None


def test_chat_stream_that_was_not_asked_for_usage_is_missing() -> None:
    found = usage.read("auto", sse(CHUNK, CHUNK, "data: [DONE]"))
    assert (found.counters, found.raw, found.quality) == (Counters(), None, "missing")
    assert "asked for" in found.reason
    assert found.response_id == "chatcmpl-1"


def test_chat_stream_cut_inside_a_line_is_read_up_to_it() -> None:
    body = sse(CHUNK) + b'data: {"id":"chatcmpl-1","usa'
    assert usage.read("openai", body).quality == "missing"


def test_groq_keeps_usage_in_its_own_place() -> None:
    last = {**CHUNK, "x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 1}}}
    assert usage.read("groq", sse(CHUNK, last)).counters.total == 4


def test_anthropic_delta_replaces_and_is_never_added() -> None:
    found = usage.read("anthropic", sse("event: x", STARTED, delta(20), delta(88)))
    assert found.counters == Counters(
        in_uncached=43, in_cache_read=7, in_cache_write_5m=2, in_cache_write_1h=3, out_visible=88
    )
    assert (found.quality, found.identity_holds) == ("exact", True)
    assert found.raw is not None
    assert json.loads(found.raw)["inference_geo"] == "us"


def test_cut_anthropic_stream_knows_its_input_and_not_its_output() -> None:
    found = usage.read("anthropic", sse(STARTED))
    assert (found.counters.input_total, found.counters.out_visible) == (55, None)
    assert found.quality == "missing"
    assert "the input is known" in found.reason
    assert found.model == "claude-sonnet-5"


def test_anthropic_lifetimes_that_do_not_add_up_are_named() -> None:
    found = usage.reading(
        "anthropic",
        {"cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_5m_input_tokens": 2}},
    )
    assert (found.identity_holds, found.unaccounted) == (False, 7)


def gemini(shown: int, total: int, **fields: Any) -> dict[str, Any]:
    figures = {"promptTokenCount": 6, "candidatesTokenCount": shown, "totalTokenCount": total}
    return {"modelVersion": "gemini-3.5-flash", "usageMetadata": figures | fields}


def test_gemini_running_values_are_not_summed() -> None:
    ended = gemini(5, 46, thoughtsTokenCount=35) | {"candidates": [{"finishReason": "STOP"}]}
    found = usage.read("gemini", sse(gemini(1, 7), gemini(3, 9), ended))
    assert found.counters == Counters(in_uncached=6, out_visible=5, out_reasoning=35)
    assert (found.quality, found.identity_holds) == ("exact", True)


def test_gemini_stream_as_a_json_array_is_read_too() -> None:
    ended = gemini(5, 11) | {"candidates": [{"finishReason": "STOP"}]}
    assert usage.read("vertex", json.dumps([gemini(1, 7), ended]).encode()).counters.total == 11


def test_gemini_stream_without_an_end_is_an_estimate() -> None:
    found = usage.read("gemini", sse(gemini(1, 7), gemini(3, 9)))
    assert (found.quality, found.counters.out_visible) == ("estimated", 3)


def test_gemini_behind_the_openai_interface_hides_its_thoughts() -> None:
    reply = {
        "object": "chat.completion",
        "usage": {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
    }
    found = usage.read("gemini", json.dumps(reply).encode())
    assert (found.identity_holds, found.unaccounted, found.quality) == (False, 62, "estimated")
    assert "62 tokens are in no field" in found.reason


def test_reasoning_above_completion_is_cut_to_it() -> None:
    found = usage.reading(
        "openai-chat",
        {
            "prompt_tokens": 43,
            "completion_tokens": 10,
            "total_tokens": 53,
            "completion_tokens_details": {"reasoning_tokens": 11},
        },
    )
    assert (found.counters.out_visible, found.counters.out_reasoning) == (0, 10)
    assert (found.identity_holds, found.unaccounted) == (False, 0)
    assert "exceeds its whole" in found.reason


def message(kind: str, payload: dict[str, Any]) -> bytes:
    """One message of Amazon's event stream, written out by hand."""
    headers = b"".join(
        bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in ((b":event-type", kind.encode()), (b":message-type", b"event"))
    )
    headers += bytes([4]) + b"flag" + b"\x00" + bytes([4]) + b"when" + b"\x08" + bytes(8)
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", len(headers) + len(body) + 16, len(headers))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return whole + struct.pack(">I", zlib.crc32(whole))


FIGURES = {"inputTokens": 3, "outputTokens": 227, "totalTokens": 1942}
CACHED = {
    "cacheReadInputTokens": 0,
    "cacheReadInputTokenCount": 0,
    "cacheWriteInputTokens": 1712,
    "cacheWriteInputTokenCount": 1712,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 712}, {"ttl": "5m", "inputTokens": 1000}],
}
STREAM = (
    message("messageStart", {"role": "assistant"})
    + message("contentBlockDelta", {"delta": {"text": "Hi"}, "p": "abcd"})
    + message("metadata", {"usage": FIGURES | CACHED})
)


def test_bedrock_binary_stream_ends_with_its_usage() -> None:
    found = usage.read("bedrock", STREAM)
    assert found.counters == Counters(
        in_uncached=3,
        in_cache_read=0,
        in_cache_write_5m=1000,
        in_cache_write_1h=712,
        out_visible=227,
    )
    assert (found.quality, found.identity_holds) == ("exact", True)


def test_cut_bedrock_stream_has_no_usage() -> None:
    assert usage.read("bedrock", STREAM[:-10]).quality == "missing"


def test_flipped_bit_in_a_bedrock_stream_is_refused() -> None:
    for at in range(16, len(STREAM), 7):
        broken = bytearray(STREAM)
        broken[at] ^= 1
        with pytest.raises(SourceError) as caught:
            usage.read("bedrock", bytes(broken))
        assert caught.value.fault is Fault.MALFORMED


def test_models_own_events_inside_a_bedrock_stream_are_unpacked() -> None:
    chunks = [
        message("chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()})
        for event in (STARTED, delta(88))
    ]
    found = usage.read("bedrock", b"".join(chunks))
    assert (found.wire, found.counters.out_visible) == ("anthropic", 88)


def test_bedrock_invocation_log_counts_the_cache_beside_the_input() -> None:
    record = {
        "schemaType": "ModelInvocationLog",
        "requestId": "6f",
        "modelId": "eu.anthropic.claude-sonnet-5-v1:0",
        "input": {"inputTokenCount": 3, "cacheReadInputTokenCount": 24_479},
        "output": {"outputTokenCount": 240},
    }
    found = usage.read("bedrock", json.dumps(record).encode())
    assert found.counters == Counters(in_uncached=3, in_cache_read=24_479, out_visible=240)
    assert (found.wire, found.response_id) == ("bedrock-log", "6f")


def test_responses_stream_ends_with_its_usage() -> None:
    figures = {
        "input_tokens": 1000,
        "input_tokens_details": {
            "cached_tokens": 400,
            "cache_write_tokens": 100,
            "cache_write_tokens_details": {"ttl_30m_tokens": 60, "ttl_12h_tokens": 40},
        },
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 1050,
    }
    ended = {"type": "response.incomplete", "response": {"id": "resp_1", "usage": figures}}
    found = usage.read("openai", sse({"type": "response.created", "response": {}}, ended))
    assert found.counters == Counters(
        in_uncached=500,
        in_cache_read=400,
        in_cache_write_30m=60,
        in_cache_write_12h=40,
        out_visible=20,
        out_reasoning=30,
    )
    assert (found.wire, found.identity_holds) == ("openai-responses", True)


@pytest.mark.parametrize(
    ("wire", "block", "expected"),
    [
        (
            "litellm",
            {
                "prompt_tokens": 5208,
                "completion_tokens": 88,
                "total_tokens": 5296,
                "cache_read_input_tokens": 4096,
                "cache_creation_input_tokens": 88,
            },
            Counters(in_uncached=1024, in_cache_read=4096, in_cache_write_5m=88, out_visible=88),
        ),
        (
            "openai-usage-api",
            {
                "input_tokens": 1000,
                "input_cached_tokens": 400,
                "input_cache_write_tokens": 100,
                "input_uncached_tokens": 500,
                "output_tokens": 10,
            },
            Counters(in_uncached=500, in_cache_read=400, in_cache_write_30m=100, out_visible=10),
        ),
        (
            "otel",
            {
                "gen_ai.usage.input_tokens": 5120,
                "gen_ai.usage.cache_read.input_tokens": 4096,
                "gen_ai.usage.output_tokens": 88,
                "gen_ai.usage.reasoning.output_tokens": 8,
            },
            Counters(in_uncached=1024, in_cache_read=4096, out_visible=80, out_reasoning=8),
        ),
        (
            "openai-chat",
            {"prompt_tokens": 77, "num_cached_tokens": 76, "completion_tokens": 12},
            Counters(in_uncached=1, in_cache_read=76, out_visible=12),
        ),
    ],
)
def test_block_of_a_wire(wire: str, block: dict[str, Any], expected: Counters) -> None:
    assert usage.counters(wire, block) == expected


@pytest.mark.parametrize("wire", usage.WIRES)
def test_absent_figures_stay_unknown_and_are_not_zero(wire: str) -> None:
    assert usage.counters(wire, {}).is_empty


def test_usage_report_that_contradicts_itself_is_named() -> None:
    found = usage.reading(
        "openai-usage-api",
        {"input_tokens": 1000, "input_cached_tokens": 400, "input_uncached_tokens": 500},
    )
    assert (found.identity_holds, found.unaccounted) == (False, 100)


def test_negative_figures_are_passed_on() -> None:
    found = usage.counters("litellm", {"prompt_tokens": -5, "completion_tokens": -1})
    assert (found.in_uncached, found.out_visible) == (-5, -1)


@pytest.mark.parametrize("figure", [10**30, 1.5, float("inf")])
def test_figure_that_is_no_count_is_refused(figure: float) -> None:
    with pytest.raises(EvidenceError, match="prompt_tokens"):
        usage.counters("litellm", {"prompt_tokens": figure})


@pytest.mark.parametrize(
    "body", [b"<html>502</html>", b'{"usage": {', b"data: {broken\n\ndata: {}\n", b"\xff\xfe\x00"]
)
def test_body_that_is_no_reply_is_malformed(body: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        usage.read("openai", body)
    assert caught.value.fault is Fault.MALFORMED


def test_error_body_is_refused_with_its_message() -> None:
    with pytest.raises(SourceError, match="Overloaded") as caught:
        usage.read("anthropic", b'{"type":"error","error":{"message":"Overloaded"}}')
    assert caught.value.fault is Fault.REFUSED


def test_reply_of_another_provider_is_a_wrong_call() -> None:
    with pytest.raises(ConfigError, match="the shape of anthropic"):
        usage.read("openai", sse(STARTED))
    with pytest.raises(ConfigError, match="expected auto or openai"):
        usage.read("nobody", b"{}")
    with pytest.raises(ConfigError, match="no wire has"):
        usage.read("auto", b"{}")
    with pytest.raises(ConfigError, match="usage wire"):
        usage.reading("telegraph", {})
