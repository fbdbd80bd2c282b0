"""A table in a file, CSV or Parquet: its column names, then its rows as plain values."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.errors import Fault

_PARQUET: Final = b"PAR1"
_SMALLEST: Final = 12
_BATCH: Final = 4_096
_ROWS: Final = 5_000_000
_BATCH_BYTES: Final = 256 * 2**20
_CELL_BYTES: Final = 2**16
"""A dictionary holds a text once for any number of rows: long ones would unpack to anything."""
_ABSENT: Final = ("", "NULL", "null")
_BROKEN: Final = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError)
"""What the Parquet reader raises over damaged files."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """Names, and rows of as many values. A row of another width comes as text that says so."""

    names: Sequence[str]
    rows: Iterator[Sequence[Any] | str]


def read(page: Page) -> TableFile:
    """Open a table by its content: Parquet, else CSV, either packed by gzip or not.

    In CSV the word NULL and the empty cell are absent.

    Raises:
        SourceError: neither of the two, cut short, or with a column twice. Rows raise it too.
    """
    page = plain(page)
    table = _parquet(page) if page.body.startswith(_PARQUET) else _csv(page)
    twice = {name for name in table.names if table.names.count(name) > 1}
    if twice:
        raise page.fault(Fault.MALFORMED, "each column once", f"{min(twice)!r} more than once")
    return table


def _csv(page: Page) -> TableFile:
    content = page.text()
    if not content.strip():
        raise page.fault(Fault.TRUNCATED, "a table", "no content")
    lines = csv.reader(io.StringIO(content, newline=""), strict=True)
    counted = _counted(page, lines)
    _, names = next(counted)
    rows = _cells(page, counted, len(names), is_ended=content.endswith(("\n", "\r")))
    return TableFile([name.strip() for name in names], rows)


def _counted(page: Page, lines: Any) -> Iterator[tuple[int, list[str]]]:
    try:
        for line in lines:
            yield lines.line_num, line
    except csv.Error as error:
        cut = "unexpected end" in str(error)
        raise page.fault(
            Fault.TRUNCATED if cut else Fault.MALFORMED, "CSV", f"line {lines.line_num}: {error}"
        ) from None


def _cells(
    page: Page, lines: Iterator[tuple[int, list[str]]], width: int, *, is_ended: bool
) -> Iterator[Sequence[str | None] | str]:
    short = ""
    for number, line in lines:
        if short:
            yield short
            short = ""
        if len(line) == width:
            yield [None if cell in _ABSENT else cell for cell in line]
        elif line:
            short = f"line {number} has {len(line)} cells, not {width}"
    if short and not is_ended:
        raise page.fault(Fault.TRUNCATED, "a whole last line", short)
    if short:
        yield short


def _parquet(page: Page) -> TableFile:
    if len(page.body) < _SMALLEST or not page.body.endswith(_PARQUET):
        raise page.fault(Fault.TRUNCATED, "Parquet to its end", f"{len(page.body)} bytes of it")
    try:
        file = pq.ParquetFile(pa.BufferReader(page.body))
        _bound(page, file)
        names = [str(name) for name in file.schema_arrow.names]
        texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type)]
        file = pq.ParquetFile(pa.BufferReader(page.body), read_dictionary=texts)
    except _BROKEN as error:
        raise _unreadable(page, error) from None
    return TableFile(names, _rows(page, file))


def _bound(page: Page, file: pq.ParquetFile) -> None:
    """A few bytes of Parquet can stand for any number of rows."""
    rows = file.metadata.num_rows
    if rows > _ROWS:
        raise page.fault(Fault.MALFORMED, f"at most {_ROWS} rows a file", f"{rows}")


def _rows(page: Page, file: pq.ParquetFile) -> Iterator[Sequence[Any]]:
    try:
        for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
            batch.validate(full=True)  # damaged indexes would point at other texts
            if batch.nbytes > _BATCH_BYTES:
                raise _unreadable(page, ValueError(f"{_BATCH} rows of {batch.nbytes} bytes"))
            yield from zip(*(_values(page, column) for column in batch.columns), strict=True)
    except _BROKEN as error:
        raise _unreadable(page, error) from None


def _values(page: Page, column: pa.Array) -> list[Any]:
    """Times in whole microseconds, because Python knows no finer; each distinct text once."""
    if pa.types.is_dictionary(column.type):
        words: list[Any] = column.dictionary.to_pylist()
        if any(isinstance(word, str) and len(word) > _CELL_BYTES for word in words):
            raise page.fault(Fault.MALFORMED, f"cells of at most {_CELL_BYTES} characters", "more")
        return [None if at is None else words[at] for at in column.indices.to_pylist()]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _unreadable(page: Page, error: BaseException) -> Exception:
    said = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
    return page.fault(Fault.MALFORMED, "readable Parquet", said)
