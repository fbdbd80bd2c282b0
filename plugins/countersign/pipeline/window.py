"""Which window a run is about: one rule for the command line, the form and the schedule."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from countersign.errors import ConfigError
from countersign.model import Window


def decide(
    *,
    form: Mapping[str, str | None],
    partition: datetime | None,
    interval: tuple[datetime | None, datetime | None],
    created: datetime,
    days: int,
) -> Window:
    """The window of a run: the form's, the partition's, the data interval, the last complete one.

    `form` holds `start` and `end` (both or neither); `partition` is the first day; `days` is how
    long a window of this kind is (1 or 7). The wall clock is never asked.

    Raises:
        ConfigError: half a form, or anything that is not whole UTC days.
    """
    start, end = form.get("start"), form.get("end")
    if start and end:
        return Window.parse(f"{start}/{end}")
    if start or end:
        raise ConfigError(
            "trigger form",
            expected="start and end, or neither",
            observed=f"start={start!r}, end={end!r}",
            remedy="The end day is not part of the window.",
        )
    if partition is not None:
        return _span(partition, days)
    if interval[0] is not None and interval[1] is not None:
        return Window(_midnight(interval[0]), _midnight(interval[1]))
    if days == 7:
        return Window.last_week(created)
    return Window.day(created.astimezone(UTC).date() - timedelta(days=1))


def _span(first: datetime, days: int) -> Window:
    start = _midnight(first)
    return Window(start, start + timedelta(days=days))


def _midnight(moment: datetime) -> date:
    utc = moment.astimezone(UTC)
    if (utc.hour, utc.minute, utc.second, utc.microsecond) != (0, 0, 0, 0):
        raise ConfigError(
            "window of the run",
            expected="whole UTC days",
            observed=moment.isoformat(),
            remedy="Schedule on midnight UTC, or give start and end in the form.",
        )
    return utc.date()
