"""Two samples and no history: blocks of time stand in for clusters and for weeks."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from countersign.controls import _drift_counts as counting
from countersign.controls._drift_counts import Counts, Name
from countersign.controls._drift_reduce import NOW, REFERENCE
from countersign.controls._drift_values import Values, exact
from countersign.controls._drift_verdict import Judged, Limits, Outcome
from countersign.stats import blocks, edges
from countersign.stats.edges import Integers

SLOTS = {REFERENCE: 0, NOW: 1}


def judge(
    reduced: Mapping[str, pa.Table], features: Sequence[str], limits: Limits
) -> tuple[list[Judged], dict[str, list[Name]]]:
    """Judge each feature that both samples have; outcomes are still to be decided."""
    judged, census = [], {}
    for feature in features:
        frame = counting.frame(reduced["slots"], SLOTS, feature, blocks.SLOTS + 1)
        cells = reduced[f"cells_{feature}"]
        if f"levels_{feature}" in reduced:
            counts = counting.names(cells, frame)
            census[feature] = counting.census(cells, reduced[f"levels_{feature}"], SLOTS)
            judged.append(_judge(counts, limits))
        else:
            counts = counting.numbers(cells, frame, edges.octaves())
            values = exact(reduced[f"values_{feature}"], SLOTS)
            judged.append(_judge(counts, limits, values))
    return judged, census


def _judge(counts: Counts, limits: Limits, values: Values | None = None) -> Judged:
    rows = int(counts.reference_levels.sum()), int(counts.now_levels.sum())
    if min(rows) < limits.minimum_rows:
        reason = f"{rows[0]} and {rows[1]} rows, {limits.minimum_rows} are needed"
        return Judged(counts.feature, Outcome.REFUSED, reason, counts)
    first, second = blocks.split(*rows)
    tested = blocks.permute(_in_blocks(counts.table[0], first), _in_blocks(counts.table[1], second))
    return Judged(counts.feature, Outcome.HOLDS, "", counts, block_test=tested, values=values)


def _in_blocks(slots: Integers, count: int) -> Integers:
    filled = slots[1:][np.flatnonzero(slots[1:].sum(axis=1))]
    return blocks.block_counts(filled, min(count, len(filled)))
