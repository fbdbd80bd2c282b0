"""What sources said, verbatim: pages by their digest, and which pages make up a day.

`raw/<source>/<day>/<sha256>` holds a page. `manifests/<source>/<day>/000001.json` lists a day's
pages in order; a reading that differs makes the next version and the old one stays readable.
`standing.json` beside the versions holds what may change without one: whether the day is final,
and the gap left by a later reading that failed. A day is `2026-11-09`, or `dated` for files of
dated knowledge. A page's name is the digest of what the source said; on disk it is encrypted
under a key of its own (`page_keys`). What was destroyed by right has a tombstone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from countersign.canonical import Json, digest, encode
from countersign.errors import EvidenceError, Fault, SourceError
from countersign.lake.page_keys import HEADER, PageKeys
from countersign.lake.store import Store
from countersign.lake.tombstone import Tombstones
from countersign.model import rfc3339

DATED: Final = "dated"
COMPLETE: Final = "complete"
SCHEMA: Final = "urn:countersign:page-manifest:v0.1"


@dataclass(frozen=True, slots=True)
class PageRef:
    """One page: its SHA-256 and its size."""

    digest: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A later reading that failed while complete pages were held."""

    status: str
    fetched_at: int
    note: str


@dataclass(frozen=True, slots=True)
class PageManifest:
    """One source's pages of one day, in the order in which they came.

    `status` is `complete` or the fault that ended the reading. `version` is 0 until recorded.
    `final`, `gap` and `expired` (its pages were destroyed when their time had passed) are the
    day's standing now; they are no part of the version.
    """

    source: str
    day: str
    version: int
    status: str
    pages: tuple[PageRef, ...]
    fetched_at: int
    final: bool
    note: str = ""
    gap: Gap | None = None
    expired: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical list of page digests."""
        return digest(encode([page.digest for page in self.pages]))

    def document(self) -> dict[str, Json]:
        """The versioned JSON form: what is kept and logged."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "day": self.day,
            "version": self.version,
            "status": self.status,
            "pages": [{"digest": page.digest, "bytes": page.bytes} for page in self.pages],
            "fetched_at": rfc3339(self.fetched_at),
            "fetched_at_us": self.fetched_at,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class RawPages:
    """Every page that was ever fetched, and every version of every day.

    Without `keys` pages are kept as they come; both kinds of lake can be read.
    """

    store: Store
    keys: PageKeys | None = None

    def keep(self, source: str, day: str, content: bytes) -> PageRef:
        """Keep a page before anybody looks into it.

        Raises:
            SourceError: the disk refuses.
        """
        page = PageRef(digest(content), len(content))
        name = _page_name(source, day, page.digest)
        try:
            if not self.holds(source, day, page.digest):
                self.store.delete(name)  # without its key it is what a kill left of a destruction
                self.store.put_new(name, self._sealed(name, content, page.digest))
        except EvidenceError as error:
            raise SourceError(
                source,
                Fault.STORAGE,
                page=f"{day}/{page.digest}",
                expected="the page kept",
                observed=error.observed,
                remedy=error.remedy,
            ) from error
        return page

    def page(self, source: str, day: str, page_digest: str) -> bytes:
        """A kept page, checked against its name.

        Raises:
            EvidenceError: it is gone, by right or not, or its bytes are not those that were kept.
        """
        name = _page_name(source, day, page_digest)
        if not self.holds(source, day, page_digest):
            self._refuse_lost(source, day, page_digest)
        content = self.store.get(name)
        if self.keys is not None and self.keys.exists(name):
            content = self.keys.open(name, content, page_digest)
        if digest(content) != page_digest:
            raise EvidenceError(
                f"lake file {name}",
                expected=f"bytes with SHA-256 {page_digest}",
                observed=digest(content),
                remedy="The file was altered after it was kept; restore it from a backup.",
            )
        return content

    def holds(self, source: str, day: str, page_digest: str) -> bool:
        """Whether a page is there and has the key that opens it."""
        name = _page_name(source, day, page_digest)
        if not self.store.exists(name):
            return False
        if self.keys is None or self.keys.exists(name):
            return True
        stored = self.store.get(name)  # of an older lake, which kept pages as they came?
        return not stored.startswith(HEADER) or digest(stored) == page_digest

    def destroy(self, source: str, day: str, page_digest: str) -> None:
        """Destroy a page for good: its key first, so that a kill in between leaves nothing."""
        name = _page_name(source, day, page_digest)
        if self.keys is not None:
            self.keys.destroy(name)
        self.store.delete(name)

    def rewrite(
        self, source: str, day: str, changed: Mapping[str, PageRef | None]
    ) -> PageManifest | None:
        """A new version of a day with other pages, or none, for some; its standing stays.

        None when the newest version lists none of them. Repeatable.
        """
        held = self.manifest(source, day)
        if held is None or not changed.keys() & {page.digest for page in held.pages}:
            return None
        pages = ((changed.get(page.digest, page)) for page in held.pages)
        kept = tuple(page for page in pages if page is not None)
        version = replace(held, version=held.version + 1, pages=kept)
        self.store.put_new(_version_name(version), encode(version.document()))
        return self._stand(version)

    def expire(self, source: str, day: str) -> None:
        """Note that a day's pages were destroyed because their time had passed."""
        held = self.manifest(source, day)
        if held is not None:
            self._stand(replace(held, expired=True))

    def record(self, reading: PageManifest) -> tuple[PageManifest, bool]:
        """Keep a reading of a day; returns what now holds, and whether it is a new version.

        The same pages with the same status are no new version. A reading that failed never
        takes the place of a complete one: it becomes the gap beside it.
        """
        held = self.manifest(reading.source, reading.day)
        if held is not None and held.status == COMPLETE != reading.status:
            gap = Gap(reading.status, reading.fetched_at, reading.note)
            return self._stand(replace(held, gap=gap)), False
        if held is not None and _same(held, reading):
            final = held.final or reading.final
            return self._stand(replace(held, final=final, gap=None, expired=False)), False
        version = replace(reading, version=1 if held is None else held.version + 1, gap=None)
        if not self.store.put_new(_version_name(version), encode(version.document())):
            return self.record(reading)  # another reader recorded this version a moment ago
        return self._stand(version), True

    def manifest(self, source: str, day: str, version: int | None = None) -> PageManifest | None:
        """The newest version of a day with its standing, or an older one; None when never read."""
        folder = f"manifests/{source}/{day}"
        if version is None:
            names = self.store.names(folder)
            return self._open(folder, names) if names else None
        name = f"{folder}/{version:06d}.json"
        return _decode(self.store.get(name), {}) if self.store.exists(name) else None

    def manifests(self) -> dict[tuple[str, str], PageManifest]:
        """The newest version of every day of every source whose pages have not expired."""
        folders: dict[str, list[str]] = {}
        for name in self.store.names("manifests"):
            folders.setdefault(name.rsplit("/", 1)[0], []).append(name)
        opened = (self._open(folder, names) for folder, names in folders.items())
        return {(m.source, m.day): m for m in opened if m is not None and not m.expired}

    def _sealed(self, name: str, content: bytes, page_digest: str) -> bytes:
        return content if self.keys is None else self.keys.seal(name, content, page_digest)

    def _refuse_lost(self, source: str, day: str, page_digest: str) -> None:
        thing, expected = f"lake page {source}/{day}/{page_digest}", "a kept page"
        tombstone = Tombstones(self.store).find(source, day, page_digest)
        if tombstone is not None:
            remedy = "This is the intended state; its digest in the log still holds."
            said = tombstone.sentence
            raise EvidenceError(thing, expected=expected, observed=said, remedy=remedy)
        if self.store.exists(_page_name(source, day, page_digest)):
            remedy = "Restore page_keys/ from a backup, unless a destruction was interrupted."
            said = "encrypted, and its key is gone"
            raise EvidenceError(thing, expected=expected, observed=said, remedy=remedy)

    def _open(self, folder: str, names: list[str]) -> PageManifest | None:
        versions = [name for name in names if not name.endswith("standing.json")]
        standing = f"{folder}/standing.json"
        known = json.loads(self.store.get(standing)) if standing in names else {}
        return _decode(self.store.get(versions[-1]), known) if versions else None

    def _stand(self, manifest: PageManifest) -> PageManifest:
        name = f"manifests/{manifest.source}/{manifest.day}/standing.json"
        content = encode(_standing(manifest))
        if not self.store.exists(name) or self.store.get(name) != content:
            self.store.replace(name, content)
        return manifest


