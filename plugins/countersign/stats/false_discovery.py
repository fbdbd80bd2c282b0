"""Many tests in one report: Benjamini-Hochberg and Simes."""

import numpy as np
import numpy.typing as npt

from countersign.stats.jensen_shannon import Floats


def benjamini_hochberg(p_values: npt.ArrayLike) -> Floats:
    """Adjusted p-values: rejecting those <= q keeps the false-discovery rate at q.

    Source: Benjamini and Hochberg (1995), step-up.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4)
    array([0.04  , 0.0533, 0.0533, 0.5   ])
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.size == 0:
        return p
    order = np.argsort(p, kind="stable")
    # The factor first: it is exactly 1 for the largest, so that no value falls below its own.
    stepped = p[order] * (p.size / np.arange(1, p.size + 1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(stepped[::-1])[::-1]
    return np.minimum(adjusted, 1.0)


def simes(p_values: npt.ArrayLike) -> float:
    """One p-value for "none of these is true": the smallest adjusted one; 1 of nothing.

    >>> simes([0.01, 0.04, 0.03, 0.5])
    0.04
    """
    adjusted = benjamini_hochberg(p_values)
    return float(adjusted.min()) if adjusted.size else 1.0
