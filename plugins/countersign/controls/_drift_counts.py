"""From reduced relations to count arrays: one feature, its levels, the reference and now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa

from countersign.controls._drift_reduce import LEVEL_ROWS, step
from countersign.stats import edges
from countersign.stats.edges import Integers

OTHER, UNSEEN, MISSING = "other levels", "levels not in the reference", "missing"
BUCKETS: Final = 129
"""128 cluster buckets, after one for rows without a cluster."""
_PERCENTS: Final = (*edges.DECILES, 95)
_MOSTLY: Final = 2
"""A feature on at least 1/2 of the reference's rows has "missing" as a level."""

Slots = Mapping[str, int]
"""Label of a day (or sample) -> first index of the counts; others are not counted."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one feature: `table` [slot, bucket, level]; the last slot is the window.

    The first `own` levels are single names; `unseen` is the place of `UNSEEN`; `is_partial`:
    the feature exists on less than half of the rows and is examined on those.
    """

    feature: str
    levels: tuple[str, ...]
    table: Integers
    unseen: int | None = None
    own: int = 0
    is_partial: bool = False

    @property
    def weeks(self) -> Integers:
        """Reference counts, occupied buckets only."""
        weeks: Integers = self.table[:-1, self._occupied]
        return weeks

    @property
    def now(self) -> Integers:
        """The window's counts, occupied buckets only."""
        now: Integers = self.table[-1, self._occupied]
        return now

    @property
    def _occupied(self) -> Integers:
        return np.flatnonzero(self.table.sum(axis=(0, 2)))

    @property
    def reference_levels(self) -> Integers:
        """Reference rows per level."""
        summed: Integers = self.table[:-1].sum(axis=(0, 1))
        return summed

    @property
    def now_levels(self) -> Integers:
        """Rows per level now."""
        summed: Integers = self.table[-1].sum(axis=0)
        return summed


@dataclass(frozen=True, slots=True)
class Frame:
    """A feature, its slots, and per [slot, bucket] the rows that have it and all rows."""

    feature: str
    slots: Slots
    present: Integers
    rows: Integers


@dataclass(frozen=True, slots=True)
class Name:
    """One level by its own name: rows in the reference and now, users now, first day seen."""

    level: str
    reference: int
    now: int
    users: int
    first_day: date | None


def frame(table: pa.Table, slots: Slots, feature: str, buckets: int) -> Frame:
    """Where a feature's cells go."""
    shape = (len(set(slots.values())), buckets)
    present = _grid(table, slots, shape, f"with_{feature}")
    return Frame(feature, slots, present, _grid(table, slots, shape, "rows"))


def census(cells: pa.Table, listed: pa.Table, slots: Slots) -> list[Name]:
    """Every listed name with its rows in the reference and now."""
    slot = slot_of(cells, slots)
    last = max(slots.values())
    rows: dict[str, list[int]] = {}
    for level, place, count in zip(
        cells["level"].to_pylist(), slot.tolist(), cells["rows"].to_pylist(), strict=True
    ):
        if place >= 0:
            rows.setdefault(level, [0, 0])[place == last] += count
    return [
        Name(
            one["level"],
            rows.get(one["level"], [0, 0])[0],
            rows.get(one["level"], [0, 0])[1],
            one["users"],
            date.fromisoformat(one["first_day"]) if one["first_day"][:1].isdigit() else None,
        )
        for one in sorted(listed.to_pylist(), key=lambda one: str(one["level"]))
    ]


