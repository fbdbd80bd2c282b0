"""A reply as a list of JSON events: one document, a stream of chunks, or a binary stream."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from countersign.errors import Fault, SourceError
from countersign.usage.eventstream import is_event_stream, messages
from countersign.usage.tokens import Block


@dataclass(frozen=True, slots=True)
class Reply:
    """Where a reply keeps its usage. `is_complete` is false when the stream was cut before it."""

    block: Block | None
    model: str | None
    response_id: str | None
    is_complete: bool


def first(events: Iterable[Block], name: str) -> str | None:
    """The first non-empty text of that name; chunks repeat their id and model."""
    return next((v for e in events if isinstance(v := e.get(name), str) and v), None)


def events(provider: str, body: bytes) -> Sequence[Block]:
    """Every JSON object of a reply, in order: of a body, of SSE `data:` lines, of a binary stream.

    A stream that ends inside a line was cut there: the rest of the line is left out, as a client
    would. Anything else that is no JSON is refused.

    Raises:
        SourceError: the body is none of these.
    """
    if is_event_stream(body):
        return [_unwrapped(provider, kind, payload) for kind, payload in messages(provider, body)]
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(provider, str(error)) from None
    if text.lstrip()[:1] in ("{", "["):
        return _document(provider, text)
    return list(_server_sent(provider, text))


def _document(provider: str, text: str) -> list[Block]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(provider, str(error)) from None
    found = document if isinstance(document, list) else [document]
    return [event for event in found if isinstance(event, Mapping)]


def _server_sent(provider: str, text: str) -> Iterator[Block]:
    lines = text.splitlines()
    seen = False
    for position, line in enumerate(lines):
        field, _, value = line.partition(":")
        seen = seen or field in ("data", "event", "id", "retry")
        if field != "data" or value.strip() in ("", "[DONE]"):
            continue
        try:
            event = json.loads(value)
        except (ValueError, RecursionError) as error:
            if position == len(lines) - 1:
                return
            raise _unreadable(provider, f"line {position + 1}: {error}") from None
        if isinstance(event, dict):
            yield event
    if not seen and text.strip():
        raise _unreadable(provider, f"text that begins with {text.strip()[:40]!r}")


def _unwrapped(provider: str, kind: str, payload: dict[str, Any]) -> Block:
    """InvokeModelWithResponseStream hides the model's own events in base64 chunks."""
    if kind == "chunk" and isinstance(payload.get("bytes"), str):
        try:
            inner = json.loads(base64.b64decode(payload["bytes"]))
        except (ValueError, RecursionError) as error:
            raise _unreadable(provider, f"a chunk that is no JSON: {error}") from None
        return inner if isinstance(inner, dict) else {}
    return {kind: payload}


def _unreadable(provider: str, observed: str) -> SourceError:
    return SourceError(
        provider,
        Fault.MALFORMED,
        page="reply",
        expected="a JSON body, server-sent events, or an Amazon event stream",
        observed=observed,
        remedy="Pass the response body exactly as it came, without headers.",
    )
