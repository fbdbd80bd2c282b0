"""Exported files that carry their day in the path: `2026-11-09/a.jsonl`, `2026-11-09.jsonl`.

A long file of JSON Lines becomes pages of whole lines, so that memory does not grow with it. The
pages, one after the other, are the file.
"""

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import chain
from typing import Final

from countersign.connectors.interface import Folder, Pieces
from countersign.model import Window

_DAY: Final = re.compile(r"(?:^|/)(\d{4}-\d{2}-\d{2})(?=[./]|$)")


PAGE_BYTES: Final = 8 * 2**20


def around(folder: Folder, window: Window, days: int) -> Iterator[bytes]:
    """Yield the files of the window and of so many days around, and those without a day."""
    first, last = window.start - timedelta(days=days), window.end + timedelta(days=days - 1)
    for name in folder.names():
        day = _day(name)
        if day is None or first <= day <= last:
            yield from pages(folder, name)


def pages(folder: Folder, name: str, size: int = PAGE_BYTES) -> Iterator[bytes]:
    """Yield a file whole, or in pages of about `size` when it is longer and JSON Lines."""
    pieces = _pieces(folder, name, size)
    first = next(pieces, b"")
    second = next(pieces, b"")
    if not second or not _is_lines(first):
        yield b"".join((first, second, *pieces))
        return
    rest = first
    for piece in chain((second,), pieces):
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end]
        rest = rest[end:] + piece
    end = rest.rfind(b"\n", 0, -1) + 1 if len(rest) > size else 0
    yield from filter(None, (rest[:end], rest[end:]))


def _pieces(folder: Folder, name: str, size: int) -> Iterator[bytes]:
    if isinstance(folder, Pieces):
        yield from folder.pieces(name, size)
        return
    content = folder.read(name)
    for start in range(0, len(content), size):
        yield content[start : start + size]


def _is_lines(piece: bytes) -> bool:
    """Whether a file begins with a line that is a JSON object by itself."""
    line, newline, _ = piece.partition(b"\n")
    try:
        return bool(newline) and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _day(name: str) -> date | None:
    match = _DAY.search(name)
    try:
        return date.fromisoformat(match.group(1)) if match else None
    except ValueError:
        return None
