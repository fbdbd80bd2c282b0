"""Admitted rows as Ibis relations: what a control reads.

The Parquet files of the Delta version that the admitted state names are read directly, those of
the window's days only. `controls.interface.Tables` describes the shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend

from countersign.errors import EvidenceError
from countersign.lake.delta import DeltaFolder
from countersign.lake.raw import DATED
from countersign.lake.state import Admitted
from countersign.model import Window
from countersign.records import Record, is_dated, kind_name, stored_schema

_READ: Final = {"hive_partitioning": True, "hive_types_autocast": False, "union_by_name": True}


@dataclass(frozen=True)
class LakeTables:
    """Rows of a window, and of at most `history_weeks` before it."""

    window: Window
    delta: DeltaFolder
    state: Admitted
    engine: Backend
    history_weeks: int = 0
    reach: Window | None = None
    """How far `over` may go; set from the first window."""
    _known: dict[tuple[str, Window], ir.Table] = field(default_factory=dict, repr=False)

    def table(self, kind: type[Record]) -> ir.Table:
        """The stored rows of a kind; an absent kind is an empty relation with its columns."""
        key = (kind_name(kind), self.window)
        if key not in self._known:
            self._known[key] = self._relation(kind)
        return self._known[key]

    def over(self, window: Window) -> "LakeTables":
        """The same tables over another window.

        Raises:
            EvidenceError: further back than the history that the control declared.
        """
        reach = self.reach or self.window.with_history(self.history_weeks)
        check_reach(window, reach, self.history_weeks)
        return replace(self, window=window, reach=reach)

    def run(self, relation: ir.Table) -> pa.Table:
        """Execute a relation."""
        return self.engine.to_pyarrow(relation)

    def _relation(self, kind: type[Record]) -> ir.Table:
        name, target = kind_name(kind), stored_schema(kind)
        days = [DATED] if is_dated(kind) else [day.isoformat() for day in self.window.days()]
        version = self.state.tables.get(name)
        files = [] if version is None else self.delta.files(name, version, set(days))
        if not files:
            return empty(target)
        return conform(self.engine.read_parquet(files, **_READ), target)


def empty(target: pa.Schema) -> ir.Table:
    """No rows, with the target's columns. Engines know no "required": every column may be NULL."""
    return ibis.memtable(pa.schema([c.with_nullable(True) for c in target]).empty_table())


def conform(relation: ir.Table, target: pa.Schema, extra: Sequence[str] = ()) -> ir.Table:
    """The relation with the target's columns first, absent ones NULL, then the extra ones."""
    wanted = ibis.Schema.from_pyarrow(pa.schema([c.with_nullable(True) for c in target]))
    columns = {
        name: relation[name].cast(dtype) if name in relation.columns else ibis.null().cast(dtype)
        for name, dtype in wanted.items()
    }
    return relation.select(**columns, **{name: relation[name] for name in extra})


def check_reach(window: Window, reach: Window, weeks: int) -> None:
    """Refuse a window outside of what the finding's evidence covers."""
    if window.start < reach.start or window.end > reach.end:
        raise EvidenceError(
            f"tables over {window}",
            expected=f"days within {reach} ({weeks} weeks of history)",
            observed=str(window),
            remedy="Raise the control's history_weeks.",
        )
