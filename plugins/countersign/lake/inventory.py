"""What the lake holds, as evidence: digests, counts and standing of each source and kind."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from countersign.canonical import Json, digest, encode
from countersign.lake.raw import COMPLETE, DATED, PageManifest, RawPages
from countersign.lake.rules import Rule, Suite
from countersign.lake.state import Admitted, KindCounts
from countersign.lake.store import Store
from countersign.model import Evidence, Window
from countersign.records import Record, is_dated, kind_name

LATE: Final = "late"
MISSING: Final = "missing"
EXPIRED: Final = "deleted after its retention"

Declared: TypeAlias = Mapping[str, Sequence[type[Record]]]


@dataclass(frozen=True, slots=True)
class Inventory:
    """One admitted state, read against the manifests behind it."""

    store: Store
    raw: RawPages
    state: Admitted
    _manifests: dict[tuple[str, str], PageManifest | None] = field(default_factory=dict)

    def evidence(
        self, kinds: Iterable[type[Record]], window: Window, declared: Declared
    ) -> list[Evidence]:
        """One entry a kind and source, in order of kind and source."""
        return [
            self._evidence(kind, source, window)
            for kind in sorted(kinds, key=kind_name)
            for source in self._sources(kind, declared)
        ]

    def population(
        self, kinds: Iterable[type[Record]], window: Window, declared: Declared
    ) -> dict[str, Json]:
        """By kind: rows, refused, repeated, elsewhere, late and missing days, sources, and each
        source's late days by name and version."""
        return {
            kind_name(kind): self._population(kind, window, self._sources(kind, declared))
            for kind in sorted(kinds, key=kind_name)
        }

    def admission(self, kinds: Iterable[type[Record]], window: Window) -> list[Json]:
        """By kind: who judged, and what each expectation counted over the window."""
        found: list[Json] = []
        for kind in sorted(kinds, key=kind_name):
            counts = [
                entry
                for source in self._sources(kind, {})
                for day in _days(kind, window)
                if (entry := self._counts(kind, source, day)) is not None
            ]
            by_suite: dict[str, list[KindCounts]] = {}
            for entry in counts:
                by_suite.setdefault(entry.suite, []).append(entry)
            found += [self._projection(kind, s, e) for s, e in sorted(by_suite.items())]
        return found

    def _evidence(self, kind: type[Record], source: str, window: Window) -> Evidence:
        days = _days(kind, window)
        known = [m for day in days if (m := self._admitted_manifest(source, day)) is not None]
        pages = [page for manifest in known for page in manifest.pages]
        counts = [c.counts for day in days if (c := self._counts(kind, source, day))]
        return Evidence(
            kind=kind_name(kind),
            source=source,
            digest=digest(encode([page.digest for page in pages])),
            bytes=sum(page.bytes for page in pages),
            rows=sum(count.rows for count in counts),
            refused=sum(count.refused for count in counts),
            status=_worst([self._standing(kind, source, day) for day in days]),
            version=max((manifest.version for manifest in known), default=0),
            final=len(known) == len(days) and all(self._is_final(source, day) for day in days),
        )

    def _population(
        self, kind: type[Record], window: Window, sources: Sequence[str]
    ) -> dict[str, Json]:
        days = _days(kind, window)
        statuses = {(s, day): self._standing(kind, s, day) for s in sources for day in days}
        counts = [c.counts for s in sources for day in days if (c := self._counts(kind, s, day))]
        late = [self._late(s, day, status) for (s, day), status in statuses.items()]
        named = [entry for entry in late if entry is not None]
        gaps: list[dict[str, Json]] = [
            {"source": s, "day": day, "status": status}
            for (s, day), status in statuses.items()
            if status not in {COMPLETE, LATE}
        ]
        if not sources:
            gaps = [{"source": None, "day": day, "status": "missing"} for day in days]
        missing = {str(gap["day"]) for gap in gaps}
        return {
            "rows": sum(count.rows for count in counts),
            "refused": sum(count.refused for count in counts),
            "repeated": sum(count.repeated for count in counts),
            "elsewhere": sum(count.elsewhere for count in counts),
            "late_days": len({str(entry["day"]) for entry in named} - missing),
            "missing_days": len(missing),
            "sources": list(sources),
            "late": [*named],
            "missing": [*gaps],
        }

    def _late(self, source: str, day: str, status: str) -> dict[str, Json] | None:
        """A day that was not had whole at its first reading: what was admitted, and what is due.

        `version` is the admitted one, `read` how many readings it took; `newer` is a version, or
        a reading that failed, which is not admitted.
        """
        entry, newest = self.state.days.get((source, day)), self._newest(source, day)
        if status not in {COMPLETE, LATE} or newest is None:
            return None
        version = 0 if entry is None else entry.version
        readings = self._readings(source, day, version)
        if status == COMPLETE and (readings < 2 or day == DATED):  # knowledge is edited, not late
            return None
        newer = None if status == COMPLETE else newest.version if newest.version > version else 0
        return {"source": source, "day": day, "version": version, "read": readings, "newer": newer}

    def _readings(self, source: str, day: str, version: int) -> int:
        """Readings up to a version. A version without what somebody had erased is no reading."""
        if version < 2:
            return version
        made = (self.raw.manifest(source, day, number) for number in range(1, version + 1))
        return len({manifest.fetched_at for manifest in made if manifest is not None})

    def _projection(
        self, kind: type[Record], suite_digest: str, entries: Sequence[KindCounts]
    ) -> dict[str, Json]:
        document = json.loads(self.store.get(f"suites/{suite_digest}.json"))
        suite = Suite(kind_name(kind), document)
        counted = zip(
            suite.counted,
            map(sum, zip(*(e.counts.evaluated for e in entries), strict=True)),
            map(sum, zip(*(e.counts.unexpected for e in entries), strict=True)),
            strict=True,
        )
        return {
            "kind": kind_name(kind),
            "suite": suite_digest,
            "judged_by": [*sorted({entry.judged_by for entry in entries})],
            "expectations": [_expectation(rule, e, u) for rule, e, u in counted],
        }

    def _sources(self, kind: type[Record], declared: Declared) -> list[str]:
        given = {source for source, _ in self.state.keys_of(kind_name(kind))}
        return sorted(given | {source for source, kinds in declared.items() if kind in kinds})

    def _counts(self, kind: type[Record], source: str, day: str) -> KindCounts | None:
        entry = self.state.days.get((source, day))
        return entry.kinds.get(kind_name(kind)) if entry else None

    def _standing(self, kind: type[Record], source: str, day: str) -> str:
        """The status of a source's day, as far as one kind is concerned."""
        counts = self._counts(kind, source, day)
        return EXPIRED if counts is not None and counts.expired else self._status(source, day)

    def _status(self, source: str, day: str) -> str:
        """`late` means that what was admitted is complete, but something newer was not had."""
        newest, entry = self._newest(source, day), self.state.days.get((source, day))
        if newest is None:
            return MISSING
        if entry is None:
            return newest.status if newest.status != COMPLETE else LATE
        if entry.status != COMPLETE:
            return entry.status
        return LATE if newest.gap or newest.version != entry.version else COMPLETE

    def _is_final(self, source: str, day: str) -> bool:
        newest = self._newest(source, day)
        return newest is not None and newest.final and self._status(source, day) == COMPLETE

    def _newest(self, source: str, day: str) -> PageManifest | None:
        if (source, day) not in self._manifests:
            self._manifests[source, day] = self.raw.manifest(source, day)
        return self._manifests[source, day]

    def _admitted_manifest(self, source: str, day: str) -> PageManifest | None:
        entry, newest = self.state.days.get((source, day)), self._newest(source, day)
        if entry is None or newest is None or entry.version == newest.version:
            return newest if entry is not None else None
        return self.raw.manifest(source, day, entry.version)


def _days(kind: type[Record], window: Window) -> list[str]:
    return [DATED] if is_dated(kind) else [day.isoformat() for day in window.days()]


def _worst(statuses: Sequence[str]) -> str:
    """A fault before a missing day, that before a late one."""
    order = {MISSING: 1, LATE: 2, COMPLETE: 3}
    return min(statuses, key=lambda status: (order.get(status, 0), status))


def _expectation(rule: Rule, evaluated: int, unexpected: int) -> Json:
    return {
        "type": rule.type,
        "kwargs": dict(rule.kwargs),
        "evaluated": evaluated,
        "unexpected": unexpected,
    }
