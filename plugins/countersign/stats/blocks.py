"""Two samples and nothing else: permute contiguous blocks of time, not rows.

Rows of one hour are alike (bursts), so exchanging single rows calls every burst a drift. Each
sample is cut into contiguous blocks of about equal size, 40 in all; which blocks form the
first sample is then drawn at random.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from countersign.stats.bootstrap import DRAWS, seed
from countersign.stats.edges import Integers
from countersign.stats.jensen_shannon import Effect, Floats, debiased, divergence_bits

BLOCKS: Final = 40
SLOTS: Final = 1_000
"""A sample is reduced to counts per thousandth of its rows, in time order; blocks are made
of whole slots."""
PERMUTATIONS: Final = 500


@dataclass(frozen=True, slots=True)
class BlockTest:
    """Divergence in bits as observed and under permuted blocks, p-value, debiased effect."""

    observed: float
    permuted: Floats
    p_value: float
    effect: Effect


def split(first_rows: int, second_rows: int) -> tuple[int, int]:
    """How many of the 40 blocks each sample is cut into, in proportion, at least one.

    >>> split(9683, 9683), split(19366, 8819)
    ((20, 20), (27, 13))
    """
    rows = max(first_rows + second_rows, 1)
    first = (2 * BLOCKS * first_rows + rows) // (2 * rows)
    first = min(max(first, 1), BLOCKS - 1)
    return first, BLOCKS - first


def block_counts(slots: Integers, blocks: int) -> Integers:
    """Counts [slot, bin] of one sample in time order, added up to [block, bin]."""
    owner = np.arange(len(slots)) * blocks // len(slots)
    counts = np.zeros((blocks, slots.shape[1]), dtype=np.int64)
    np.add.at(counts, owner, slots)
    return counts


def permute(reference: Integers, now: Integers, permutations: int = PERMUTATIONS) -> BlockTest:
    """Test two samples of block counts [block, bin] by exchanging whole blocks.

    >>> calm = np.array([[5, 5], [6, 4], [4, 6], [5, 5]])
    >>> permute(calm, calm, permutations=50).p_value
    1.0
    """
    pooled = np.concatenate([reference, now])
    generator = np.random.default_rng(seed(reference, now))
    orders = generator.permuted(np.tile(np.arange(len(pooled)), (permutations, 1)), axis=1)
    chosen = np.zeros(orders.shape, dtype=np.float64)
    np.put_along_axis(chosen, orders[:, : len(reference)], 1.0, axis=1)
    first = chosen @ pooled
    permuted = divergence_bits(first, pooled.sum(axis=0) - first)
    observed = float(divergence_bits(reference.sum(axis=0), now.sum(axis=0)))
    beyond = int((permuted >= observed - 1e-15).sum())
    p_value = (1 + beyond) / (1 + permutations)
    return BlockTest(observed, permuted, p_value, _effect(observed, reference, now, generator))


def _effect(
    observed: float, reference: Integers, now: Integers, generator: np.random.Generator
) -> Effect:
    drawn = (
        generator.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), size=DRAWS)
        @ blocks
        for blocks in (reference, now)
    )
    return debiased(observed, divergence_bits(*drawn))
