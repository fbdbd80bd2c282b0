"""What has been admitted: one document, replaced last, that says which table versions hold.

Readers open each Delta table at the version named here. So a process that dies between two
kinds leaves every reader on the old state of all of them, and a rerun writes the new one.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from countersign.canonical import Json, encode
from countersign.errors import EvidenceError
from countersign.lake.batch import Key
from countersign.lake.judge import Counts
from countersign.lake.store import Store

NAME: Final = "admitted.json"
SCHEMA: Final = "urn:countersign:admitted:v0.1"


@dataclass(frozen=True, slots=True)
class KindCounts:
    """Counts of one kind in one source's day, and by which suite they were made.

    `expired`: rows were deleted since, because their retention had passed.
    """

    counts: Counts
    suite: str
    judged_by: str
    expired: bool = False


@dataclass(frozen=True, slots=True)
class AdmittedDay:
    """One source's day as admitted: the manifest version it came from, and what it gave.

    `status` is `complete`, or the fault for which nothing of the day was admitted.
    """

    version: int
    status: str
    note: str
    kinds: Mapping[str, KindCounts]
    final: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """The whole lake's admitted state."""

    tables: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[Key, AdmittedDay] = field(default_factory=dict)

    def with_days(self, tables: Mapping[str, int], days: Mapping[Key, AdmittedDay]) -> "Admitted":
        """This state after some days were admitted."""
        return replace(self, tables={**self.tables, **tables}, days={**self.days, **days})

    def keys_of(self, kind: str) -> set[Key]:
        """Source-days that hold admitted or refused rows of a kind."""
        return {key for key, day in self.days.items() if kind in day.kinds}


def load(store: Store) -> Admitted:
    """The state, empty before the first admission.

    Raises:
        EvidenceError: a newer program wrote it.
    """
    if not store.exists(NAME):
        return Admitted()
    document = json.loads(store.get(NAME))
    if document["schema"] != SCHEMA:
        raise EvidenceError(
            f"lake file {NAME}",
            expected=SCHEMA,
            observed=str(document["schema"]),
            remedy="Install the version of this program that wrote it; nothing was changed.",
        )
    days = {
        (source, day): _decode(entry)
        for source, entries in document["days"].items()
        for day, entry in entries.items()
    }
    return Admitted(document["tables"], days)


def save(store: Store, state: Admitted) -> None:
    """Make the state the one that readers see."""
    days: dict[str, dict[str, Any]] = {}
    for (source, day), entry in state.days.items():
        days.setdefault(source, {})[day] = asdict(entry)
    document: dict[str, Json] = {"schema": SCHEMA, "tables": {**state.tables}, "days": {**days}}
    store.replace(NAME, encode(document))


def _decode(entry: Mapping[str, Any]) -> AdmittedDay:
    kinds = {name: _kind(found) for name, found in entry["kinds"].items()}
    final = entry.get("final", False)
    return AdmittedDay(entry["version"], entry["status"], entry["note"], kinds, final)


def _kind(found: Mapping[str, Any]) -> KindCounts:
    counts = {**found["counts"]}
    counts["evaluated"] = tuple(counts["evaluated"])
    counts["unexpected"] = tuple(counts["unexpected"])
    expired = found.get("expired", False)
    return KindCounts(Counts(**counts), found["suite"], found["judged_by"], expired)
