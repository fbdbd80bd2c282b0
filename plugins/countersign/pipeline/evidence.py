"""Whether what the log speaks of is there: kept, erased by right, past its time, or missing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, Final

from countersign.canonical import Json, digest, encode
from countersign.errors import VerificationError
from countersign.lake.raw import DATED, PageManifest
from countersign.lake.tombstone import ERASURE, Tombstone, Tombstones
from countersign.model import Window
from countersign.pipeline import duty
from countersign.pipeline.collect import pages_entry
from countersign.pipeline.workspace import Workspace

KEPT: Final = "kept"
ERASED: Final = "erased"
EXPIRED: Final = "past retention"
MISSING: Final = "missing"
UNLOGGED: Final = "destroyed, not logged"
_COMBINATIONS: Final = 10_000
Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """How many pages stand how, and the first of those for which nothing accounts."""

    pages: Mapping[str, int]
    faults: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """One line for a person."""
        return ", ".join(f"{count} pages {said}" for said, count in self.pages.items()) or "no page"

    def document(self) -> dict[str, Json]:
        """For a program."""
        return {"pages": dict(self.pages), "faults": [*self.faults]}


@dataclass(frozen=True)
class Examiner:
    """What the tombstones explain, and which of them the log knows."""

    ws: Workspace
    tombstones: Mapping[Place, Tombstone]
    logged: frozenset[str]

    @classmethod
    def of(cls, ws: Workspace) -> "Examiner":
        """Everything that an installation says was destroyed."""
        found = dict(Tombstones(ws.lake.store).read())
        logged = {n for n, t in found.items() if ws.log.find(duty.entry(t)) is not None}
        index = {(p.source, p.day, p.old): t for t in found.values() for p in t.pages}
        return cls(ws, index, frozenset(logged))

    def standing(self, source: str, day: str, page: str) -> str:
        """How one page stands."""
        if self.ws.lake.raw.holds(source, day, page):
            return KEPT
        tombstone = self.tombstones.get((source, day, page))
        if tombstone is None:
            return MISSING
        if digest(tombstone.content) not in self.logged:
            return UNLOGGED
        return ERASED if tombstone.by == ERASURE else EXPIRED


def examine(ws: Workspace) -> Standing:
    """Every page of every version of every day, held against log and tombstones."""
    examiner, seen = Examiner.of(ws), dict[Place, str]()
    faults = []
    for manifest in manifests(ws):
        if ws.log.find(pages_entry(manifest)) is None:
            faults.append(f"manifest {manifest.source} {manifest.day} is not in the log")
        for page in manifest.pages:
            place = (manifest.source, manifest.day, page.digest)
            seen.setdefault(place, examiner.standing(*place))
    bad = [f"page {'/'.join(p)}: {said}" for p, said in seen.items() if said in {MISSING, UNLOGGED}]
    return Standing(dict(sorted(Counter(seen.values()).items())), (*faults, *bad))


def check(ws: Workspace) -> Standing:
    """Examine; what is gone without a reason is an error.

    Raises:
        VerificationError: names the first page or manifest for which nothing accounts.
    """
    found = examine(ws)
    if found.faults:
        raise VerificationError(
            found.faults[0],
            expected="kept, or destroyed by an entry of the log",
            observed=f"{len(found.faults)} such; {found.sentence}",
            remedy="Finish what was interrupted (the same command again), or restore a backup.",
        )
    return found


def behind(ws: Workspace, finding: Mapping[str, Any]) -> dict[str, str]:
    """How the evidence of a finding stands, by `source kind`: the pages that it was judged from."""
    examiner = Examiner.of(ws)
    return {
        f"{part['source']} {part['kind']}": _behind(ws, examiner, part, finding["window"])
        for part in finding["evidence"]
    }


def manifests(ws: Workspace) -> Iterator[PageManifest]:
    """Every version of every day."""
    for name in ws.lake.store.names("manifests"):
        _, source, day, file = name.split("/")
        if file != "standing.json":
            found = ws.lake.raw.manifest(source, day, int(file.removesuffix(".json")))
            if found is not None:
                yield found


def _behind(ws: Workspace, examiner: Examiner, part: Mapping[str, Any], window: str) -> str:
    judged = _judged(ws, part, window)
    if judged is None:
        return "the pages that it was judged from are not among those recorded"
    found = Counter(
        examiner.standing(m.source, m.day, page.digest) for m in judged for page in m.pages
    )
    return ", ".join(f"{n} pages {said}" for said, n in sorted(found.items())) or "no page"


def _judged(ws: Workspace, part: Mapping[str, Any], window: str) -> Sequence[PageManifest] | None:
    """The versions of the window's days whose pages have the digest that the finding states."""
    recorded = [m for m in manifests(ws) if m.source == part["source"]]
    days = [day.isoformat() for day in Window.parse(window).days()]
    by_day = [
        [m for m in recorded if m.day == day] for day in {m.day for m in recorded} & {DATED}
    ] or [[m for m in recorded if m.day == day] for day in days]
    choices = product(*(found for found in by_day if found))
    for chosen in islice(choices, _COMBINATIONS):
        if digest(encode([p.digest for m in chosen for p in m.pages])) == part["digest"]:
            return chosen
    return None
