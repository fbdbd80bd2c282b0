"""Days of ready rows: what the gateway's and the meters' APIs serve, written once.

One file per source and day; each line is start, end (microseconds) and the JSON of one row, in
order of start, so that a page is a slice joined with commas.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from countersign.world.reply import days_between


@dataclass(frozen=True, slots=True)
class Row:
    """One ready row."""

    start_us: int
    end_us: int
    body: bytes


def write(file: Path, rows: Iterable[tuple[int, int, str]]) -> None:
    """Write one day's rows in order of time."""
    ordered = sorted(rows)
    text = "".join(f"{start} {end} {body}\n" for start, end, body in ordered)
    file.write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class RowFiles:
    """The rows of one source as of `now_us`: what ended later is not there yet."""

    folder: Path
    now_us: int

    def between(self, start_us: int, end_us: int) -> list[Row]:
        """Rows that start in a span, both ends included."""
        found: list[Row] = []
        for day in days_between(start_us, end_us + 1):
            file = self.folder / f"{day}.rows"
            if file.exists():
                found += [
                    row
                    for row in _rows(file, file.stat().st_mtime_ns)
                    if start_us <= row.start_us <= end_us and row.end_us <= self.now_us
                ]
        return found


@lru_cache(maxsize=16)
def _rows(file: Path, written: int) -> tuple[Row, ...]:  # noqa: ARG001 - part of the cache's key
    rows = []
    for line in file.read_bytes().splitlines():
        start, end, body = line.split(b" ", 2)
        rows.append(Row(int(start), int(end), body))
    return tuple(rows)
