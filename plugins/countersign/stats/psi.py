"""Population stability index: the number that the industry reports, with a stated filler."""

import numpy as np
import numpy.typing as npt


def psi(reference: npt.ArrayLike, now: npt.ArrayLike) -> float:
    """PSI of two count histograms in nats, half a row added to each occupied bin.

    Only bins occupied in either window count. The filler decides the value where a bin is
    empty (seven-fold between common choices); half a row is the one that stays on theory,
    E[PSI] = (K - 1) (1/n + 1/m).

    >>> round(psi([31_000_000, 4_000_000], [18_000_000, 17_000_000]), 6)
    0.739341
    >>> psi([3, 4, 0], [3, 4, 0])
    0.0
    """
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(now, dtype=np.float64)
    occupied = (a > 0) | (b > 0)
    a, b = a[occupied] + 0.5, b[occupied] + 0.5
    p, q = a / a.sum(), b / b.sum()
    return float(((q - p) * np.log(q / p)).sum())
