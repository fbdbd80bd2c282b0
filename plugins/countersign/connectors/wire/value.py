"""Single values as sources write them: text, counts, times, money."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any, Final

import msgspec

Row = Mapping[str, Any]
"""One decoded row, before it becomes a record."""

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), default=float)
_EXACT_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLION: Final = Decimal(1_000_000)
_EXACT: Final = Context(prec=80, rounding=ROUND_HALF_EVEN)
_SCALE: Final = Decimal("1e-12")
_MONEY_LIMIT: Final = Decimal(10) ** 26
_COUNT_LIMIT: Final = 2**63
_MAGNITUDES: Final = 1_000
"""Powers of ten beyond this are no number of anything, and overflow arithmetic."""


class UnreadableError(ValueError):
    """A value that cannot be what its field says; the page becomes a `SourceError`."""


def row(value: object) -> Row:
    """A JSON object, and nothing else."""
    if isinstance(value, dict):
        return value
    raise UnreadableError(f"an object was expected, not {type(value).__name__}")


def inner(fields: Row, name: str) -> Row:
    """A nested object; absent, null or anything else is an empty one."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def text(value: object) -> str | None:
    """Text as it is, numbers as text; empty is absent. Half of a cut character becomes U+FFFD."""
    if isinstance(value, str):
        return (value if value.isascii() else _whole(value)) or None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    return None


def needed(fields: Row, name: str) -> str:
    """The text of a field that every row must have."""
    value = text(fields.get(name))
    if value is None:
        raise UnreadableError(f"{name} is absent or empty")
    return value


def flag(value: object) -> bool | None:
    """A boolean, also spelt out."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def count(value: object) -> int | None:
    """A whole number, also as text; negative ones pass, admission refuses them."""
    if value is None or value == "":
        return None
    whole = _decimal(value)
    if whole != whole.to_integral_value() or abs(whole) >= _COUNT_LIMIT:
        raise UnreadableError(f"a whole number of 64 bits was expected, not {str(value)[:40]}")
    return int(whole)


def instant(value: object) -> int:
    """Microseconds of an RFC 3339 text, of a date, or of seconds since 1970. No zone is UTC."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise UnreadableError(f"a time was expected, not {value[:40]!r}") from None
        return _since_epoch(moment)
    if isinstance(value, datetime):
        return _since_epoch(value)
    if isinstance(value, date):
        return _since_epoch(datetime(value.year, value.month, value.day, tzinfo=UTC))
    if not isinstance(value, int | float | Decimal):
        raise UnreadableError(f"a time was expected, not {type(value).__name__}")
    seconds = _decimal(value)
    if abs(seconds) > 10**11:
        raise UnreadableError(f"seconds since 1970 were expected, not {str(value)[:40]}")
    return _whole_millionths(seconds)


def optional_instant(value: object) -> int | None:
    """Like `instant`; absent stays absent."""
    return None if value is None or value == "" else instant(value)


def micros(value: object) -> int | None:
    """Micro-units of an amount, rounded half-even."""
    if value is None:
        return None
    whole = _whole_millionths(_bounded(value))
    if abs(whole) >= _COUNT_LIMIT:
        raise UnreadableError(f"an amount was expected, not {str(value)[:40]}")
    return whole


def money(value: object, *, per_unit: int = 1) -> str:
    """A decimal amount in plain notation, at most 12 places; `per_unit` 100 reads cents."""
    amount = _EXACT.divide(_bounded(value), Decimal(per_unit))
    plain = format(amount.quantize(_SCALE, context=_EXACT), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def verbatim(block: Row) -> str:
    """A block as JSON text, its keys in the order that the source chose."""
    return _ENCODER.encode(block)


def exact(value: object) -> str:
    """A decoded value as JSON text again; its numbers keep every digit."""
    try:
        return _EXACT_ENCODER.encode(value).decode()
    except UnicodeEncodeError:  # half a character, which only an escape can say
        return _ENCODER.encode(value)
    except RecursionError:
        raise UnreadableError("an object is nested too deep") from None


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise UnreadableError(f"a number was expected, not {type(value).__name__}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise UnreadableError(f"a number was expected, not {str(value)[:40]!r}") from None
    if not number.is_finite() or number.adjusted() > _MAGNITUDES:
        raise UnreadableError(f"a finite number was expected, not {str(value)[:40]}")
    return number


def _whole_millionths(value: Decimal) -> int:
    return int(_EXACT.multiply(value, _MILLION).to_integral_value(context=_EXACT))


def _bounded(value: object) -> Decimal:
    amount = _decimal(value)
    if abs(amount) >= _MONEY_LIMIT:
        raise UnreadableError(f"an amount was expected, not {str(value)[:40]}")
    return amount


def _since_epoch(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def _whole(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
