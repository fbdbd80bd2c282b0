"""What a meter may say: a posted document becomes a delivery row, or is refused with a reason.

Only the fields of a row get through, so no text does, whatever is posted.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from countersign.meters.row import ENDINGS, stamp

OLDEST: Final = timedelta(days=1)
"""A row is filed under the day it came; a collector of a day reads a day further."""
AHEAD: Final = timedelta(minutes=10)
_LONGEST_NAME: Final = 256
_MOST: Final = 10**9


class RefusedError(Exception):
    """A request that is not taken: HTTP status, what is wrong, with which field."""

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param


@dataclass(frozen=True, slots=True)
class Author:
    """Who posts. A browser cannot keep a secret: its key only says whose page it is."""

    tenant: str | None = None
    is_trusted: bool = False


def rows(body: bytes, author: Author, now: datetime) -> Iterator[tuple[dict[str, object], bool]]:
    """Yield every row of a body (one document, or JSON Lines), and whether it is provisional.

    Raises:
        RefusedError: the body, or a field of a row, is not what it must be.
    """
    lines = body.splitlines() if author.is_trusted else [body]
    for line in lines:
        if line.strip() or len(lines) == 1:
            document = _document(line)
            yield _row(document, author, now), document.get("provisional") is True


def _document(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "the body is no JSON object")
    return found


def _row(said: Mapping[str, object], author: Author, now: datetime) -> dict[str, object]:
    started = _time(said, "started_at")
    ended_at = _time(said, "ended_at")
    if not now - OLDEST <= started <= now + AHEAD:
        _refuse("started_at", f"is not within a day of {stamp(now)}: look at the client's clock")
    if not started <= ended_at <= now + AHEAD:
        _refuse("ended_at", "is before started_at, or ahead of the clock")
    if said.get("ended") not in ENDINGS:
        _refuse("ended", f"is none of {', '.join(ENDINGS)}")
    return {
        "request_id": _name(said, "request_id", is_needed=True),
        "response_id": _name(said, "response_id"),
        "meter": _meter(said, author),
        "tenant": _tenant(said, author),
        "started_at": stamp(started),
        "ended_at": stamp(ended_at),
        "ended": said["ended"],
        "rendered_characters": _number(said, "rendered_characters"),
        "rendered_tokens": _number(said, "rendered_tokens"),
        "tokenizer": _name(said, "tokenizer"),
        "served_by": _served_by(said),
    }


def _meter(said: Mapping[str, object], author: Author) -> str:
    meter = _name(said, "meter", is_needed=True)
    if meter != "browser" and not author.is_trusted:
        raise RefusedError(403, "a public key speaks for browsers only", "meter")
    return str(meter)


def _tenant(said: Mapping[str, object], author: Author) -> str | None:
    tenant = _name(said, "tenant")
    if author.tenant is not None and tenant not in (None, author.tenant):
        raise RefusedError(403, "the key is another tenant's", "tenant")
    return author.tenant or tenant


def _served_by(said: Mapping[str, object]) -> dict[str, str | None] | None:
    value = said.get("served_by")
    if value is None:
        return None
    if not isinstance(value, dict):
        _refuse("served_by", "is no object")
    return {"region": _name(value, "region"), "header": _name(value, "header")}


def _name(said: Mapping[str, object], field: str, *, is_needed: bool = False) -> str | None:
    value = said.get(field)
    if value is None and not is_needed:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME or not value.isprintable():
        _refuse(field, f"must be 1 to {_LONGEST_NAME} printable characters")
    return value


def _number(said: Mapping[str, object], field: str) -> int | None:
    value = said.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        _refuse(field, "must be a whole number, 0 or more")
    return value


def _time(said: Mapping[str, object], field: str) -> datetime:
    found = instant(said.get(field))
    if found is None:
        _refuse(field, "must be a time with a zone, like 2026-11-09T10:00:00.123Z")
    return found


def instant(value: object) -> datetime | None:
    """The moment that a text with a zone names, in UTC; None when it names none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _refuse(field: str, reason: str) -> NoReturn:
    raise RefusedError(422, f"{field} {reason}", field)
