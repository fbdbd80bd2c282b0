"""What writers that died left behind is removed once nobody can commit it any more.

A data file of a table is an orphan when no version in the table's log ever named it and it is
older than a day: a writer that is still at work commits long before that. Files of old versions
are no orphans. Half-written files and uploads in parts go by the same age.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from countersign.errors import EvidenceError
from countersign.lake.delta import TABLES
from countersign.lake.store import Listed, Store
from countersign.model import US_PER_DAY

GRACE_US: Final = US_PER_DAY
_LOG: Final = "_delta_log"
_FIRST: Final = f"{0:020d}.json"
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was removed, and what could not be looked at or removed."""

    orphans: int
    unfinished: int
    bytes: int
    refused: tuple[str, ...]

    @property
    def is_news(self) -> bool:
        """Whether there is something to tell."""
        return bool(self.orphans or self.unfinished or self.refused)

    @property
    def sentence(self) -> str:
        """One line for a log or a command's result."""
        said = (
            f"{self.orphans} uncommitted files ({self.bytes:,} bytes) and"
            f" {self.unfinished} unfinished writes removed"
        )
        return "; ".join([said, *self.refused])


def tidy(store: Store, now_us: int) -> Tidied:
    """Remove what is older than a day and was never committed. `now_us` is the machine's clock."""
    before_us = now_us - GRACE_US
    # The names first, the logs after: what is committed in between is then known as committed.
    listed: dict[str, list[Listed]] = {}
    for found in store.listed(TABLES):
        listed.setdefault(found.name.split("/")[1], []).append(found)
    refused: list[str] = []
    removed: list[Listed] = []
    for table, files in sorted(listed.items()):
        orphans = _orphans(store, table, files, before_us)
        if orphans is None:
            refused.append(f"table {table} was left alone: its log does not begin at version 0")
        removed += _deleted(store, orphans or (), refused)
    swept = store.sweep(before_us)
    size = sum(file.bytes for file in removed)
    return Tidied(len(removed), swept.removed, size, (*refused, *swept.refused))


def _orphans(
    store: Store, table: str, files: Sequence[Listed], before_us: int
) -> list[Listed] | None:
    """Old files that no commit names; None when not every commit is there to be asked."""
    folder = f"{TABLES}/{table}"
    logs = [file for file in files if file.name.startswith(f"{folder}/{_LOG}/")]
    commits = {file.name for file in logs if not _is_draft(file)}
    old = [file for file in files if file.written_us < before_us]
    stale = [file for file in old if file in logs and _is_draft(file)]
    parts = [file for file in old if file not in logs and file.name.endswith(".parquet")]
    if parts and commits and f"{folder}/{_LOG}/{_FIRST}" not in commits:
        return None
    known = {f"{folder}/{path}" for path in _named(store, table)} if parts else set()
    return stale + [file for file in parts if file.name not in known]


def _named(store: Store, table: str) -> Iterator[str]:
    """Every data file that any commit of a table ever added or removed."""
    commits = [n for n in store.names(f"{TABLES}/{table}/{_LOG}") if n.endswith(".json")]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for content in pool.map(store.get, commits):
            for line in content.splitlines():
                yield from _paths(json.loads(line))


def _paths(action: dict[str, Any]) -> Iterator[str]:
    for kind in ("add", "remove", "cdc"):
        if kind in action:
            yield unquote(action[kind]["path"])


def _is_draft(file: Listed) -> bool:
    return file.name.rsplit("/", 1)[1].startswith("_commit_")


def _deleted(store: Store, files: Iterable[Listed], refused: list[str]) -> Iterator[Listed]:
    for file in files:
        try:
            store.delete(file.name)
        except EvidenceError as error:
            refused.append(str(error))
        else:
            yield file
