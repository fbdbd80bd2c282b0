"""What of an answer is text before a reader, in the shapes that a gateway streams."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from countersign.meters.chunk import Reader


def told(*pieces: object) -> tuple[str, str | None]:
    reader = Reader()
    return "".join(reader.text(piece) for piece in pieces), reader.response_id


def chat(delta: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": delta}], **fields}


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: x\ndata: " + json.dumps(e).encode() + b"\n\n" for e in events)


MESSAGES = (
    {"type": "message_start", "message": {"id": "msg_1", "content": [], "usage": {}}},
    {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hidden"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Grüße, "}},
    {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "🦊"}},
    {"type": "message_stop"},
)


def test_chat_deltas_are_joined_and_named() -> None:
    pieces = (chat({"role": "assistant", "content": ""}), chat({"content": "a"}), chat({}))
    assert told(*pieces, chat({"content": "b"})) == ("ab", "chatcmpl-1")


def test_litellms_objects_are_read_like_dictionaries() -> None:
    delta = SimpleNamespace(content="a", refusal=None)
    piece = SimpleNamespace(id="chatcmpl-1", choices=[SimpleNamespace(delta=delta)])
    assert told(piece) == ("a", "chatcmpl-1")


def test_every_choice_counts() -> None:
    choices = [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]
    assert told({"id": "x", "choices": choices})[0] == "ab"


@pytest.mark.parametrize(
    "delta",
    [
        {"tool_calls": [{"function": {"arguments": "{}"}}]},
        {"reasoning_content": "thinking"},
        {"content": None},
        {"content": [{"type": "image"}]},
    ],
)
def test_what_no_reader_sees_is_not_counted(delta: dict[str, Any]) -> None:
    assert told(chat(delta)) == ("", "chatcmpl-1")


def test_refusal_is_read_by_the_reader() -> None:
    assert told(chat({"refusal": "no"}))[0] == "no"


def test_usage_chunk_shows_nothing() -> None:
    assert told({"id": "chatcmpl-1", "choices": [], "usage": {"completion_tokens": 9}})[0] == ""


def test_plain_completions_have_text_in_the_choice() -> None:
    assert told({"id": "cmpl-1", "choices": [{"text": "a"}]}) == ("a", "cmpl-1")


def test_messages_stream_shows_its_text_deltas() -> None:
    assert told(sse(*MESSAGES)) == ("Grüße, 🦊", "msg_1")


def test_raw_events_may_be_cut_anywhere() -> None:
    whole = sse(*MESSAGES)
    for size in (1, 2, 3, 7, 50):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert told(*pieces) == ("Grüße, 🦊", "msg_1")


def test_responses_stream_shows_output_text_only() -> None:
    events = (
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.reasoning_text.delta", "delta": "hidden"},
        {"type": "response.output_text.delta", "delta": "a", "obfuscation": "xxxx"},
        {"type": "response.function_call_arguments.delta", "delta": "{}"},
        {"type": "response.output_text.done", "text": "a"},
    )
    assert told(sse(*events)) == ("a", "resp_1")
    assert told(*events) == ("a", "resp_1")


@pytest.mark.parametrize(
    "piece",
    [None, 7, [], {}, {"choices": None}, {"choices": [None]}, b"data: {\n\n", b"data: [DONE]\n\n",
     b"data: " + b"[" * 9_999 + b"\n\n", ": ping\n\n"],
)  # fmt: skip
def test_odd_pieces_are_no_text(piece: object) -> None:
    assert told(piece) == ("", None)


def test_endless_event_is_let_go() -> None:
    reader = Reader()
    for _ in range(40):
        assert reader.text(b"x" * 100_000) == ""
    assert len(reader._rest) <= 1_048_576
