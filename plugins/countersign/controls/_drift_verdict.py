"""What is made of one feature: examined or refused, and whether it moved by enough to matter."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from countersign.controls._drift_counts import Counts
from countersign.controls._drift_values import Values
from countersign.model import PPM
from countersign.stats.blocks import BlockTest
from countersign.stats.edges import Integers
from countersign.stats.false_discovery import benjamini_hochberg
from countersign.stats.jensen_shannon import Effect, Floats
from countersign.stats.rounding import scaled, share_ppm
from countersign.stats.two_nulls import Examination, examine

_Z95 = 1.96


class Outcome(StrEnum):
    """What became of a feature."""

    MOVED = "moved"
    HOLDS = "holds"
    UNDECIDED = "undecided"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as evidence, and what matters."""

    alpha_ppm: int
    false_discovery_ppm: int
    minimum_js_microbits: int
    minimum_level_ppm: int
    minimum_new_ppm: int
    minimum_users: int
    minimum_weeks: int
    minimum_clusters: int
    maximum_cluster_ppm: int
    minimum_rows: int
    golden_cases: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One feature's outcome with its numbers; a refused feature has a reason and no numbers."""

    feature: str
    outcome: Outcome
    reason: str
    counts: Counts | None = None
    examination: Examination | None = None
    block_test: BlockTest | None = None
    values: Values | None = None
    moved_levels: tuple[int, ...] = ()
    dominant: tuple[str, int] | None = None
    """Owner and share in ppm of a cluster that is too large."""

    @property
    def effect(self) -> Effect | None:
        """Debiased divergence, whichever null it was tested against."""
        if self.examination:
            return self.examination.effect
        return self.block_test.effect if self.block_test else None

    @property
    def p_value(self) -> float:
        """The feature's p-value for false-discovery control."""
        if self.examination:
            return self.examination.p_value
        return self.block_test.p_value if self.block_test else 1.0


def refusal(counts: Counts, dominant: tuple[str, int] | None, limits: Limits) -> str | None:
    """Why the feature cannot be tested, or None."""
    weeks = len(counts.weeks)
    rows = int(counts.weeks.sum()), int(counts.now.sum())
    if weeks < limits.minimum_weeks:
        return f"{weeks} like-for-like reference weeks, {limits.minimum_weeks} are needed"
    if min(rows) < limits.minimum_rows:
        return f"{rows[0]} reference rows and {rows[1]} now, {limits.minimum_rows} are needed"
    clusters = min(_clusters(counts.table[:-1].sum(axis=0)), _clusters(counts.table[-1]))
    if clusters < limits.minimum_clusters:
        return f"{clusters} clusters, {limits.minimum_clusters} are needed"
    without = share_ppm(int(counts.table[-1, 0].sum()), rows[1])
    if without > limits.maximum_cluster_ppm:
        return f"{_percent(without)} of rows have no user, session or tenant: not independent"
    if dominant and dominant[1] > limits.maximum_cluster_ppm:
        return (
            f"cluster {dominant[0]} alone is {_percent(dominant[1])} of rows, "
            f"at most {_percent(limits.maximum_cluster_ppm)} is testable"
        )
    return None


def judge_weeks(
    counts: Counts, values: Values | None, dominant: tuple[str, int] | None, limits: Limits
) -> Judged:
    """Refuse or examine one feature against its reference weeks; `decide` gives the outcome."""
    reason = refusal(counts, dominant, limits)
    if reason:
        heavy = dominant if dominant and dominant[1] > limits.maximum_cluster_ppm else None
        return Judged(counts.feature, Outcome.REFUSED, reason, counts, dominant=heavy)
    return Judged(
        counts.feature,
        Outcome.HOLDS,
        "",
        counts,
        examine(counts.weeks, counts.now),
        values=values,
    )


def decide(judged: Sequence[Judged], limits: Limits) -> list[Judged]:
    """Give outcomes: false discoveries are controlled over all features that were examined.

    Significant and surely beyond its minimum effect: moved. Significant, and the interval
    straddles the minimum: undecided. Otherwise it holds. Largest effect first.
    """
    tested = [one for one in judged if one.effect is not None]
    adjusted = benjamini_hochberg([one.p_value for one in tested])
    decided = [_outcome(one, float(p), limits) for one, p in zip(tested, adjusted, strict=True)]
    refused = [one for one in judged if one.effect is None]
    order = {Outcome.MOVED: 0, Outcome.UNDECIDED: 1, Outcome.HOLDS: 2, Outcome.REFUSED: 3}
    return sorted(decided + refused, key=lambda j: (order[j.outcome], -_bits(j), j.feature))


def _outcome(one: Judged, adjusted: float, limits: Limits) -> Judged:
    if adjusted > limits.false_discovery_ppm / PPM:
        return replace(one, reason="no more than ordinary change")
    whole = _whole(one, limits)
    levels = _levels(one, limits) if one.examination else {}
    sure = tuple(level for level, is_sure in levels.items() if is_sure)
    if whole is Outcome.MOVED or sure:
        return replace(one, outcome=Outcome.MOVED, reason=_moved(one, sure), moved_levels=sure)
    if whole is Outcome.UNDECIDED or levels:
        reason = "changed, but the interval includes changes too small to matter"
        return replace(one, outcome=Outcome.UNDECIDED, reason=reason, moved_levels=tuple(levels))
    return replace(one, reason="changed by less than what matters")


def _whole(one: Judged, limits: Limits) -> Outcome:
    effect = one.effect
    minimum = limits.minimum_js_microbits / PPM
    p = one.examination.p_whole if one.examination else one.p_value
    if effect is None or p > limits.alpha_ppm / PPM or effect.bits < minimum:
        return Outcome.HOLDS
    return Outcome.MOVED if effect.low >= minimum else Outcome.UNDECIDED


def _levels(one: Judged, limits: Limits) -> dict[int, bool]:
    """Levels that changed by their minimum or more, largest first: surely, or perhaps."""
    assert one.examination is not None
    assert one.counts is not None
    shift = one.examination.levels
    minimum = minimums(one.counts, limits)
    change = np.abs(shift.change)
    passed = (one.examination.adjusted <= limits.false_discovery_ppm / PPM) & (change >= minimum)
    sure = change - _Z95 * shift.sd >= minimum
    found = sorted(np.flatnonzero(passed), key=lambda level: (-change[level], level))
    return {int(level): bool(sure[level]) for level in found}


def minimums(counts: Counts, limits: Limits) -> Floats:
    """The smallest change of share that matters, per level."""
    minimum = np.full(len(counts.levels), limits.minimum_level_ppm / PPM)
    if counts.unseen is not None:
        minimum[counts.unseen] = limits.minimum_new_ppm / PPM
    return minimum


def _moved(one: Judged, levels: tuple[int, ...]) -> str:
    if not levels or one.examination is None or one.counts is None:
        return "its distribution changed"
    change = scaled(float(one.examination.levels.change[levels[0]]), PPM)
    return f"{one.counts.levels[levels[0]]} changed by {points(change)}"


def points(change_ppm: int) -> str:
    """`+5.3 points` for a change of share."""
    return f"{change_ppm / 10_000:+.1f} points"


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:.1f} %"


def _clusters(buckets: Integers) -> int:
    # Rows without a cluster stand in bucket 0 and are none.
    return int((buckets[1:].sum(axis=1) > 0).sum())


def _bits(one: Judged) -> float:
    return one.effect.bits if one.effect else 0.0
