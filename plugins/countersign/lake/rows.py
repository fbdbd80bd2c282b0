"""Rows of one kind's batch as judges and writers see them: committed, marked, and filtered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from countersign.lake.spool import Spool

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Positions: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Change: TypeAlias = Callable[[pa.Table], pa.Table]


class Chunked(Protocol):
    """Rows that are read in chunks, in order, any columns, any number of times."""

    @property
    def column_names(self) -> list[str]:
        """Every column."""
        ...

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        ...

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read the rows, these columns of them."""
        ...


def _as_it_is(chunk: pa.Table) -> pa.Table:
    return chunk


@dataclass(frozen=True)
class Rows:
    """The rows of a spool that are kept, with marks beside their own columns."""

    spool: Spool
    kept: Mask
    marks: Mapping[str, pa.Array] = field(default_factory=dict)
    """Further columns, as long as the spool."""
    read: Change = _as_it_is
    """What becomes of a chunk when it is read."""
    whole: Change | None = None
    """What becomes of a chunk when all its columns are read."""

    @classmethod
    def of(cls, spool: Spool, read: Change = _as_it_is) -> "Rows":
        """Every row of a spool."""
        return cls(spool, np.ones(spool.num_rows, np.bool_), read=read)

    @classmethod
    def held(cls, table: pa.Table) -> "Rows":
        """The rows of a small table."""
        spool = Spool(table.schema, Path())
        spool.append(table)
        return cls.of(spool)

    @property
    def column_names(self) -> list[str]:
        """Every column."""
        return [*self.spool.schema.names, *self.marks]

    @property
    def num_rows(self) -> int:
        """How many rows are kept."""
        return int(np.count_nonzero(self.kept))

    def where(self, holds: Mask) -> "Rows":
        """The rows that are kept and for which something holds."""
        return replace(self, kept=self.kept & holds)

    def marked(self, **marks: pa.Array) -> "Rows":
        """The rows with further columns."""
        return replace(self, marks={**self.marks, **marks})

    def then(self, change: Change) -> "Rows":
        """The rows, changed chunk by chunk when all their columns are read."""
        return replace(self, whole=change)

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read the rows, these columns of them."""
        for _, chunk in self.numbered(columns):
            yield chunk

    def numbered(
        self, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[Positions, pa.Table]]:
        """Read the rows with their positions in the spool; chunks without rows are left out."""
        for number in range(self.spool.chunk_count):
            start = self.spool.start(number)
            kept = self.kept[start : start + self.spool.start(1)]
            places = np.flatnonzero(kept)
            if len(places):
                chunk = self._chunk(number, columns)
                if len(places) < len(kept):
                    chunk = chunk.take(pa.array(places))
                if self.whole is not None and columns is None:
                    chunk = self.whole(chunk)
                yield places + start, chunk

    def _chunk(self, number: int, columns: Sequence[str] | None) -> pa.Table:
        names = self.column_names if columns is None else list(columns)
        own = [name for name in names if name not in self.marks]
        # A chunk of marks alone still needs its number of rows.
        chunk = self.read(self.spool.chunk(number, own or self.spool.schema.names[:1]))
        start = self.spool.start(number)
        for name in self.marks:
            if name in names:
                chunk = chunk.append_column(name, self.marks[name].slice(start, chunk.num_rows))
        return chunk.select(names)
