"""Paired bootstrap of cluster buckets: how much of a difference is the same users by chance.

Rows of one user are alike, so users (in up to 128 buckets) are drawn, not rows. Both windows
are drawn with the same weights, because most users are in both. Exact: counts and weights are
integers below 2^53, so the sums do not depend on the order of addition.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from countersign.stats.edges import Integers
from countersign.stats.jensen_shannon import Effect, Floats, debiased, divergence_bits, shares

DRAWS: Final = 400


@dataclass(frozen=True, slots=True)
class Draws:
    """Shares per level of both windows: as observed, and per draw [draw, level]."""

    p: Floats
    q: Floats
    drawn_p: Floats
    drawn_q: Floats

    @property
    def centred(self) -> Floats:
        """What each draw's difference departs from the observed one by: the null's noise."""
        centred: Floats = (self.drawn_q - self.drawn_p) - (self.q - self.p)
        return centred

    def p_value(self) -> float:
        """Chance of a difference this large when clusters alone vary; never below 1/(draws+1)."""
        middle = (self.p + self.q) / 2
        seen = middle > 0
        observed = ((self.q - self.p)[seen] ** 2 / middle[seen]).sum()
        noise = (self.centred[:, seen] ** 2 / middle[seen]).sum(axis=1)
        return float((1 + (noise >= observed).sum()) / (1 + noise.size))

    def effect(self) -> Effect:
        """Debiased Jensen-Shannon divergence with its interval."""
        observed = float(divergence_bits(self.p, self.q))
        return debiased(observed, divergence_bits(self.drawn_p, self.drawn_q))


def seed(*tables: Integers) -> int:
    """A seed from the content of reduced tables, so that a finding can be computed again.

    >>> seed(np.array([[1, 2]])) == seed(np.array([[1, 2]])) != seed(np.array([[1], [2]]))
    True
    """
    content = hashlib.sha256()
    for table in tables:
        content.update(repr(table.shape).encode())
        content.update(np.ascontiguousarray(table, dtype="<i8").tobytes())
    return int.from_bytes(content.digest())


def draw(reference: Integers, now: Integers, draws: int = DRAWS) -> Draws:
    """Draw the buckets of two windows, counts [bucket, level], with replacement.

    >>> few = draw(np.array([[5, 5], [4, 6]]), np.array([[5, 5], [6, 4]]), draws=3)
    >>> few.q, few.drawn_q.shape
    (array([0.55, 0.45]), (3, 2))
    """
    buckets = reference.shape[0]
    generator = np.random.default_rng(seed(reference, now))
    weights = generator.multinomial(buckets, np.full(buckets, 1 / buckets), size=draws)
    return Draws(
        p=shares(reference.sum(axis=0)),
        q=shares(now.sum(axis=0)),
        drawn_p=shares(weights.astype(np.float64) @ reference),
        drawn_q=shares(weights.astype(np.float64) @ now),
    )
