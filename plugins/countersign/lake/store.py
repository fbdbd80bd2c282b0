"""Where bytes lie: named files that appear whole or not at all.

A name is a `/`-separated path below one root. Nothing here knows what the bytes mean.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from countersign.errors import EvidenceError, Fault

_TEMPORARY = ".tmp-"
_SHARED_MODE, _PRIVATE_MODE = 0o644, 0o600


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
            raise EvidenceError(
                f"lake file {name}",
                expected="kept bytes",
                observed="nothing there",
                remedy="Restore it from a backup; what was derived from it cannot be checked.",
            ) from None

    def exists(self, name: str) -> bool:
        """Whether the name was written."""
        return self._path(name).is_file()

    def names(self, prefix: str = "") -> list[str]:
        """Every name below a folder, sorted; files still being written are not there yet."""
        below = self._path(prefix) if prefix else self.root
        return sorted(
            (Path(folder) / file).relative_to(self.root).as_posix()
            for folder, _, files in os.walk(below)
            for file in files
            if not file.startswith(_TEMPORARY)
        )

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts or "\0" in name:
            raise EvidenceError(
                "lake file name", expected="a path below the lake", observed=repr(name)[:120]
            )
        return self.root.joinpath(*parts)


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


def storage_failed(thing: str, error: Exception) -> EvidenceError:
    """The error of a write that did not happen."""
    return EvidenceError(
        f"{thing}: {Fault.STORAGE}",
        expected="the bytes written",
        observed=str(getattr(error, "strerror", None) or error),
        remedy="Free space or fix permissions, then run it again: the old state is unharmed.",
    )
