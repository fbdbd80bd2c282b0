"""Local copies of immutable files of a bucket: the engine reads folders only.

A table's data file is named once and never changes, so a copy is the file or nothing. Copies may
be deleted at any time; `drop_all_but` removes those whose original is gone.
"""

import os
import tempfile
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from countersign.lake.store import storage_failed

_AT_ONCE: Final = 8


class Copying(Protocol):
    """A store whose files can be written into a folder."""

    def copy(self, name: str, file: Path) -> None:
        """Write the bytes of a name into a file."""
        ...


@dataclass(frozen=True, slots=True)
class Copies:
    """A folder of copies."""

    store: Copying
    folder: Path

    def paths(self, names: Iterable[str]) -> list[str]:
        """The copies' paths in the order of the names, fetched where they are not there yet.

        Raises:
            EvidenceError: the bucket or the disk refuses.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [str(path) for path in pool.map(self._path, names)]

    def drop_all_but(self, names: Collection[str]) -> int:
        """Remove copies of other names, and what a killed reader left half-written."""
        kept = {self.folder / name for name in names}
        dropped = [Path(f, n) for f, _, files in os.walk(self.folder) for n in files]
        gone = [path for path in dropped if path not in kept]
        for path in gone:
            path.unlink(missing_ok=True)
        return len(gone)

    def drop(self, names: Iterable[str]) -> None:
        """Remove the copies of some names."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        target = self.folder / name
        if not target.exists():
            try:
                self._fetch(name, target)
            except OSError as error:
                raise storage_failed(f"copy {target}", error) from error
        return target

    def _fetch(self, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".tmp-", dir=target.parent)
        os.close(handle)
        try:
            self.store.copy(name, Path(draft))
            Path(draft).replace(target)
        finally:
            Path(draft).unlink(missing_ok=True)
