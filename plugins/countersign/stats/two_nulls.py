"""Has a histogram moved? Two nulls for its whole shape, one test per level, one p-value.

The bucket bootstrap knows that rows of one user are alike, but takes every unlike week for an
alarm; the weeks of the past know shocks, but are coarse. The whole shape has moved only when
both say so. Single levels are tested against both at once (`level_shift`). One p-value stands
for the feature, so that a report can control false discoveries over its features.
"""

from dataclasses import dataclass

import numpy as np

from countersign.stats import bootstrap, history, psi
from countersign.stats.edges import Integers
from countersign.stats.false_discovery import benjamini_hochberg, simes
from countersign.stats.jensen_shannon import Effect, Floats
from countersign.stats.level_shift import LevelShift, level_shift


@dataclass(frozen=True, slots=True)
class Examination:
    """What both nulls say of one feature; `adjusted` are level p-values by Benjamini-Hochberg."""

    effect: Effect
    psi: float
    p_bootstrap: float
    p_history: float
    levels: LevelShift
    adjusted: Floats

    @property
    def p_whole(self) -> float:
        """Both nulls must reject."""
        return max(self.p_bootstrap, self.p_history)

    @property
    def p_value(self) -> float:
        """Whole shape or any level, twice the smaller (Bonferroni over the two ways)."""
        return min(1.0, 2 * min(self.p_whole, simes(self.levels.p_values)))


def examine(weeks: Integers, now: Integers) -> Examination:
    """Examine counts [week, bucket, level] of the reference against [bucket, level] now. Pure.

    >>> rng = np.random.default_rng(1)
    >>> weeks = rng.multinomial(50, [0.7, 0.2, 0.1], size=(8, 40))
    >>> same, moved = (rng.multinomial(50, s, size=40) for s in ([0.7, 0.2, 0.1], [0.6, 0.2, 0.2]))
    >>> examine(weeks, same).p_value > 0.05 > 0.001 > examine(weeks, moved).p_value
    True
    """
    reference = weeks.sum(axis=0)
    draws = bootstrap.draw(reference, now)
    by_week = weeks.sum(axis=1)
    levels = level_shift(draws, by_week, now.sum(axis=0))
    tested = levels.sd > 0
    adjusted = np.ones_like(levels.p_values)
    adjusted[tested] = benjamini_hochberg(levels.p_values[tested])
    return Examination(
        effect=draws.effect(),
        psi=psi.psi(reference.sum(axis=0), now.sum(axis=0)),
        p_bootstrap=draws.p_value(),
        p_history=history.p_value(by_week, now.sum(axis=0)),
        levels=levels,
        adjusted=adjusted,
    )
