"""Rows of a batch on their way into the lake: on scratch disk, in order, read back in chunks.

A day may have millions of rows, and memory must not grow with it. The scratch file has no name:
it is gone with the process, however that ends. A small batch never leaves memory.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa

from countersign.lake.store import storage_failed

CHUNK_ROWS: Final = 32_768
_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4")


class Spool:
    """Append tables of one schema; then read chunks of them, any columns, any number of times."""

    def __init__(self, schema: pa.Schema, folder: Path, chunk_rows: int = CHUNK_ROWS) -> None:
        self.schema = schema
        self.num_rows = 0
        self.folder = folder
        self._chunk_rows = chunk_rows
        self._pending: list[pa.Table] = []
        self._waiting = 0
        self._file: IO[bytes] | None = None
        self._writer: Any = None

    def append(self, table: pa.Table) -> None:
        """Add rows at the end.

        Raises:
            EvidenceError: the disk refuses.
        """
        self._pending.append(table.select(self.schema.names))
        self._waiting += table.num_rows
        self.num_rows += table.num_rows
        while self._waiting >= self._chunk_rows:
            whole = pa.concat_tables(self._pending)
            self._write(whole.slice(0, self._chunk_rows))
            rest = whole.slice(self._chunk_rows)
            self._pending, self._waiting = [rest], rest.num_rows

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read the rows from the first to the last, these columns of them."""
        for number in range(self.chunk_count):
            yield self.chunk(number, columns)

    @property
    def chunk_count(self) -> int:
        """How many chunks there are: all have the same number of rows, but for the last."""
        return -(-self.num_rows // self._chunk_rows)

    def start(self, number: int) -> int:
        """The position of a chunk's first row."""
        return number * self._chunk_rows

    def chunk(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one chunk."""
        names = self.schema.names if columns is None else list(columns)
        if self._writer is not None:
            self._close_writer()
        if self._file is None or number * self._chunk_rows >= self.num_rows - self._waiting:
            return pa.concat_tables(self._pending).select(names)
        fields = sorted(self.schema.get_field_index(name) for name in names)
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        self._file.seek(0)
        with pa.ipc.open_file(pa.PythonFile(self._file, "r"), options=options) as reader:
            return pa.Table.from_batches([reader.get_batch(number)]).select(names)

    def _write(self, chunk: pa.Table) -> None:
        try:
            if self._file is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 - until read
                sink = pa.PythonFile(self._file, "w")
                self._writer = pa.ipc.new_file(sink, self.schema, options=_OPTIONS)
            self._writer.write_batch(chunk.combine_chunks().to_batches()[0])
        except OSError as error:
            raise storage_failed(f"scratch file in {self.folder}", error) from error

    def _close_writer(self) -> None:
        try:
            self._writer.close()
        except OSError as error:
            raise storage_failed(f"scratch file in {self.folder}", error) from error
        self._writer = None
