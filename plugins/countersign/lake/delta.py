"""Delta tables of the lake: one per kind, by UTC day and source, replaced by whole source-days.

The source is a partition too, so that replacing one source's day rewrites no other's rows.
"""

import errno
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError

from countersign.errors import EvidenceError
from countersign.lake.batch import Key
from countersign.lake.store import storage_failed

PARTITIONS: Final = ["window_day", "source"]
_WRITER: Final = WriterProperties(compression="ZSTD", compression_level=3)
_FULL: Final = ("No space left", "File too large", "os error 28", "os error 27", "quota")


@dataclass(frozen=True, slots=True)
class DeltaFolder:
    """`tables/` of a lake."""

    root: Path

    def write(self, name: str, rows: pa.Table, keys: Collection[Key], note: str) -> int:
        """Replace exactly these source-days in one transaction; returns the new version.

        Raises:
            EvidenceError: the disk refuses, or somebody else wrote the same days meanwhile.
        """
        folder = self.root / name
        predicate = _predicate(keys) if DeltaTable.is_deltatable(str(folder)) else None
        try:
            write_deltalake(
                str(folder),
                rows,
                mode="overwrite",
                partition_by=PARTITIONS,
                predicate=predicate,
                writer_properties=_WRITER,
                commit_properties=CommitProperties(custom_metadata={"countersign": note}),
            )
        except (OSError, DeltaError) as error:
            if _is_full(error):
                raise storage_failed(f"lake table {name}", error) from error
            raise EvidenceError(
                f"lake table {name}",
                expected="one writer at a time",
                observed=str(error)[:300],
                remedy="Run `countersign admit` again; nothing was changed.",
            ) from error
        return int(DeltaTable(str(folder)).version())

    def files(self, name: str, version: int, days: Collection[str] | None = None) -> list[str]:
        """The Parquet files of one version, those of the given days only, sorted."""
        uris = DeltaTable(str(self.root / name), version=version).file_uris()
        return sorted(uri for uri in uris if days is None or day_of(uri) in days)

    def read(self, name: str, version: int, days: Collection[str]) -> pa.Table | None:
        """Rows of some days of one version; None when there are none."""
        parts = [_read(file) for file in self.files(name, version, days)]
        return pa.concat_tables(parts, promote_options="default") if parts else None


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
