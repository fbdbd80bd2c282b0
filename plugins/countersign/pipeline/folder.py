"""The other edge where bytes come in: the files of one exported folder."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from countersign.errors import Fault, SourceError


@dataclass(frozen=True)
class DiskFolder:
    """The files of an exported folder, or one file (`Folder`). Links that lead out are refused."""

    source: str
    root: Path

    def names(self) -> Sequence[str]:
        """Every file's path below the folder, sorted; hidden files are left out.

        Raises:
            SourceError: the folder is not there, or a link leads out of it.
        """
        if self.root.is_file():
            return (self.root.name,)
        if not self.root.is_dir():
            raise self._error(Fault.UNREACHABLE, "", "a folder of exported files", "nothing there")
        found = []
        for folder, _, files in os.walk(self.root, onerror=self._unlistable):
            found += [Path(folder, name) for name in files if not name.startswith(".")]
        names = sorted(path.relative_to(self.root).as_posix() for path in found)
        for name in names:
            self._inside(name)
        return tuple(names)

    def read(self, name: str) -> bytes:
        """The bytes of one file.

        Raises:
            SourceError: it is not there, cannot be read, or lies outside the folder.
        """
        try:
            return self._inside(name).read_bytes()
        except OSError as error:
            raise self._error(
                Fault.UNREACHABLE, name, "a readable file", error.strerror or str(error)
            ) from None

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of one file, so many at a time.

        Raises:
            SourceError: it is not there, cannot be read, or lies outside the folder.
        """
        try:
            with self._inside(name).open("rb") as file:
                while piece := file.read(size):
                    yield piece
        except OSError as error:
            raise self._error(
                Fault.UNREACHABLE, name, "a readable file", error.strerror or str(error)
            ) from None

    def _inside(self, name: str) -> Path:
        """Resolve a name, and refuse one that leads elsewhere."""
        if self.root.is_file() and name == self.root.name:
            return self.root
        resolved = (self.root / name).resolve()
        if not resolved.is_relative_to(self.root.resolve()):
            raise self._error(Fault.REFUSED, name, "a file in the folder", "a path that leads out")
        return resolved

    def _unlistable(self, error: OSError) -> None:
        raise self._error(
            Fault.UNREACHABLE,
            str(error.filename),
            "a readable folder",
            error.strerror or str(error),
        )

    def _error(self, fault: Fault, name: str, expected: str, observed: str) -> SourceError:
        return SourceError(
            self.source,
            fault,
            page=name,
            expected=f"{expected} at {self.root}",
            observed=observed,
            remedy=f"Check [sources.{self.source}] url and the export job that fills it.",
        )
