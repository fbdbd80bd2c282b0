"""Exported files that carry their day in the path: `2026-11-09/a.jsonl`, `2026-11-09.jsonl`."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from countersign.connectors.interface import Folder
from countersign.model import Window

_DAY: Final = re.compile(r"(?:^|/)(\d{4}-\d{2}-\d{2})(?=[./]|$)")


def around(folder: Folder, window: Window, days: int) -> Iterator[bytes]:
    """Yield the files of the window and of so many days around, and those without a day."""
    first, last = window.start - timedelta(days=days), window.end + timedelta(days=days - 1)
    for name in folder.names():
        day = _day(name)
        if day is None or first <= day <= last:
            yield folder.read(name)


def _day(name: str) -> date | None:
    match = _DAY.search(name)
    try:
        return date.fromisoformat(match.group(1)) if match else None
    except ValueError:
        return None
