"""Which levels moved: a z per level that allows for clusters and for unlike weeks."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from countersign.stats.bootstrap import Draws
from countersign.stats.edges import Integers
from countersign.stats.history import week_to_week_sd
from countersign.stats.jensen_shannon import Floats

_PER_WEEK_DEGREES = 4
"""Weeks' spread is pooled over levels, which is worth more than J - 1 degrees of freedom."""
_EXPECTED_ROWS = 20
"""Levels with fewer expected rows say nothing about over-dispersion."""


@dataclass(frozen=True, slots=True)
class LevelShift:
    """Per level: change of share, its standard deviation, z, two-sided p."""

    change: Floats
    sd: Floats
    z: Floats
    p_values: Floats


def level_shift(draws: Draws, weeks: Integers, now: Integers) -> LevelShift:
    """Test every level's share now against the reference; `weeks` are counts [week, level].

    The deviation of level k is the largest of: its bootstrap sd times the over-dispersion of
    weeks (pooled over levels, at least 1), its own spread between weeks, and that of
    independent rows. Without the last two, rare levels that few users own alarm in every
    window in which those users are absent.

    >>> from countersign.stats.bootstrap import draw
    >>> weeks = np.array([[[30, 10], [29, 11]], [[31, 9], [30, 10]], [[29, 11], [30, 10]]])
    >>> now = np.array([[20, 20], [22, 18]])
    >>> shift = level_shift(draw(weeks.sum(axis=0), now), weeks.sum(axis=1), now.sum(axis=0))
    >>> shift.change.round(3), bool((shift.p_values < 0.05).all())
    (array([-0.221,  0.221]), True)
    """
    change = draws.q - draws.p
    count, rows = len(weeks), int(now.sum())
    sampling = draws.centred.std(axis=0, ddof=1)
    between = week_to_week_sd(weeks) * np.sqrt(1 + 1 / count)
    common = (draws.p * rows > _EXPECTED_ROWS) & (sampling > 0)
    ratio = between[common] / sampling[common]
    dispersion = max(1.0, float(np.sqrt((ratio**2).mean()))) if ratio.size else 1.0
    middle = (draws.p + draws.q) / 2
    independent = np.sqrt(middle * (1 - middle) * (1 / max(rows, 1) + 1 / max(weeks.sum(), 1)))
    sd = np.maximum(np.maximum(dispersion * sampling, between), independent)
    z = np.divide(change, sd, out=np.zeros_like(change), where=sd > 0)
    degrees = _PER_WEEK_DEGREES * (count - 1)
    return LevelShift(change, sd, z, 2 * stats.t.sf(np.abs(z), degrees))