def names(cells: pa.Table, frame: Frame) -> Counts:
    """Counts of a named feature: levels with enough reference rows, then collective ones.

    Levels are chosen on the reference alone, so that the choice does not favour a change.
    """
    found = cells["level"].combine_chunks().dictionary_encode()
    labels = [str(label) for label in found.dictionary.to_pylist()]
    index = found.indices.to_numpy(zero_copy_only=False)
    grid = _levels(cells, frame, index, len(labels))
    per_level = grid[:-1].sum(axis=(0, 1))
    common = np.flatnonzero(per_level >= LEVEL_ROWS)
    own = sorted(common, key=lambda k: (-per_level[k], labels[k]))
    unseen = grid[:, :, per_level == 0].sum(axis=2)
    chosen = grid[:, :, own]
    other = frame.present - chosen.sum(axis=2) - unseen
    table = np.concatenate([chosen, other[:, :, None], unseen[:, :, None]], axis=2)
    counts = Counts(
        frame.feature,
        (*(labels[k] for k in own), OTHER, UNSEEN),
        table,
        unseen=len(own) + 1,
        own=len(own),
    )
    return _with_missing(counts, frame)


def numbers(cells: pa.Table, frame: Frame, cut: Integers | None = None) -> Counts:
    """Counts of a number in bins between the reference's deciles and its 95 % point.

    `cut` gives fixed lower edges (octaves) instead.
    """
    value = cells["level"].to_numpy().astype(np.int64)
    if cut is None:
        upper = _reference_quantiles(cells, frame.slots, value)
        index, labels = edges.edges_below(value, upper), _between(upper)
    else:
        index = edges.last_edge_at_most(np.maximum(value, 0), cut)
        bins = range(int(index.max(initial=0)) + 1)
        labels = [_span(int(cut[k]), int(cut[k + 1]) - 1) for k in bins]
    table = _levels(cells, frame, index, len(labels))
    return _with_missing(Counts(frame.feature, tuple(labels), table), frame)


def _reference_quantiles(cells: pa.Table, slots: Slots, value: Integers) -> Integers:
    slot = slot_of(cells, slots)
    past = (slot >= 0) & (slot < max(slots.values()))
    return edges.quantiles(value[past], cells["rows"].to_numpy()[past], _PERCENTS)


def _with_missing(counts: Counts, frame: Frame) -> Counts:
    """Missing is a level of a feature that most rows have; else only rows with it count."""
    absent = frame.rows - frame.present
    if int(frame.present[:-1].sum()) * _MOSTLY < int(frame.rows[:-1].sum()):
        return replace(counts, is_partial=True)
    if not absent.any():
        return counts
    table = np.concatenate([counts.table, absent[:, :, None]], axis=2)
    return replace(counts, levels=(*counts.levels, MISSING), table=table)


def slot_of(table: pa.Table, slots: Slots) -> Integers:
    """The slot of each row of a reduced table; -1 where its day does not count."""
    days = table["day"].combine_chunks().dictionary_encode()
    known = [slots.get(day, -1) for day in days.dictionary.to_pylist()]
    lookup = np.array([*known, -1], dtype=np.int64)
    slots_of_rows: Integers = lookup[days.indices.to_numpy(zero_copy_only=False)]
    return slots_of_rows


def _grid(table: pa.Table, slots: Slots, shape: tuple[int, int], column: str) -> Integers:
    slot, bucket = slot_of(table, slots), table["bucket"].to_numpy() + 1
    used = slot >= 0
    grid = np.zeros(shape, dtype=np.int64)
    np.add.at(grid, (slot[used], bucket[used]), table[column].to_numpy()[used])
    return grid


def _levels(cells: pa.Table, frame: Frame, level: Integers, levels: int) -> Integers:
    slot, bucket = slot_of(cells, frame.slots), cells["bucket"].to_numpy() + 1
    used = slot >= 0
    table = np.zeros((*frame.present.shape, levels), dtype=np.int64)
    place = (slot[used], bucket[used], level[used])
    np.add.at(table, place, cells["rows"].to_numpy()[used])
    return table


def _between(upper: Integers) -> list[str]:
    lows = [None, *(int(edge) + step(int(edge)) for edge in upper)]
    highs = [*(int(edge) + step(int(edge)) - 1 for edge in upper), None]
    return [_span(low, high) for low, high in zip(lows, highs, strict=True)]


def _span(low: int | None, high: int | None) -> str:
    if low is None:
        return f"up to {high}"
    if high is None:
        return f"{low} and more"
    return str(low) if low == high else f"{low} to {high}"
