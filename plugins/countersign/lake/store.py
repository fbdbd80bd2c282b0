"""Where bytes lie: named files that appear whole or not at all.

A name is a `/`-separated path below one root. Nothing here knows what the bytes mean.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from countersign.errors import EvidenceError, Fault
from countersign.lake.probe import probe

_TEMPORARY: Final = ".tmp-"
_STAGED: Final = re.compile(r"#\d+$")
"""How the table library names what it is still writing into a folder."""
_SHARED_MODE, _PRIVATE_MODE = 0o644, 0o600


@dataclass(frozen=True, slots=True)
class Listed:
    """A stored name, its size, and when the store says it was written."""

    name: str
    bytes: int
    written_us: int


@dataclass(frozen=True, slots=True)
class Swept:
    """How many half-written things were removed, and what could not be looked at or removed."""

    removed: int = 0
    refused: tuple[str, ...] = ()


class Store(Protocol):
    """Named bytes. A write is durable when it returns, and a reader never sees half of one."""

    def put_new(self, name: str, content: bytes, *, private: bool = False) -> bool:
        """Create the name; False, and nothing written, when it exists already."""
        ...

    def replace(self, name: str, content: bytes, *, private: bool = False) -> None:
        """Set the name's bytes: a reader sees the old ones or the new ones."""
        ...

    def get(self, name: str) -> bytes:
        """The bytes of a name.

        Raises:
            EvidenceError: there is no such name, or it cannot be read.
        """
        ...

    def exists(self, name: str) -> bool:
        """Whether the name was written."""
        ...

    def names(self, prefix: str = "") -> list[str]:
        """Every name below a folder, sorted."""
        ...

    def listed(self, prefix: str = "") -> Iterator[Listed]:
        """Every name below a folder with its size and age, in no order."""
        ...

    def delete(self, name: str) -> None:
        """Remove a name for good; one that is not there is no error.

        Raises:
            EvidenceError: the store keeps it.
        """
        ...

    def sweep(self, before_us: int) -> Swept:
        """Remove what writers that died before an instant left half-written."""
        ...

    def prove(self) -> None:
        """Put the store to the test.

        Raises:
            ConfigError: it lets a name be created twice, and so would lose commits.
        """
        ...


class LocalStore:
    """A folder. Bytes are written beside their name, synced, and linked or renamed into place."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_new(self, name: str, content: bytes, *, private: bool = False) -> bool:
        """Create the name; False when it exists already."""
        target = self._path(name)
        with _storage(name):
            if target.exists():
                return False
            with _written(target, content, private) as temporary:
                try:
                    os.link(temporary, target)
                except FileExistsError:
                    return False
        return True

    def replace(self, name: str, content: bytes, *, private: bool = False) -> None:
        """Set the name's bytes in one step."""
        target = self._path(name)
        with _storage(name), _written(target, content, private) as temporary:
            temporary.replace(target)

    def get(self, name: str) -> bytes:
        """The bytes of a name."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            raise kept_bytes_missing(name) from None

    def exists(self, name: str) -> bool:
        """Whether the name was written."""
        return self._path(name).is_file()

    def names(self, prefix: str = "") -> list[str]:
        """Every name below a folder, sorted; files still being written are not there yet."""
        below = self._path(prefix) if prefix else self.root
        return sorted(
            path.relative_to(self.root).as_posix()
            for path in _files(below)
            if not _is_unfinished(path.name)
        )

    def listed(self, prefix: str = "") -> Iterator[Listed]:
        """Every name below a folder with its size and age."""
        for name in self.names(prefix):
            with suppress(FileNotFoundError):  # removed while the folder was walked
                stat = self._path(name).stat()
                yield Listed(name, stat.st_size, stat.st_mtime_ns // 1_000)

    def delete(self, name: str) -> None:
        """Remove a name for good."""
        target = self._path(name)
        with _storage(name):
            if target.exists():
                target.unlink(missing_ok=True)
                _sync_folder(target.parent)

    def sweep(self, before_us: int) -> Swept:
        """Remove temporary files of writers that died before an instant."""
        removed = 0
        for path in _files(self.root):
            with suppress(FileNotFoundError):
                if _is_unfinished(path.name) and path.stat().st_mtime_ns // 1_000 < before_us:
                    path.unlink()
                    removed += 1
        return Swept(removed)

    def prove(self) -> None:
        """Create a scratch name twice; the folder may lie on a file system that allows it."""
        probe(self.put_new, self, str(self.root))

    def _path(self, name: str) -> Path:
        return self.root.joinpath(checked(name))


def checked(name: str) -> str:
    """The name, if every store can hold it.

    Raises:
        EvidenceError: it leads out of the lake, is not in its shortest form, or has characters
            that some store refuses.
    """
    path = PurePosixPath(name)
    plain = name == path.as_posix() and not path.is_absolute() and name.isprintable()
    if not plain or {"", ".", ".."} & {name, *path.parts} or _is_unfinished(path.name):
        raise EvidenceError(
            "lake file name", expected="a path below the lake", observed=repr(name)[:120]
        )
    return name


def _is_unfinished(file: str) -> bool:
    return file.startswith(_TEMPORARY) or _STAGED.search(file) is not None


def _files(below: Path) -> Iterator[Path]:
    for folder, _, files in os.walk(below):
        yield from (Path(folder, file) for file in files)


@contextmanager
def _written(target: Path, content: bytes, private: bool) -> Iterator[Path]:
    """A synced temporary file beside the target; its folder is synced after the block."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), _PRIVATE_MODE if private else _SHARED_MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _storage(name: str) -> Iterator[None]:
    """Name the file when the disk refuses; what was there before is still there."""
    try:
        yield
    except OSError as error:
        raise storage_failed(f"lake file {name}", error) from error


def kept_bytes_missing(name: str) -> EvidenceError:
    """The error of a name that is not there."""
    return EvidenceError(
        f"lake file {name}",
        expected="kept bytes",
        observed="nothing there",
        remedy="Restore it from a backup; what was derived from it cannot be checked.",
    )


def storage_failed(thing: str, error: Exception) -> EvidenceError:
    """The error of a write that did not happen."""
    return EvidenceError(
        f"{thing}: {Fault.STORAGE}",
        expected="the bytes written",
        observed=str(getattr(error, "strerror", None) or error),
        remedy="Free space or fix permissions, then run it again: the old state is unharmed.",
    )
