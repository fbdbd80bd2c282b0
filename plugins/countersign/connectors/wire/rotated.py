"""Files that a rotating writer leaves: `traces-2026-11-02T05-02-14.173.json`, beside the live one.

The name says when the file was closed, so it holds what was written since the one before it.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import Final

from countersign.connectors.interface import Folder
from countersign.connectors.wire.dated_file import around
from countersign.model import Window

_CLOSED: Final = re.compile(r"^(.+)-(\d{4}-\d{2}-\d{2})T\d{2}-\d{2}-\d{2}\.\d{3}(\.[^/]*)?$")


def kept(folder: Folder, window: Window, days: int) -> Iterator[bytes]:
    """Yield the files that can hold rows of the window, written up to so many days around it.

    Files under a day's folder go by that day. A rotated file is left out when it was closed
    before, or when another of its series was closed after the window's days and before it.
    """
    return around(_Open(folder, _left_out(folder, window, days)), window, days)


class _Open:
    """A folder without some of its files."""

    def __init__(self, folder: Folder, left_out: frozenset[str]) -> None:
        self._folder = folder
        self._left_out = left_out

    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self._folder.names() if name not in self._left_out)

    def read(self, name: str) -> bytes:
        return self._folder.read(name)


def _left_out(folder: Folder, window: Window, days: int) -> frozenset[str]:
    first, beyond = window.start - timedelta(days=days), window.end + timedelta(days=days)
    found: set[str] = set()
    complete: set[tuple[str, str]] = set()
    for name in folder.names():  # sorted: the files of a series come in the order of closing
        closed = _closed(name)
        if closed is None:
            continue
        series, day = closed
        if day < first or series in complete:
            found.add(name)
        elif day >= beyond:
            complete.add(series)
    live = {name for name in folder.names() if _closed(name) is None and _series(name) in complete}
    return frozenset(found | live)


def _closed(name: str) -> tuple[tuple[str, str], date] | None:
    match = _CLOSED.match(name)
    try:
        day = date.fromisoformat(match.group(2)) if match else None
    except ValueError:
        return None
    return ((match.group(1), match.group(3) or ""), day) if match and day else None


def _series(name: str) -> tuple[str, str]:
    path = PurePosixPath(name)
    return str(path.with_suffix("")), path.suffix
