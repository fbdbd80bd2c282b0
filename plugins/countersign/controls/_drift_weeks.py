"""One window against its like-for-like reference weeks, feature by feature."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from countersign.controls import _drift_counts as counting
from countersign.controls._drift_calendar import Calendar, align
from countersign.controls._drift_counts import BUCKETS, Counts, Name
from countersign.controls._drift_values import Values, exact
from countersign.controls._drift_verdict import Judged, Limits, Outcome, judge_weeks
from countersign.model import Window
from countersign.stats.rounding import share_ppm


@dataclass(frozen=True, slots=True)
class Reference:
    """What a window is compared with: a span of the past, how many of its weeks, holidays."""

    window: Window
    past: Window
    weeks: int
    holidays: AbstractSet[date]
    is_pinned: bool

    def calendar(self, rows: pa.Table, column: str) -> Calendar:
        """The aligned days on which the column counts at least one row."""
        aligned = align(self.window, self.past, days_with(rows, column), self.holidays)
        return aligned.first(self.weeks)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Judged features (outcomes still to be decided), names, first reference days."""

    judged: list[Judged]
    census: dict[str, list[Name]]
    starts: dict[str, date]


def judge(
    reduced: Mapping[str, pa.Table], features: Sequence[str], reference: Reference, limits: Limits
) -> Weekly:
    """Judge each feature over the earliest reference weeks in which it exists."""
    weekly = Weekly([], {}, {})
    for feature in features:
        calendar = reference.calendar(reduced["rows"], f"with_{feature}")
        if not calendar.now or not calendar.weeks:
            weekly.judged.append(_not_comparable(feature, calendar, limits))
            continue
        slots = {str(day): week for week, days in enumerate(calendar.weeks) for day in days}
        slots |= {str(day): len(calendar.weeks) for day in calendar.now}
        weekly.starts[feature] = calendar.weeks[0][0]
        counts, values = _count(reduced, feature, slots, weekly.census)
        dominant = _dominant(reduced, feature, reference.window)
        weekly.judged.append(judge_weeks(counts, values, dominant, limits))
    return weekly


def days_with(rows: pa.Table, column: str) -> set[date]:
    """Days on which the column counts at least one row."""
    found = rows.filter(pc.greater(rows[column], 0))["day"].unique().to_pylist()
    return {date.fromisoformat(day) for day in found}


def _count(
    reduced: Mapping[str, pa.Table],
    feature: str,
    slots: Mapping[str, int],
    census: dict[str, list[Name]],
) -> tuple[Counts, Values | None]:
    frame = counting.frame(reduced["rows"], slots, feature, BUCKETS)
    cells = reduced[f"cells_{feature}"]
    if f"levels_{feature}" in reduced:
        census[feature] = counting.census(cells, reduced[f"levels_{feature}"], slots)
        return counting.names(cells, frame), None
    values = exact(reduced[f"values_{feature}"], slots)
    return counting.numbers(cells, frame), values


def _not_comparable(feature: str, calendar: Calendar, limits: Limits) -> Judged:
    missing = "the window" if not calendar.now else "every like-for-like week of the past"
    needed = "" if not calendar.now else f", {limits.minimum_weeks} weeks are needed"
    return Judged(feature, Outcome.REFUSED, f"no value in {missing}{needed}")


def _dominant(
    reduced: Mapping[str, pa.Table], feature: str, window: Window
) -> tuple[str, int] | None:
    """The largest cluster of the window among rows that have the feature, and its share."""
    column = f"with_{feature}"
    rows, clusters = reduced["rows"], reduced["clusters"]
    now = rows.filter(pc.greater_equal(rows["day"], str(window.start)))
    counted = zip(clusters["owner"].to_pylist(), clusters[column].to_pylist(), strict=True)
    largest = min(counted, key=lambda one: (-one[1], one[0]), default=None)
    if largest is None:
        return None
    return largest[0], share_ppm(largest[1], sum(now[column].to_pylist()))
