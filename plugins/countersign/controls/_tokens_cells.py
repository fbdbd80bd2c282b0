"""Cells in doubt: what was billed and not logged there, or the other way round, and why.

Cells whose gap is within the error of their estimated calls are decided by arithmetic on whole
columns. The few others go one by one to the rules of `_tokens_causes`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.controls._tokens_calls import FAMILIES, GAPS, PROMPT, Limits
from countersign.controls._tokens_relations import BILL, CELL
from countersign.model import PPM, US_PER_DAY

SLOT: Final = ("provider", "model", "hour")
EXACT, BOUNDED, UNVERIFIABLE = "exact", "bounded", "unverifiable"
_SUMS: Final = ("counted", "estimated", "uncounted", "failed", "estimated_prompt")


@dataclass(frozen=True, slots=True)
class Share:
    """Tokens of a cell's gap that belong to one class, by family."""

    provider: str
    model: str
    key: str
    hour: int
    cause: str
    basis: str
    tokens: Mapping[str, int]


@dataclass(slots=True)
class Cell:
    """One cell in doubt, with its gap as it is worked off."""

    provider: str
    model: str
    key: str
    hour: int
    gap: dict[str, int]
    counted: int
    estimated: int
    uncounted: int
    failed: int
    estimated_prompt: int
    logged_rows: int
    billed_rows: int
    requests: int | None
    is_open: bool
    candidates: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def prompt(self) -> int:
        """The gap on the prompt side, all counters together."""
        return sum(self.gap[name] for name in PROMPT)

    @property
    def output(self) -> int:
        """The gap on the output side."""
        return self.gap["output"]

    def share(self, cause: str, basis: str, tokens: Mapping[str, int]) -> Share:
        """A part of this cell's gap under a class."""
        return Share(self.provider, self.model, self.key, self.hour, cause, basis, tokens)


def doubtful(lines: pa.Table) -> pa.Table:
    """The unbalanced cells of `lines`: gaps, counts and the tenant of the estimated calls."""
    rows = lines.filter(pc.is_valid(lines["key"]))
    is_bill = pc.equal(rows["side"], BILL).cast(pa.int64())
    sign = pc.subtract(pc.multiply(is_bill, 2), 1)
    for family, names in FAMILIES.items():
        total = sum_columns(rows, names)
        rows = rows.append_column(f"gap_{family}", pc.multiply(sign, total))
    is_log = pc.subtract(1, is_bill)
    rows = rows.append_column("logged_rows", pc.multiply(rows["rows"], is_log))
    rows = rows.append_column("billed_rows", pc.multiply(rows["rows"], is_bill))
    estimates = pc.if_else(pc.greater(rows["estimated"], 0), rows["tenant"], None)
    rows = rows.append_column("estimated_tenant", estimates)
    sums = (*GAPS, *_SUMS, "requests", "unasked", "logged_rows", "billed_rows")
    wanted = [(name, "sum") for name in sums]
    wanted += [("estimated_tenant", "min"), ("estimated_tenant", "max")]
    cells = rows.group_by([*CELL, "keyed", "known"], use_threads=False).aggregate(wanted)
    plain = [name.removesuffix("_sum") for name in cells.column_names]
    return cells.rename_columns(plain).sort_by([(name, "ascending") for name in CELL])


def sum_columns(table: pa.Table, names: Iterable[str]) -> Any:
    """The sum of integer columns, row by row."""
    first, *rest = (table[name] for name in names)
    for column in rest:
        first = pc.add(first, column)
    return first


