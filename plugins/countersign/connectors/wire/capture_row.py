"""A reply that was recorded as its usage block and the text that was rendered, without its bytes.

One JSON object a line: `wire`, `host`, `path`, `usage`, `rendered_text`, `finish`,
`terminal_event`, `response_id` ... as replay tests and evaluation harnesses keep them.
"""

from collections.abc import Mapping
from typing import Final

from countersign import usage
from countersign.connectors.wire.answer import Answer
from countersign.connectors.wire.capture import Exchange
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    count,
    exact,
    flag,
    inner,
    needed,
    optional_instant,
    text,
)
from countersign.usage import Counters, Usage

_WIRES: Final[Mapping[str, str]] = {"oai_chat": "openai-chat", "oai_resp": "openai-responses"}


def is_row(fields: Row) -> bool:
    """Whether a line is such a row, not an exchange."""
    return "wire" in fields and "usage" in fields


def read(fields: Row) -> tuple[Exchange, Answer]:
    """What such a row says of the exchange and of the answer."""
    model = text(fields.get("request_model"))
    asked = {"model": model, "stream": flag(fields.get("stream"))}
    headers = {name: said for name, v in inner(fields, "headers").items() if (said := text(v))}
    exchange = Exchange(
        method="POST",
        url=f"https://{needed(fields, 'host')}{needed(fields, 'path')}",
        sent=exact([fields.get("source"), fields.get("interaction")]).encode(),
        asked={name: value for name, value in asked.items() if value is not None},
        headers=headers,
        status=count(fields.get("status")),
        started_at=optional_instant(fields.get("started_at")),
        provider=text(fields.get("provider")),
    )
    return exchange, _answer(fields)


def _answer(fields: Row) -> Answer:
    block, failed = inner(fields, "usage"), fields.get("error")
    return Answer(
        usage=_usage(fields, block),
        text=text(fields.get("rendered_text")),
        finish_reason=text(fields.get("finish")),
        service_tier=text(fields.get("service_tier")),
        geo=text(block.get("inference_geo")),
        error=(text(failed.get("type")) or "error") if isinstance(failed, dict) else text(failed),
        has_ended=not _is_cut(fields),
    )


def _usage(fields: Row, block: Row) -> Usage:
    said = needed(fields, "wire")
    wire = _WIRES.get(said, said)
    if wire not in usage.WIRES:
        raise UnreadableError(f"no wire is called {wire[:40]!r}")
    model, response_id = text(fields.get("model")), text(fields.get("response_id"))
    reading = usage.reading(wire, block)
    if reading.counters.is_empty:
        return Usage(Counters(), None, "missing", wire, model, response_id, None, 0, reading.reason)
    return Usage(
        counters=reading.counters,
        raw=exact(block),
        quality="estimated" if reading.unaccounted or _is_cut(fields) else "exact",
        wire=wire,
        model=model,
        response_id=response_id,
        identity_holds=reading.identity_holds,
        unaccounted=reading.unaccounted,
        reason=reading.reason,
    )


def _is_cut(fields: Row) -> bool:
    """A stream without its closing event; a body that came whole has none to lack."""
    ended = fields.get("terminal_event") is True or text(fields.get("finish")) is not None
    return flag(fields.get("stream")) is True and not ended
