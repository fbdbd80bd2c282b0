"""Like-for-like weeks: which days of the past may be compared with the days of a window.

Saturdays are not Mondays: a window is compared with the same weekdays of each earlier week,
and a weekday that is missing or a holiday on one side is left out on both.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta

from countersign.model import Window

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days of the window that count, and of each aligned week of the past, oldest first."""

    now: tuple[date, ...]
    weeks: tuple[tuple[date, ...], ...]

    def first(self, weeks: int) -> "Calendar":
        """Only the earliest weeks."""
        return Calendar(self.now, self.weeks[:weeks])


def is_comparable(window: Window) -> bool:
    """Whether the window holds each weekday equally often, or at most once."""
    days = (window.end - window.start) // timedelta(days=1)
    return days <= _WEEK.days or days % _WEEK.days == 0


def align(
    window: Window, past: Window, present: AbstractSet[date], holidays: AbstractSet[date]
) -> Calendar:
    """Align the window with the whole weeks of the past; `present` are days that have rows.

    A week of the past counts only when it has each weekday that the window has.
    """
    usable = present - holidays
    lacking = {day.weekday() for day in window.days() if day not in usable}
    weekdays = {day.weekday() for day in window.days()} - lacking
    now = tuple(day for day in window.days() if day.weekday() in weekdays)
    weeks = [
        tuple(day for day in week.days() if day.weekday() in weekdays)
        for week in past.weeks()
        if week.end <= window.start
    ]
    complete = (days for days in weeks if days and all(day in usable for day in days))
    return Calendar(now, tuple(sorted(complete)))


def left_out(window: Window, present: AbstractSet[date], holidays: AbstractSet[date]) -> list[str]:
    """A sentence for each day of the window that is not compared."""
    return [
        f"{day} is not compared ({'a holiday' if day in holidays else 'no row'}): "
        "its weekday is left out of the reference as well."
        for day in window.days()
        if day in holidays or day not in present
    ]