def fit(cells: pa.Table, limits: Limits) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which cells their own estimated calls explain; the rule of `_tokens_relations`."""
    one = {name: _numbers(cells, name) for name in (*GAPS, *_SUMS, "requests", "unasked")}
    prompt = sum(one[f"gap_{name}"] for name in PROMPT)
    error = (
        one["estimated_prompt"] * limits.estimate_error_ppm
        + one["estimated"] * limits.estimate_error_tokens * PPM
    )
    asked = (one["unasked"] > 0) | (one["requests"] == one["counted"])
    output = one["gap_output"]
    fits: np.ndarray[Any, np.dtype[np.bool_]] = (
        (one["estimated"] > 0)
        & (one["uncounted"] == 0)
        & (np.abs(prompt) * PPM <= error)
        & (output >= 0)
        & (output <= one["estimated"] * limits.longest_answer_tokens)
        & asked
    )
    return fits


def estimates(cells: pa.Table) -> pa.Table:
    """Shares of cells that fit: the prompt's error, and what was decoded after the stop."""
    basis = pc.if_else(pc.equal(cells["estimated"], 1), EXACT, BOUNDED)
    return _whole(cells, {"output": "cancelled_tail"}, "usage_missing", basis)


def unlogged(cells: pa.Table) -> pa.Table:
    """Shares of cells whose key the gateway never logged: all that was billed."""
    return _whole(cells, {}, "unlogged", pa.array([EXACT] * len(cells), pa.string()))


def _whole(cells: pa.Table, causes: Mapping[str, str], usual: str, basis: Any) -> pa.Table:
    names = [*CELL, "cause", "basis", "family", "tokens"]
    parts = []
    for family in FAMILIES:
        cause = pa.array([causes.get(family, usual)] * len(cells), pa.string())
        of = pa.array([family] * len(cells), pa.string())
        columns = [*(cells[name] for name in CELL), cause, basis, of, cells[f"gap_{family}"]]
        parts.append(pa.table(columns, names=names))
    return pa.concat_tables(parts)


def opened(cells: pa.Table, candidates: pa.Table, open_days: set[tuple[str, int]]) -> list[Cell]:
    """The cells as objects, each with the calls that may explain it."""
    useful: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in candidates.to_pylist():
        useful.setdefault(tuple(row[name] for name in CELL), []).append(_call(row))
    for calls in useful.values():
        calls.sort(key=lambda call: (call["at"], call["call_id"]))
    return [_cell(row, useful, open_days) for row in cells.to_pylist()]


def shares_table(shares: Sequence[Share]) -> pa.Table:
    """Shares in the form that `estimates` gives."""
    rows = [
        (s.provider, s.model, s.key, s.hour, s.cause, s.basis, family, tokens)
        for s in shares
        for family, tokens in s.tokens.items()
        if tokens
    ]
    names = (*CELL, "cause", "basis", "family", "tokens")
    types = [pa.string()] * 3 + [pa.int64()] + [pa.string()] * 3 + [pa.int64()]
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    arrays = [pa.array(c, type=t) for c, t in zip(columns, types, strict=True)]
    return pa.table(arrays, names=list(names))


def _call(row: Mapping[str, Any]) -> dict[str, Any]:
    """A candidate under the names that calls have."""
    return {
        **row,
        "at": row["first_at"],
        "until": row["ended_at"],
        "is_counted": bool(row["counted"]),
        "is_estimated": bool(row["estimated"]),
        "is_failed": bool(row["failed"]),
        "is_named": bool(row["named"]),
        "shown_tokens": row["shown"],
    }


def _cell(
    row: Mapping[str, Any],
    useful: Mapping[tuple[Any, ...], list[Mapping[str, Any]]],
    open_days: set[tuple[str, int]],
) -> Cell:
    day = row["hour"] - row["hour"] % US_PER_DAY
    return Cell(
        provider=row["provider"],
        model=row["model"],
        key=row["key"],
        hour=row["hour"],
        gap={name: row[f"gap_{name}"] for name in FAMILIES},
        **{name: row[name] for name in _SUMS},
        logged_rows=row["logged_rows"],
        billed_rows=row["billed_rows"],
        requests=None if row["unasked"] or not row["billed_rows"] else row["requests"],
        is_open=(row["provider"], day) in open_days,
        candidates=useful.get(tuple(row[name] for name in CELL), []),
    )


def _numbers(table: pa.Table, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(table[name].combine_chunks().to_numpy(zero_copy_only=False), np.int64)
