"""One recorded reply, whole or streamed: what it cost, what it said, and how it ended."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from countersign import usage
from countersign.connectors.wire.answer_text import finish_reason, written
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, UnreadableError, inner, optional_instant, text
from countersign.errors import ConfigError, SourceError
from countersign.usage import Usage
from countersign.usage.reply import events
from countersign.usage.tokens import Block

_TERMINAL: Final = ("message_stop", "response.completed", "response.incomplete", "message-end")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a body tells. `usage` is None where the body has the shape of no wire.

    `text` is what a client could show, None where there is none. `has_ended` is false for a
    stream that was cut before its closing event.
    """

    usage: Usage | None = None
    text: str | None = None
    finish_reason: str | None = None
    service_tier: str | None = None
    geo: str | None = None
    created_at: int | None = None
    error: str | None = None
    has_ended: bool = False


_UNREAD: Final = Answer()


def answer(body: bytes) -> Answer:
    """Read a reply's body: JSON, server-sent events, or Amazon's binary event stream. Pure.

    A body that is none of these, or no reply at all, gives an answer that knows nothing.

    Raises:
        EvidenceError: a usage figure is no plausible count.
    """
    try:
        said = plain(Page("reply", body)).body  # some recorders keep what was packed for the wire
        chunks = events("reply", said)
    except SourceError:
        return _UNREAD
    known = _usage(said)
    inside = [part for chunk in chunks for part in _layers(chunk)]
    wire = known.wire if known else ""
    block = json.loads(known.raw) if known and known.raw else {}
    reason = finish_reason(chunks)
    return Answer(
        usage=known,
        text=written(wire, chunks) if known else None,
        finish_reason=reason,
        service_tier=_tier([*inside, block]),
        geo=_first([block, *inside], "inference_geo"),
        created_at=_created(inside),
        error=_error(chunks),
        has_ended=reason is not None or any(e.get("type") in _TERMINAL for e in chunks),
    )


def _usage(body: bytes) -> Usage | None:
    try:
        return usage.read("auto", body)
    except (ConfigError, SourceError):
        return None


def _layers(chunk: Block) -> Sequence[Row]:
    """A chunk and what it wraps: a stream's first or last event holds the whole object."""
    outer = dict(chunk)
    wrapped = [inner(outer, name) for name in ("message", "response", "metadata")]
    return [outer, *wrapped, *(inner(layer, "usage") for layer in (outer, *wrapped))]


def _first(layers: Sequence[Row], name: str) -> str | None:
    return next((said for layer in layers if (said := text(layer.get(name)))), None)


def _tier(layers: Sequence[Row]) -> str | None:
    plain = _first(layers, "service_tier")
    return plain or _first([inner(layer, "serviceTier") for layer in layers], "type")


def _created(layers: Sequence[Row]) -> int | None:
    said = next((v for layer in layers for n in _CREATED if (v := layer.get(n))), None)
    try:
        return optional_instant(said)
    except UnreadableError:
        return None


_CREATED: Final = ("created", "created_at", "createTime")


def _error(chunks: Sequence[Block]) -> str | None:
    """What an error in the body is called: a stream that began well may still end in one."""
    for chunk in chunks:
        said = chunk.get("error")
        if isinstance(said, dict):
            named = next((v for n in ("type", "code", "status") if (v := text(said.get(n)))), None)
            return named or "error"
        if said:
            return text(said) or "error"
        if chunk.get("type") == "error":
            return "error"
    return next((k for chunk in chunks for k in chunk if k.endswith("Exception")), None)
