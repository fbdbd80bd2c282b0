"""Integer bin edges. A value's bin is a comparison of integers, the same on every engine.

Floating edges put exact powers of two on the wrong side on some engines; equal-width bins
over the data move with every extreme row.
"""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Integers: TypeAlias = npt.NDArray[np.int64]

_OCTAVES: Final = 62
DECILES: Final = tuple(range(10, 100, 10))


def octaves() -> Integers:
    """Edges 0, 1, 3, 7, 15, ...: bin `j` holds the values x with 2^j <= x + 1 < 2^(j + 1).

    >>> octaves()[:6]
    array([ 0,  1,  3,  7, 15, 31])
    """
    return np.array([(1 << power) - 1 for power in range(_OCTAVES)], dtype=np.int64)


def last_edge_at_most(values: Integers, edges: Integers) -> Integers:
    """The index of the last edge that is <= the value.

    >>> last_edge_at_most(np.array([0, 1, 2, 3, 255]), octaves())
    array([0, 1, 1, 2, 8])
    """
    return np.searchsorted(edges, values, side="right").astype(np.int64) - 1


def edges_below(values: Integers, edges: Integers) -> Integers:
    """The number of edges that are < the value.

    >>> edges_below(np.array([1, 5, 6]), np.array([5, 9]))
    array([0, 0, 1])
    """
    return np.searchsorted(edges, values, side="left").astype(np.int64)


def quantiles(values: Integers, counts: Integers, percents: tuple[int, ...] = DECILES) -> Integers:
    """The distinct inverted-CDF quantiles of counted values, exact for integers.

    The p-quantile is the smallest value with at least p percent of the rows at or below it.

    >>> quantiles(np.array([1, 2, 3, 9]), np.array([5, 3, 1, 1]))
    array([1, 2, 3])
    """
    order = np.argsort(values, kind="stable")
    below = np.cumsum(counts[order], dtype=np.int64)
    if below.size == 0 or below[-1] == 0:
        return np.empty(0, dtype=np.int64)
    ranks = [-(-int(below[-1]) * percent // 100) for percent in percents]
    found = values[order][np.searchsorted(below, ranks, side="left")]
    return np.unique(found).astype(np.int64)
