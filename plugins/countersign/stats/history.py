"""The past as a null: how much ordinary weeks differ from each other.

A bootstrap over users knows sampling, not what makes one week unlike the next; with enough
rows it calls every week an alarm. Weeks are like-for-like (same weekdays).
"""

import numpy as np
from scipy import stats

from countersign.stats.edges import Integers
from countersign.stats.jensen_shannon import Floats, divergence_bits, expected_bits, shares


def p_value(weeks: Integers, now: Integers) -> float:
    """Chance that an ordinary week is as far from the others as this one; [week, level] counts.

    The log divergence of `now` from the mean week against those of each week from the mean of
    the others, by t with J - 1 degrees of freedom. A window with fewer rows than the weeks is
    further from everything by sampling alone; it is forgiven that part.

    >>> quiet = np.array([[50, 50], [52, 48], [49, 51], [51, 49], [47, 53], [50, 50]]) * 10
    >>> p_value(quiet, np.array([505, 495])) > 0.2 > 0.01 > p_value(quiet, np.array([800, 200]))
    True
    """
    count, levels = len(weeks), shares(weeks)
    others = (levels.sum(axis=0) - levels) / (count - 1)
    usual = int(np.median(weeks.sum(axis=1)))
    floor = expected_bits(2, usual, usual) / 10
    past = np.log(np.maximum(divergence_bits(others, levels), floor))
    rows = int(now.sum())
    forgiven = max(1.0, usual / rows) if rows else 1.0
    observed = float(divergence_bits(levels.mean(axis=0), now)) / forgiven
    spread = max(float(past.std(ddof=1)), 1e-9) * np.sqrt(1 + 1 / count)
    statistic = (np.log(max(observed, floor)) - past.mean()) / spread
    return float(stats.t.sf(statistic, count - 1))


def week_to_week_sd(weeks: Integers) -> Floats:
    """Spread of each level's share between weeks, from successive differences.

    Half the mean squared step between neighbours is the variance of independent weeks, but a
    slow trend inside the reference hardly widens it: a reference that already contains the
    start of a drift does not hide the rest. Source: von Neumann's mean square successive
    difference, the moving-range sigma of control charts.

    >>> week_to_week_sd(np.array([[50, 50], [52, 48], [50, 50]])).round(4)
    array([0.0141, 0.0141])
    """
    steps = np.diff(shares(weeks), axis=0)
    spread: Floats = np.sqrt((steps**2).mean(axis=0) / 2)
    return spread