def _same(held: PageManifest, reading: PageManifest) -> bool:
    return (held.pages, held.status) == (reading.pages, reading.status)


def _page_name(source: str, day: str, page_digest: str) -> str:
    return f"raw/{source}/{day}/{page_digest}"


def _version_name(manifest: PageManifest) -> str:
    return f"manifests/{manifest.source}/{manifest.day}/{manifest.version:06d}.json"


def _standing(manifest: PageManifest) -> dict[str, Json]:
    gap = manifest.gap
    written: Json = None
    if gap is not None:
        written = {
            "status": gap.status,
            "fetched_at_us": gap.fetched_at,
            "note": gap.note,
        }
    said: dict[str, Json] = {"version": manifest.version, "final": manifest.final, "gap": written}
    return {**said, "expired": True} if manifest.expired else said


def _decode(content: bytes, standing: Mapping[str, Any]) -> PageManifest:
    document = json.loads(content)
    # A kill between a new version and its standing leaves the old version's standing behind.
    current = standing if standing.get("version") == document["version"] else {}
    gap = current.get("gap")
    return PageManifest(
        source=document["source"],
        day=document["day"],
        version=document["version"],
        status=document["status"],
        pages=tuple(PageRef(page["digest"], page["bytes"]) for page in document["pages"]),
        fetched_at=document["fetched_at_us"],
        final=bool(current.get("final", False)),
        note=document["note"],
        gap=gap and Gap(gap["status"], gap["fetched_at_us"], gap["note"]),
        expired=bool(current.get("expired", False)),
    )
