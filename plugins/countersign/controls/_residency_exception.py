"""The requests worth naming one by one: those that left their promise, and the weakest unproven."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from countersign.controls._residency_interval import cause
from countersign.controls._residency_promise import Minimum, Promise, promised_at
from countersign.controls._residency_term import DERIVED
from countersign.model import Observation, instant


def violating(requests: pa.Table, promises: Sequence[Promise], most: int) -> Iterator[Observation]:
    """Violating requests, the first `most` in time."""
    rows = requests.filter(pc.equal(requests["verdict"], "violating"))
    rows = rows.sort_by([("at", "ascending"), ("request_id", "ascending")])
    for row in rows.slice(0, most).to_pylist():
        at = instant(row["at"])
        promise = promised_at(promises, row["tenant"], at)
        yield Observation(
            subject=row["request_id"],
            fact="out-of-region",
            expected=f"in {promise.label if promise else 'its promise'}",
            observed=cause(row),
            holds=False,
            since_us=at,
        )


def unproven(requests: pa.Table, minimums: Sequence[Minimum], most: int) -> Iterator[Observation]:
    """Unproven requests, the `most` weakest."""
    rows = requests.filter(pc.equal(requests["verdict"], "unproven"))
    for row in weakest_first(rows).slice(0, most).to_pylist():
        yield _unproven(row, minimums)


def weakest_first(requests: pa.Table) -> pa.Table:
    """Requests by the least strength on them, then by time."""
    least = pc.min_element_wise(requests["path_strength"], requests["derived_strength"])
    ranked = requests.append_column("least", least)
    return ranked.sort_by([(name, "ascending") for name in ("least", "at", "request_id")])


def _unproven(row: dict[str, Any], minimums: Sequence[Minimum]) -> Observation:
    at = instant(row["at"])
    asked = next(m for m in minimums if m.valid_from <= at < m.valid_to)
    found = row["derived_strength" if row["set_by"] in DERIVED else "path_strength"]
    return Observation(
        subject=row["request_id"],
        fact="unproven",
        expected=f"path at least R{asked.path}, derived state at least R{asked.derived}",
        observed=f"{row['set_by']}: {found}",
        holds=None,
        measures={"strength": int(found[1:])},
        since_us=at,
    )
