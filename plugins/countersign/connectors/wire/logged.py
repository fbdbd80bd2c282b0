"""What access logs of gateways have in common: lines with ids, paths, endings, upstream hosts."""

import json
import re
from dataclasses import dataclass
from typing import Final, Literal

from countersign.canonical import digest
from countersign.connectors.wire.value import Row, UnreadableError, verbatim
from countersign.usage import Counters, Reading

_OPERATIONS: Final = {
    "chat/completions": "chat",
    "messages": "chat",
    "responses": "chat",
    "converse": "chat",
    "converse-stream": "chat",
    "invoke": "chat",
    "invoke-with-response-stream": "chat",
    "embeddings": "embeddings",
    "generatecontent": "generate_content",
    "streamgeneratecontent": "generate_content",
    "completions": "text_completion",
}
"""Last words of a path as OpenTelemetry GenAI operation names; the longest that fits counts."""
_TIMED_OUT: Final = frozenset({408, 504, 524})
_CLIENT_CLOSED: Final = 499
_A_YEAR_US: Final = 366 * 86_400 * 1_000_000
_WORDS: Final = re.compile(r"[/:]")

Status = Literal["ok", "error", "cancelled"]
Quality = Literal["exact", "estimated", "missing"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, in the words of the record."""

    status: Status | None
    ended_by: str | None = None
    boundary: str | None = None


CLIENT_LEFT: Final = Ending("cancelled", "client_disconnect", "proxy")
"""The gateway saw its client go: it is the gateway that cancelled upstream, if anyone did."""


def by_status(http_status: int | None) -> Ending:
    """What an HTTP status says: 499 is a client that left, 0 and none say nothing."""
    if not http_status:
        return Ending(None)
    if http_status == _CLIENT_CLOSED:
        return CLIENT_LEFT
    if http_status < 400:
        return Ending("ok", "completed")
    return Ending("error", "timeout" if http_status in _TIMED_OUT else "upstream_error")


def after(started_us: int, lasted_us: int) -> int | None:
    """The moment so long after the start; a negative time is what gateways write for none."""
    if lasted_us > _A_YEAR_US:
        raise UnreadableError(f"a duration was expected, not {lasted_us} microseconds")
    return None if lasted_us < 0 else started_us + lasted_us


def operation(path: str | None) -> str | None:
    """`chat` for `/v1/chat/completions?beta=true`; None where the path is no known one."""
    words = _WORDS.split((path or "").partition("?")[0].strip("/").lower())
    return _OPERATIONS.get("/".join(words[-2:])) or _OPERATIONS.get(words[-1])


def line_id(line: Row) -> str:
    """An id for a line that carries none: its digest, so that the same line is the same call."""
    return "line-" + digest(json.dumps(line, sort_keys=True, default=str).encode())[:32]


def quality(reading: Reading, status: Status | None) -> tuple[Counters, Quality]:
    """Counters with their worth; zeros of an attempt that did not end well are no figures."""
    counters = reading.counters
    if counters.is_empty or (status != "ok" and not counters.total):
        return Counters(), "missing"
    if status != "ok" or reading.unaccounted or reading.identity_holds is False:
        return counters, "estimated"
    return counters, "exact"


def raw(block: Row) -> str | None:
    """The usage block as JSON text; None where there is none."""
    return verbatim(block) if block else None
