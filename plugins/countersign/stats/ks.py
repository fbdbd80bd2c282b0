"""Kolmogorov-Smirnov distance from integer counts: exact, with no raw rows."""

import numpy as np

from countersign.stats.edges import Integers


def distance(
    values: Integers, counts: Integers, other_values: Integers, other_counts: Integers
) -> float:
    """max |F - G| over all observed values of two counted samples; 0 when one is empty.

    >>> distance(np.array([1, 2]), np.array([1, 1]), np.array([2, 3]), np.array([1, 1]))
    0.5
    """
    if counts.sum() == 0 or other_counts.sum() == 0:
        return 0.0
    grid = np.unique(np.concatenate([values, other_values]))
    below = _cumulative(values, counts, grid), _cumulative(other_values, other_counts, grid)
    return float(np.abs(below[0] / below[0][-1] - below[1] / below[1][-1]).max())


def _cumulative(values: Integers, counts: Integers, grid: Integers) -> Integers:
    placed = np.zeros(grid.size, dtype=np.int64)
    np.add.at(placed, np.searchsorted(grid, values), counts)
    return np.cumsum(placed, dtype=np.int64)
