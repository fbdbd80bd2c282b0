"""Delta tables of the lake: one per kind, by UTC day and source, replaced by whole source-days.

The source is a partition too, so that replacing one source's day rewrites no other's rows.
Every version stays readable until retention says otherwise: the log of a table never expires.
"""

import errno
import os
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from countersign.errors import EvidenceError
from countersign.lake.batch import Key
from countersign.lake.copies import Copies
from countersign.lake.object_store import ObjectStore, store_failed
from countersign.lake.store import storage_failed

PARTITIONS: Final = ["window_day", "source"]
_WRITER: Final = WriterProperties(
    compression="ZSTD", compression_level=3, max_row_group_size=65_536
)
# The writer's threads queue rows faster than one file takes them: memory would grow with a day.
os.environ.setdefault("TOKIO_WORKER_THREADS", "1")
_FULL: Final = ("No space left", "File too large", "os error 28", "os error 27", "quota")


TABLES: Final = "tables"
_FOREVER: Final = {"delta.enableExpiredLogCleanup": "false"}


@dataclass(frozen=True, slots=True)
class DeltaFolder:
    """`tables/` of a lake: a folder, or below a bucket and read through local copies."""

    root: Path | str
    store: ObjectStore | None = None
    copies: Path | None = None
    """Where a bucket's data files are copied to."""

    @classmethod
    def of(cls, store: ObjectStore, copies: Path) -> "DeltaFolder":
        """The tables of a bucket."""
        return cls(store.bucket.address(TABLES), store, copies)

    def write(self, name: str, rows: pa.Table, keys: Collection[Key], note: str) -> int:
        """Replace exactly these source-days in one transaction; returns the new version.

        Raises:
            EvidenceError: the disk refuses, or somebody else wrote the same days meanwhile.
        """
        uri, options = self._uri(name), self._options
        if self.store is not None:
            self.store.prove()
        try:
            is_there = DeltaTable.is_deltatable(uri, options)
            write_deltalake(
                uri,
                self._fitting(uri, rows) if is_there else rows,
                mode="overwrite",
                schema_mode="merge" if is_there else None,
                partition_by=PARTITIONS,
                predicate=_predicate(keys) if is_there else None,
                configuration=None if is_there else _FOREVER,
                writer_properties=_WRITER,
                commit_properties=CommitProperties(custom_metadata={"countersign": note}),
                storage_options=options,
            )
            return int(DeltaTable(uri, storage_options=options).version())
        except (OSError, DeltaError) as error:
            raise self._failed(name, error) from error

    def files(self, name: str, version: int, days: Collection[str] | None = None) -> list[str]:
        """The Parquet files of one version, those of the given days only, sorted.

        Raises:
            EvidenceError: the table, or that version of it, cannot be read.
        """
        try:
            table = DeltaTable(self._uri(name), version=version, storage_options=self._options)
        except (OSError, DeltaError) as error:
            raise self._failed(name, error) from error
        uris = (uri for uri in table.file_uris() if days is None or day_of(uri) in days)
        if self._copied is None:
            return sorted(uris)
        above = str(self.root).removesuffix(TABLES)
        return self._copied.paths(sorted(uri.removeprefix(above) for uri in uris))

    def read(self, name: str, version: int, days: Collection[str]) -> pa.Table | None:
        """Rows of some days of one version; None when there are none."""
        parts = [_read(file) for file in self.files(name, version, days)]
        return pa.concat_tables(parts, promote_options="default") if parts else None

    def keep_history(self, name: str) -> bool:
        """Make a table of an older lake keep its log for ever; whether it did not yet.

        Raises:
            EvidenceError: the table cannot be read or written.
        """
        try:
            table = DeltaTable(self._uri(name), storage_options=self._options)
            if _FOREVER.items() <= table.metadata().configuration.items():
                return False
            table.alter.set_table_properties(_FOREVER)
        except (OSError, DeltaError) as error:
            raise self._failed(name, error) from error
        return True

    def _fitting(self, uri: str, rows: pa.Table | pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The rows; a column that the table lacks may be NULL, as in the rows that it has."""
        known = DeltaTable(uri, storage_options=self._options).schema().fields
        old = {column.name for column in known}
        target = pa.schema([c if c.name in old else c.with_nullable(True) for c in rows.schema])
        reader = rows if isinstance(rows, pa.RecordBatchReader) else rows.to_reader()
        return reader.cast(target)

    def forget(self, names: Iterable[str]) -> None:
        """Remove this machine's copies of data files that were deleted for good."""
        if self._copied is not None:
            self._copied.drop(names)

    @property
    def _copied(self) -> Copies | None:
        if self.store is None or self.copies is None:
            return None
        return Copies(self.store, self.copies)

    @property
    def _options(self) -> dict[str, str] | None:
        return None if self.store is None else self.store.bucket.options()

    def _uri(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _failed(self, name: str, error: Exception) -> EvidenceError:
        if isinstance(error, CommitFailedError) and not _is_full(error):
            return EvidenceError(
                f"lake table {name}",
                expected="one writer at a time",
                observed=str(error)[:300],
                remedy="Run `countersign admit` again; nothing was changed.",
            )
        failed = storage_failed if self.store is None else store_failed
        return failed(f"lake table {name}", error)


def day_of(uri: str) -> str:
    """The window day in a data file's path."""
    return _partition(uri, "window_day")


def _partition(uri: str, column: str) -> str:
    marker = f"{column}="
    return unquote(next(p for p in uri.split("/") if p.startswith(marker)).removeprefix(marker))


def _read(file: str) -> pa.Table:
    table = pq.ParquetFile(file).read()
    for column in reversed(PARTITIONS):
        values = pa.repeat(_partition(file, column), table.num_rows)
        table = table.append_column(pa.field(column, pa.string()), values)
    return table


def _predicate(keys: Iterable[Key]) -> str:
    days: dict[str, list[str]] = defaultdict(list)
    for source, day in sorted(keys):
        days[source].append(day)
    return " OR ".join(
        f"(source = {_text(source)} AND window_day IN ({', '.join(map(_text, listed))}))"
        for source, listed in days.items()
    )


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return True
    return any(sign in str(error) for sign in _FULL)
