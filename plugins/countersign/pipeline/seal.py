"""Seal: findings and hourly manifests become entries of the log, under one checkpoint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from countersign.attest import entries
from countersign.attest.hours import Hour
from countersign.canonical import Json, digest
from countersign.canonical import encode as canonical
from countersign.errors import EvidenceError
from countersign.model import Window
from countersign.pipeline import residency, witness
from countersign.pipeline.assess import findings
from countersign.pipeline.findings import Kept
from countersign.pipeline.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Seal:
    """A window's position in the log: which entry holds each finding and each hour."""

    window: Window
    size: int
    root: str
    sealed_at_us: int
    findings: tuple[tuple[str, int], ...]
    hours: tuple[tuple[str, int], ...]

    @property
    def sentence(self) -> str:
        """One line for a log or a task's result."""
        return (
            f"sealed {len(self.findings)} findings and {len(self.hours)} hours of {self.window}; "
            f"log size {self.size}, root {self.root[:16]}…"
        )

    def document(self) -> dict[str, Json]:
        """The JSON form."""
        return {
            "window": str(self.window),
            "size": self.size,
            "root": self.root,
            "sealed_at_us": self.sealed_at_us,
            "findings": [[name, leaf] for name, leaf in self.findings],
            "hours": [[name, leaf] for name, leaf in self.hours],
        }


def seal(ws: Workspace, window: Window) -> Seal:
    """Append what is not in the log yet; nothing new leaves the earlier seal as it is."""
    before = _latest(ws, window)
    named = {n: k for n in ws.controls if (k := findings(ws).latest(window, n)) is not None}
    hourly = _hours(ws, window, before)
    leaves = ws.log.append_once([*(_entry(k) for k in named.values()), *hourly.values()])
    found = tuple(zip(named, leaves[: len(named)], strict=True))
    hour_leaves = tuple(zip(hourly, leaves[len(named) :], strict=True))
    if before is not None and (before.findings, before.hours) == (found, hour_leaves):
        return before
    head = ws.log.head()
    sealed = Seal(window, head.size, head.root.hex(), ws.now_us(), found, hour_leaves)
    ws.lake.store.replace(_store_name(window), canonical(sealed.document()))
    witness.cosign(ws)
    return sealed


def sealed(ws: Workspace, window: Window) -> Seal:
    """The seal of a window.

    Raises:
        EvidenceError: there is none.
    """
    found = _latest(ws, window)
    if found is None:
        raise EvidenceError(
            f"seal of {window}",
            expected="sealed findings",
            observed="none",
            remedy=f"countersign assess --window {window}, then countersign seal --window {window}",
        )
    return found


def _entry(kept: Kept) -> bytes:
    finding = kept.finding
    return entries.finding(
        finding["control"],
        finding["window"],
        kept.content,
        state=finding["state"],
        status=finding["status"],
        version=finding["version"],
        supersedes=finding["supersedes"],
    )


def _hours(ws: Workspace, window: Window, before: Seal | None) -> dict[str, bytes]:
    """The entry of every hour; a changed hour is a new version that names the old one."""
    kept = residency.finding(ws, window)
    if kept is None:
        return {}
    old = {hour: ws.log.entry(leaf) for hour, leaf in before.hours} if before else {}
    return {
        hour: _versioned(hour, records, old)
        for hour, records in residency.by_hour(ws, kept, window)
    }


def _versioned(hour: str, records: Any, old: Mapping[str, bytes]) -> bytes:
    held = old.get(hour)
    if held is None:
        return Hour.of(hour, records).entry()
    version, supersedes = residency.logged_version(held)
    same = Hour.of(hour, records, version=version, supersedes=supersedes).entry()
    if same == held:
        return held
    return Hour.of(hour, records, version=version + 1, supersedes=digest(held)).entry()


def _latest(ws: Workspace, window: Window) -> Seal | None:
    name = _store_name(window)
    if not ws.lake.store.exists(name):
        return None
    document = json.loads(ws.lake.store.get(name))
    return Seal(
        window,
        document["size"],
        document["root"],
        document["sealed_at_us"],
        tuple((name, leaf) for name, leaf in document["findings"]),
        tuple((name, leaf) for name, leaf in document["hours"]),
    )


def _store_name(window: Window) -> str:
    return f"seals/{window.start}_{window.end}.json"
