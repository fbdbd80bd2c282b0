"""A number by its exact values: textbook distances, without clusters and without history."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from countersign.controls._drift_counts import Slots, slot_of
from countersign.stats import edges, jensen_shannon, ks, psi
from countersign.stats.edges import Integers

Rule = Callable[[Integers, Integers], Integers]


@dataclass(frozen=True, slots=True)
class Distance:
    """What the textbook distances say of a number over one kind of bins, not debiased."""

    bins: str
    js_bits: float
    expected_js_bits: float
    psi: float


@dataclass(frozen=True, slots=True)
class Values:
    """Exact integer values of a number and their counts, reference and now."""

    reference: tuple[Integers, Integers]
    now: tuple[Integers, Integers]

    @property
    def ks(self) -> float:
        """Kolmogorov-Smirnov distance."""
        return ks.distance(*self.reference, *self.now)

    def distances(self) -> tuple[Distance, Distance]:
        """Over octaves (integer edges 2^j - 1) and over the reference's deciles."""
        octaves, cut = edges.octaves(), edges.quantiles(*self.reference)
        both = self.reference, self.now
        by_octave = [_binned(counted, edges.last_edge_at_most, octaves) for counted in both]
        by_decile = [_binned(counted, edges.edges_below, cut) for counted in both]
        return _distance("octave", *by_octave), _distance("decile", *by_decile)


def exact(table: pa.Table, slots: Slots) -> Values:
    """Exact values of a number in the reference slots and in the last one."""
    slot = slot_of(table, slots)
    value, count = table["level"].to_numpy().astype(np.int64), table["rows"].to_numpy()
    last = max(slots.values())
    return Values(
        *(
            (np.unique(value[part]), _summed(value[part], count[part]))
            for part in ((slot >= 0) & (slot < last), slot == last)
        )
    )


def _summed(value: Integers, count: Integers) -> Integers:
    found, place = np.unique(value, return_inverse=True)
    summed = np.zeros(found.size, dtype=np.int64)
    np.add.at(summed, place, count)
    return summed


def _binned(counted: tuple[Integers, Integers], rule: Rule, cut: Integers) -> Integers:
    binned = np.zeros(len(cut) + 1, dtype=np.int64)
    np.add.at(binned, rule(counted[0], cut), counted[1])
    return binned


def _distance(bins: str, reference: Integers, now: Integers) -> Distance:
    occupied = int(((reference + now) > 0).sum())
    rows = max(int(reference.sum()), 1), max(int(now.sum()), 1)
    return Distance(
        bins,
        float(jensen_shannon.divergence_bits(reference, now)),
        jensen_shannon.expected_bits(occupied, *rows),
        psi.psi(reference, now),
    )
