"""A drop folder: what came in over the wire, kept verbatim as files that a connector reads.

Names are `YYYY-MM-DD/<sha256><suffix>`, the day being that of arrival: the same bytes sent again
on that day are one file. A file is there whole or not at all: it is written under a hidden name,
flushed to the disk, and only then linked to its own. Standard library only.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Drop:
    """A folder that only grows. Safe for several threads and processes at once."""

    folder: Path
    clock: Callable[[], datetime]

    def write(self, body: bytes, suffix: str = ".jsonl") -> str:
        """Keep the bytes; return the file's name below the folder once they are on the disk.

        Raises:
            OSError: they could not be kept (full disk, no permission); nothing is left behind.
        """
        day = self.clock().astimezone(UTC).date().isoformat()
        place = self.folder / day
        if not place.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            _flush(self.folder)
        name = hashlib.sha256(body).hexdigest() + suffix
        _create(place / name, body)
        return f"{day}/{name}"


def _create(path: Path, body: bytes) -> None:
    handle, hidden = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        _name(hidden, path)
    finally:
        Path(hidden).unlink(missing_ok=True)
    _flush(path.parent)


def _name(hidden: str, path: Path) -> None:
    """Link, where the file system can: unlike a rename it never replaces what is there."""
    try:
        os.link(hidden, path)
    except FileExistsError:
        pass  # the same bytes by name: whole, because nothing is linked before it is flushed
    except OSError:
        Path(hidden).replace(path)


def _flush(folder: Path) -> None:
    """A new name survives a power cut only when its folder is flushed too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
