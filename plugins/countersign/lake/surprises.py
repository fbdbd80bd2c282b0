"""Fields that a source never sent before: the raw page keeps them, and here they are counted.

`known_fields/<source>.json` holds the paths of the keys that a source's pages have
(`field_paths`), those that came after its first day with rows, and which days were looked at.
Nothing is dropped or refused for a new field: a person is told, reads the page, and says that
the field is known. Of each day a few pages are looked at, evenly chosen among those that no
earlier version had.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from countersign.canonical import Json, encode
from countersign.errors import EvidenceError
from countersign.lake.field_paths import MOST_PATHS, Path, folded, paths
from countersign.lake.raw import PageManifest, PageRef, RawPages
from countersign.lake.state import Admitted, AdmittedDay
from countersign.lake.store import Store

FOLDER: Final = "known_fields"
SCHEMA: Final = "urn:countersign:known-fields:v0.1"
MOST_PAGES: Final = 8
MOST_BYTES: Final = 1 << 26
MOST_DAYS: Final = 400
"""Source-days looked at in one run: an old lake is caught up with in a few."""


@dataclass(frozen=True, slots=True)
class Surprise:
    """A field that was new: on which day, in how many pages looked at, and one of them."""

    day: str
    pages: int
    example: str


@dataclass(frozen=True, slots=True)
class Fields:
    """What is known of a source's fields. `baseline` is its first day with rows; None before it."""

    source: str
    baseline: str | None = None
    known: frozenset[Path] = frozenset()
    maps: frozenset[Path] = frozenset()
    surprises: Mapping[Path, Surprise] = field(default_factory=dict)
    looked: Mapping[str, int] = field(default_factory=dict)

    def seen(self, day: AdmittedDay, manifest: PageManifest, found: "Found") -> "Fields":
        """These fields after a day was looked at."""
        looked = {**self.looked, manifest.day: day.version}
        new, maps = folded({path for _, of_page in found for path in of_page}, self.maps)
        if self.baseline is None:
            known, maps = folded(self.known | new, maps)
            baseline = manifest.day if _has_rows(day) else None
            return replace(
                self, baseline=baseline, known=frozenset(known), maps=frozenset(maps), looked=looked
            )
        everything, maps = folded(self.known | set(self.surprises) | new, maps)
        known, _ = folded(self.known, maps)
        surprises = {path: told for path, told in self.surprises.items() if path in everything}
        for page, of_page in found:
            for path in sorted(folded(of_page, maps)[0] - known):
                told = surprises.get(path, Surprise(manifest.day, 0, page.digest))
                surprises[path] = replace(told, pages=told.pages + 1)
        kept = dict(list(surprises.items())[:MOST_PATHS])
        return replace(
            self, known=frozenset(known), maps=frozenset(maps), surprises=kept, looked=looked
        )

    def accepted(self) -> "Fields":
        """These fields when a person has read about the new ones: they are known."""
        return replace(self, known=self.known | set(self.surprises), surprises={})


Found = Sequence[tuple[PageRef, set[Path]]]


def shown(path: Path) -> str:
    """`data[].metadata.usage_object`."""
    return ".".join(path).replace(".[]", "[]")


def load(store: Store, source: str) -> Fields:
    """What is known of a source; nothing before its first look."""
    name = f"{FOLDER}/{source}.json"
    if not store.exists(name):
        return Fields(source)
    document = json.loads(store.get(name))
    surprises = {_path(text): Surprise(**told) for text, told in document["new"].items()}
    return Fields(
        source,
        document["baseline"],
        frozenset(map(_path, document["known"])),
        frozenset(map(_path, document["maps"])),
        surprises,
        document["looked"],
    )


def save(store: Store, fields: Fields) -> None:
    """Keep what is known of a source."""
    document: dict[str, Json] = {
        "schema": SCHEMA,
        "source": fields.source,
        "baseline": fields.baseline,
        "known": [*sorted(map(_text, fields.known))],
        "maps": [*sorted(map(_text, fields.maps))],
        "new": {_text(path): asdict(told) for path, told in fields.surprises.items()},
        "looked": {**fields.looked},
    }
    store.replace(f"{FOLDER}/{fields.source}.json", encode(document))


def look(store: Store, raw: RawPages, state: Admitted) -> dict[str, list[Path]]:
    """Look at the admitted days that were not looked at; by source, fields that were never seen.

    Repeatable: a day is looked at once a version, also when an earlier run was killed.
    """
    told: dict[str, list[Path]] = {}
    left = MOST_DAYS
    for source in sorted({source for source, _ in state.days}):
        before = after = load(store, source)
        for day, entry in _unseen(before, state)[:left]:
            manifest = raw.manifest(source, day, entry.version)
            if manifest is not None:
                after = after.seen(entry, manifest, _found(raw, manifest, before))
            left -= 1
        if after != before:
            save(store, after)
        if fresh := [path for path in after.surprises if path not in before.surprises]:
            told[source] = fresh
    return told


def _unseen(fields: Fields, state: Admitted) -> list[tuple[str, AdmittedDay]]:
    days = ((day, entry) for (source, day), entry in state.days.items() if source == fields.source)
    return sorted(
        ((day, entry) for day, entry in days if fields.looked.get(day) != entry.version),
        key=lambda each: each[0],
    )


def _found(raw: RawPages, manifest: PageManifest, before: Fields) -> Found:
    found = []
    for page in _chosen(_fresh(raw, manifest, before)):
        try:
            of_page = paths(raw.page(manifest.source, manifest.day, page.digest))
        except EvidenceError:
            continue  # destroyed by right, or altered: whoever needs the page says so
        if of_page is not None:
            found.append((page, of_page))
    return found


def _fresh(raw: RawPages, manifest: PageManifest, before: Fields) -> list[PageRef]:
    """The pages that no version looked at before had."""
    earlier = before.looked.get(manifest.day)
    old = None if earlier is None else raw.manifest(manifest.source, manifest.day, earlier)
    held = set() if old is None else set(old.pages)
    return [page for page in dict.fromkeys(manifest.pages) if page not in held]


def _chosen(pages: Sequence[PageRef]) -> Iterator[PageRef]:
    size = 0
    for page in pages[:: -(-len(pages) // MOST_PAGES) or 1]:
        if size and size + page.bytes > MOST_BYTES:
            return
        size += page.bytes
        yield page


def _has_rows(day: AdmittedDay) -> bool:
    return any(found.counts.rows + found.counts.refused for found in day.kinds.values())


def _text(path: Path) -> str:
    return "/".join(path)


def _path(text: str) -> Path:
    return tuple(text.split("/"))
