"""Files that are either the old ones or the new ones, whatever moment the machine stops at."""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder, each whole and durable before its name appears.

    When this returns, contents and names are on disk.
    """
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = _scratch(target)
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(target)
    for directory in _directories(folder, files):
        _sync(directory)


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files and what an interrupted `write` of them left; absent ones are fine."""
    for name in names:
        target = folder / name
        target.unlink(missing_ok=True)
        _scratch(target).unlink(missing_ok=True)


def remove_all(directory: Path) -> None:
    """Remove a directory of files; an absent one is fine."""
    if directory.is_dir():
        remove(directory, [file.name for file in directory.iterdir()])
        directory.rmdir()


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold the lock file while the block runs; the system frees it when a process dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _scratch(target: Path) -> Path:
    return target.with_name(f".{target.name}.new")


def _directories(folder: Path, names: Iterable[str]) -> set[Path]:
    # A new directory is a name in its parent, so parents are synced too.
    return {folder, *(folder / parent for name in names for parent in Path(name).parents)}


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
