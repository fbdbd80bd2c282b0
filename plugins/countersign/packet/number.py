"""Integers as a reader sees them, and the four signs of a table.

A number is printed from the integer that the finding holds. Missing is never zero.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from countersign.packet.text import plain

MINUS: Final = "\N{MINUS SIGN}"
_MICROS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: its text, and the class that gives it its look."""

    text: str
    kind: str = ""


MISSING: Final = Cell("missing", "missing")
"""It should exist, and was not given."""
UNSEEN: Final = Cell("not exam.", "unseen")
"""It exists, and was not looked at."""
NOT_APPLICABLE: Final = Cell("–", "na")
"""It does not apply."""


def grouped(value: int) -> str:
    """`−1,203`."""
    return f"{value:,}".replace("-", MINUS)


def added(figure: str) -> str:
    """A printed number with a plus, unless it is negative or zero: it is added to a total."""
    is_plain = figure.startswith(MINUS) or not figure.strip("0.,")
    return figure if is_plain else f"+{figure}"


def usd(micros: int, decimals: int = 2) -> str:
    """Micro-dollars as dollars, rounded half to even at the stated number of decimals."""
    step = 10 ** (6 - decimals)
    units, rest = divmod(abs(micros), step)
    units += rest * 2 > step or (rest * 2 == step and units % 2 == 1)
    whole, part = divmod(units, 10**decimals)
    sign = MINUS if micros < 0 and units else ""
    return f"{sign}{whole:,}.{part:0{decimals}d}" if decimals else f"{sign}{whole:,}"


def percent(ppm: int, decimals: int = 1) -> str:
    """Parts per million as per cent."""
    return f"{_scaled(ppm, 4, decimals)}%"


def bits(microbits: int) -> str:
    """Micro-units as a decimal with four places: 94,000 is `0.0940`."""
    return _scaled(microbits, 6, 4)


def _scaled(value: int, power: int, decimals: int) -> str:
    return usd(value * 10 ** (6 - power), decimals)


def cell(value: object, shown: str = "", kind: str = "") -> Cell:
    """A cell for the value; None is missing."""
    if value is None:
        return MISSING
    if shown:
        return Cell(shown, kind)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return Cell(grouped(value) if is_number else str(value), kind)  # type: ignore[arg-type]


def count_cell(value: object) -> Cell:
    """An integer, grouped."""
    return cell(value if isinstance(value, int) else None)


def money_cell(value: object, decimals: int = 2) -> Cell:
    """Micro-dollars."""
    return Cell(usd(value, decimals)) if isinstance(value, int) else MISSING


def percent_cell(value: object, decimals: int = 1) -> Cell:
    """Parts per million, as per cent."""
    return Cell(percent(value, decimals)) if isinstance(value, int) else MISSING


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 control`, `2 controls`."""
    return f"{grouped(number)} {noun if number == 1 else plural or noun + 's'}"


def spelled(number: int) -> str:
    """Small counts as a word, for the headline."""
    names = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return names[number] if number < len(names) else grouped(number)


def day_name(day: date) -> str:
    """`9 November 2026`."""
    return f"{day.day} {day:%B} {day.year}"


def day_short(day: date) -> str:
    """`9 Nov`."""
    return f"{day.day} {day:%b}"


def minute(instant_us: int) -> str:
    """`16 Nov 2026 06:12`, UTC."""
    at = datetime.fromtimestamp(instant_us // _MICROS, UTC)
    return f"{at.day} {at:%b %Y %H:%M}"


def since_text(stamp: object) -> str:
    """A time or day of a finding as `11 Nov 14:00` or `11 Nov`; other words as they are."""
    if not isinstance(stamp, str):
        return MISSING.text
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return plain(stamp, 24)
    return f"{at.day} {at:%b}" if len(stamp) == len("2026-11-09") else f"{at.day} {at:%b %H:%M}"


def duration(seconds: int) -> str:
    """`40 min`, `2 h 5 min`, `3 d 4 h`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
