"""Rows taken out of the tables for good: from the current version, from every old file, from stats.

A Delta table keeps what it replaced, and its log quotes the smallest and largest values of each
column. So a row is gone only when the files that held it are deleted and the log has forgotten
what they held. Old versions without such rows stay readable; the others can be explained by the
tombstone, no longer be read.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from countersign.lake.batch import Key
from countersign.lake.delta import PARTITIONS, TABLES, DeltaFolder
from countersign.lake.store import LocalStore, Store

Marks: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.bool_]]"
Select: TypeAlias = Callable[[str, Key, pa.Table], Marks]
"""Table, source-day and rows to a mark for each row that must go."""

_LOG: Final = "_delta_log"
_KEYS_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class Hit:
    """A data file with rows that must go."""

    table: str
    name: str
    key: Key
    rows: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class Purge:
    """The tables of a lake, and what must go from them."""

    store: Store
    delta: DeltaFolder

    def tables(self) -> list[str]:
        """Every table that there is."""
        return sorted({f.name.split("/")[1] for f in self.store.listed(TABLES)})

    def version(self, table: str) -> int:
        """The newest version of a table."""
        return int(self._open(table).version())

    def columns(self, table: str) -> list[str]:
        """The columns of a table."""
        return [column.name for column in self._open(table).schema().fields]

    def files(self, table: str) -> list[tuple[str, Key]]:
        """The data files of a table's newest version, and the source-day of each."""
        return [(name, _key(name)) for name in self._current(table)]

    def find(
        self,
        table: str,
        select: Select,
        columns: Collection[str],
        where: Callable[[Key], bool] = lambda _key: True,
    ) -> list[Hit]:
        """Every file of a table, of whatever version, that holds rows to go.

        `columns` are all that `select` looks at; only source-days of `where` are looked into.
        """
        current = set(self._current(table))
        hits = []
        for name in self.store.names(f"{TABLES}/{table}"):
            is_file = name.endswith(".parquet") and f"/{_LOG}/" not in name
            if is_file and where(key := _key(name)):
                rows = self._rows(name, columns)
                marked = int(select(table, key, rows).sum()) if rows.num_rows else 0
                if marked:
                    hits.append(Hit(table, name, key, marked, name in current))
        return hits

    def current(
        self, table: str, keys: Collection[Key], columns: Collection[str]
    ) -> dict[Key, pa.Table]:
        """Some columns of the newest version's rows, by source-day."""
        parts: dict[Key, list[pa.Table]] = {key: [] for key in keys}
        for name in self._current(table):
            if (key := _key(name)) in parts:
                parts[key].append(self._rows(name, columns))
        return {
            key: pa.concat_tables(p, promote_options="default") if p else pa.table({})
            for key, p in parts.items()
        }

    def rows(self, name: str, columns: Collection[str]) -> pa.Table:
        """Some columns of a data file, those that it has."""
        return self._rows(name, columns)

    def remove(self, table: str, hits: Sequence[Hit], select: Select) -> int | None:
        """Write the source-days of current hits again without the rows; returns the new version."""
        keys = sorted({hit.key for hit in hits if hit.is_current})
        version = None
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            version = self._remove(table, set(keys[start : start + _KEYS_AT_ONCE]), select)
        return version

    def sweep(self, table: str, hits: Iterable[Hit]) -> int:
        """Delete the files of hits, and what the table's log says of their contents."""
        names = {hit.name for hit in hits} - set(self._current(table))
        self._redact(table, {name.removeprefix(f"{TABLES}/{table}/") for name in names})
        for name in sorted(names):
            self.store.delete(name)
        self.delta.forget(names)
        return len(names)

    def _remove(self, table: str, keys: set[Key], select: Select) -> int:
        kept = []
        for name in self._current(table):
            if (key := _key(name)) in keys:
                rows = self._rows(name, None)
                kept.append(_placed(rows.filter(pa.array(~select(table, key, rows))), key))
        together = pa.concat_tables(kept, promote_options="default")
        known = [f.name for f in self._open(table).schema().fields]
        # A column that was added later may be in none of these files.
        together = together.select([name for name in known if name in together.column_names])
        return self.delta.write(table, together, keys, f"{len(keys)} source-days without some rows")

    def _current(self, table: str) -> list[str]:
        """Names of the files of the table's newest version."""
        uris = self._open(table).file_uris()
        return sorted(f"{TABLES}/{table}/" + uri.split(f"/{table}/", 1)[1] for uri in uris)

    def _open(self, table: str) -> DeltaTable:
        options = None if self.delta.store is None else self.delta.store.bucket.options()
        return DeltaTable(f"{self.delta.root}/{table}", storage_options=options)

    def _rows(self, name: str, columns: Collection[str] | None) -> pa.Table:
        local = isinstance(self.store, LocalStore)
        at = Path(self.store.root, name) if isinstance(self.store, LocalStore) else None
        file = pq.ParquetFile(at if local else io.BytesIO(self.store.get(name)))
        there = file.schema_arrow.names
        return file.read(None if columns is None else [c for c in there if c in columns])

    def _redact(self, table: str, paths: set[str]) -> None:
        """Take the statistics of some files out of the table's log; they are optional there."""
        folder = f"{TABLES}/{table}/{_LOG}"
        for name in self.store.names(folder) if paths else ():
            if name.endswith(".json"):
                old = self.store.get(name)
                new = b"".join(_redacted(line, paths) for line in old.splitlines(keepends=True))
                if new != old:
                    self.store.replace(name, new)
        old_checkpoints = [n for n in self.store.names(folder) if n.endswith(".checkpoint.parquet")]
        if paths and old_checkpoints:
            self._open(table).create_checkpoint()
            newest = max(self.store.names(folder), key=_checkpoint)
            for name in set(old_checkpoints) - {newest}:
                self.store.delete(name)


def _redacted(line: bytes, paths: set[str]) -> bytes:
    action = json.loads(line)
    added = action.get("add")
    if not added or "stats" not in added or unquote(added["path"]) not in paths:
        return line
    del added["stats"]
    return json.dumps(action, separators=(",", ":")).encode() + b"\n"


def _checkpoint(name: str) -> str:
    return name if name.endswith(".checkpoint.parquet") else ""


def _key(name: str) -> Key:
    folders = dict(part.split("=", 1) for part in name.split("/") if "=" in part)
    return unquote(folders["source"]), unquote(folders["window_day"])


def _placed(rows: pa.Table, key: Key) -> pa.Table:
    values = dict(zip(("source", "window_day"), key, strict=True))
    for column in reversed(PARTITIONS):
        rows = rows.append_column(
            pa.field(column, pa.string()), pa.repeat(values[column], rows.num_rows)
        )
    return rows


def counted(hits: Iterable[Hit]) -> Iterator[tuple[Key, int]]:
    """Current rows to go, by source-day."""
    counts: Counter[Key] = Counter()
    for hit in hits:
        if hit.is_current:
            counts[hit.key] += hit.rows
    yield from sorted(counts.items())
