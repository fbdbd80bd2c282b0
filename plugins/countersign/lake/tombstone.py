"""What was destroyed by right, and by whose: the documents that the log's entries name.

`tombstones/<sha256>.json` lists pages by their old digest and what took their place. It says
nothing about a person but a salted commitment, so it may be shown and lasts as long as the log.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from countersign.canonical import Json, digest, encode
from countersign.lake.store import Store
from countersign.model import rfc3339

SCHEMA: Final = "urn:countersign:tombstone:v0.1"
FOLDER: Final = "tombstones"
ERASURE: Final = "erasure"
RETENTION: Final = "retention"


@dataclass(frozen=True, slots=True, order=True)
class LostPage:
    """A page that was destroyed, and the page without those rows that took its place, if any."""

    source: str
    day: str
    old: str
    new: str | None = None
    rows: int = 0

    def document(self) -> dict[str, Json]:
        """The JSON form."""
        said: dict[str, Json] = {"source": self.source, "day": self.day, "rows": self.rows}
        return {**said, "old": self.old, "new": self.new}


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One act of destruction. `by` is erasure or retention, `rule` what was applied.

    `rows` counts rows of tables by kind, `subject` is a commitment, `because` what kept some rows.
    """

    by: str
    rule: str
    authority: str
    at_us: int
    pages: Sequence[LostPage] = ()
    rows: Mapping[str, int] | None = None
    subject: str | None = None
    until_us: int | None = None
    because: str | None = None

    @property
    def sentence(self) -> str:
        """What to say where something is looked for and not there."""
        said = "erased" if self.by == ERASURE else "deleted after its retention"
        return f"{said} on {rfc3339(self.at_us)} by authority of {self.authority} ({self.rule})"

    def document(self) -> dict[str, Json]:
        """The sealed JSON form."""
        return {
            "schema": SCHEMA,
            "by": self.by,
            "rule": self.rule,
            "authority": self.authority,
            "at": rfc3339(self.at_us),
            "at_us": self.at_us,
            "pages": [page.document() for page in sorted(self.pages)],
            "rows": dict(sorted((self.rows or {}).items())),
            "subject": self.subject,
            "until_us": self.until_us,
            "because": self.because,
        }

    @property
    def content(self) -> bytes:
        """The canonical bytes that the log's entry names."""
        return encode(self.document())


@dataclass(frozen=True, slots=True)
class Tombstones:
    """All of a lake's tombstones."""

    store: Store

    def keep(self, tombstone: Tombstone) -> str:
        """Keep one under its digest, which is returned."""
        name = digest(tombstone.content)
        self.store.put_new(f"{FOLDER}/{name}.json", tombstone.content)
        return name

    def drop(self, tombstone: Tombstone) -> None:
        """Forget one that was never logged: another says the same and more."""
        self.store.delete(f"{FOLDER}/{digest(tombstone.content)}.json")

    def read(self) -> Iterator[tuple[str, Tombstone]]:
        """Every tombstone with its digest."""
        for name in self.store.names(FOLDER):
            yield name.split("/")[-1].removesuffix(".json"), decode(self.store.get(name))

    def find(self, source: str, day: str, page_digest: str) -> Tombstone | None:
        """What destroyed a page; None when nothing did."""
        return self.index().get((source, day, page_digest))

    def index(self) -> dict[tuple[str, str, str], Tombstone]:
        """By source, day and old digest."""
        return {
            (page.source, page.day, page.old): tombstone
            for _, tombstone in self.read()
            for page in tombstone.pages
        }


def decode(content: bytes) -> Tombstone:
    """Read a tombstone that this lake wrote."""
    found: dict[str, Any] = json.loads(content)
    pages = [
        LostPage(page["source"], page["day"], page["old"], page["new"], page["rows"])
        for page in found["pages"]
    ]
    return Tombstone(
        by=found["by"],
        rule=found["rule"],
        authority=found["authority"],
        at_us=found["at_us"],
        pages=pages,
        rows=found["rows"],
        subject=found["subject"],
        until_us=found["until_us"],
        because=found["because"],
    )
