"""Rows in the order in which they came in: one JSON Lines file for each day of arrival.

A row is acknowledged after it is on the disk. Files only grow, so a place in them (`Place`) stays
what it is while rows arrive: a reader that follows places sees each row once. What a killed
writer left unfinished was acknowledged to no one; the next writer takes it away. Several
processes may write and read: a lock on the file orders the writers. POSIX, standard library only.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

_TAIL: Final = 65_536


@dataclass(frozen=True, slots=True)
class Place:
    """Behind a row: the next one of that day begins at the offset."""

    day: date
    offset: int

    def __str__(self) -> str:
        return f"{self.day}.{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read `2026-11-09.4096`.

        Raises:
            ValueError: it is no place.
        """
        day, dot, offset = text.partition(".")
        if not dot or not offset.isascii() or not offset.isdigit() or len(offset) > 15:
            raise ValueError(text)
        return cls(date.fromisoformat(day), int(offset))


@dataclass(frozen=True, slots=True)
class Journal:
    """A folder of `YYYY-MM-DD.jsonl`."""

    folder: Path
    clock: Callable[[], datetime]

    def append(self, lines: bytes) -> None:
        """Add whole lines to today's file; on return they are on the disk.

        Raises:
            OSError: they could not be kept; nothing of them is left behind.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(self.clock().astimezone(UTC).date())
        is_new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _add(handle, lines, _mended(handle))
        finally:
            os.close(handle)
        if is_new:
            _flush(self.folder)

    def rows(self, days: Iterable[date], after: Place | None) -> Iterator[tuple[bytes, Place]]:
        """Yield the whole lines of the days, in their order of arrival, each with its place.

        Raises:
            ValueError: `after` is not behind a row.
        """
        for day in days:
            if after is None or day >= after.day:
                yield from self._day(day, after.offset if after and after.day == day else 0)

    def _day(self, day: date, offset: int) -> Iterator[tuple[bytes, Place]]:
        try:
            file = self._path(day).open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(max(0, offset - 1))
            if offset and file.read(1) != b"\n":
                raise ValueError(f"{day}.{offset}")
            for line in file:
                if not line.endswith(b"\n"):
                    return
                offset += len(line)
                yield line, Place(day, offset)

    def _path(self, day: date) -> Path:
        return self.folder / f"{day}.jsonl"


def _mended(handle: int) -> int:
    """Cut off an unfinished last line; return where the next begins."""
    size = os.fstat(handle).st_size
    kept = size
    while kept:
        start = max(0, kept - _TAIL)
        found = os.pread(handle, kept - start, start).rfind(b"\n")
        if found >= 0:
            kept = start + found + 1
            break
        kept = start
    if kept < size:
        os.ftruncate(handle, kept)
    return kept


def _add(handle: int, lines: bytes, size: int) -> None:
    try:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise


def _flush(folder: Path) -> None:
    """A new name survives a power cut only when its folder is flushed too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
