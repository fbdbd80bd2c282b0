"""The admitted state after rows were taken out of the tables: counted again, and shown."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from countersign.lake import state as states
from countersign.lake.admission import QUARANTINE_TABLE
from countersign.lake.batch import Key
from countersign.lake.state import AdmittedDay

if TYPE_CHECKING:
    from countersign.lake.lake import Lake

_KIND: Final = "kind"


def show(
    lake: "Lake",
    settled: Iterable[Key],
    touched: Iterable[tuple[str, Key]],
    expired: Collection[tuple[str, Key]] = (),
) -> None:
    """Make readers see the newest tables, with the rows that they now hold.

    `settled` days were admitted as they stood, and count as admitted under their newest manifest;
    `touched` are the tables and days that lost rows, `expired` those that lost them by retention.
    """
    state = lake.admitted()
    days = dict(state.days)
    for key in settled:
        manifest = lake.raw.manifest(*key)
        if key in days and manifest is not None:
            days[key] = replace(days[key], version=manifest.version)
    by_table: dict[str, set[Key]] = {}
    for table, key in touched:
        by_table.setdefault(table, set()).add(key)
    for table, keys in sorted(by_table.items()):
        for key, rows in lake.purge.current(table, keys, {_KIND}).items():
            if key in days and table == QUARANTINE_TABLE:
                days[key] = _refused(
                    days[key], Counter(rows[_KIND].to_pylist() if rows.num_rows else ())
                )
            elif key in days:
                gone = (table, key) in expired
                days[key] = _rows(days[key], table, rows.num_rows, gone)
    versions = {table: lake.purge.version(table) for table in by_table}
    states.save(lake.store, replace(state, tables={**state.tables, **versions}, days=days))


def _rows(day: AdmittedDay, kind: str, rows: int, expired: bool) -> AdmittedDay:
    if kind not in day.kinds:
        return day
    held = day.kinds[kind]
    counts = replace(held.counts, rows=rows)
    now = replace(held, counts=counts, expired=held.expired or expired)
    return replace(day, kinds={**day.kinds, kind: now})


def _refused(day: AdmittedDay, refused: Mapping[str, int]) -> AdmittedDay:
    kinds = {
        kind: replace(held, counts=replace(held.counts, refused=refused.get(kind, 0)))
        for kind, held in day.kinds.items()
    }
    return replace(day, kinds=kinds)
