"""From pages to typed rows: each distinct page is parsed once, each row goes to its own day.

A page may be listed by several days (an export file, a bound that a source takes as inclusive).
A row whose day does not list its page is dropped here and counted as `elsewhere`: the page of
its own day has it. A row whose time cannot be true goes to the page's first day, where the
suite refuses it by name.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.errors import EvidenceError, Fault, SourceError
from countersign.lake.commit import Committer, Identifiers, numbered_schema
from countersign.lake.raw import DATED, PageManifest, RawPages
from countersign.lake.rows import Rows
from countersign.lake.spool import Spool
from countersign.model import US_PER_DAY, Window
from countersign.records import Record, is_dated, kind_name, schema

Parse: TypeAlias = Callable[[str, bytes], Mapping[type[Record], pa.Table]]
"""Reads a source's page: its records as one table a kind."""
Kinds: TypeAlias = Callable[[str], Sequence[type[Record]]]
"""The kinds that are taken from a source."""
Key: TypeAlias = tuple[str, str]
"""Source and day."""

CLOCK_AHEAD_US: Final = 300_000_000
_NOT_BEFORE_US: Final = Window.parse("2020-01-01/2020-01-02").start_us
_ROW_BITS: Final = 32
_Indexes: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

ROUTED: Final = (
    pa.field("source", pa.string()),
    pa.field("page_digest", pa.string()),
    pa.field("window_day", pa.string()),
    pa.field("version", pa.int32()),
    pa.field("page_fetched_at", pa.timestamp("us", tz="UTC")),
    pa.field("seq", pa.int64()),
    pa.field("page_final", pa.bool_()),
)
"""Columns beside the record's own: where a row came from, and its place in its day."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What admission knows of sources: how their pages are read, and what is taken from them."""

    parse: Parse
    kinds: Kinds
    salts: Committer
    scratch: Path


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a source's day was refused as a whole."""

    page: str
    fault: Fault
    message: str


@dataclass(frozen=True)
class Batch:
    """Parsed rows of some source-days, by kind, on scratch disk; and what gave none."""

    rows: Mapping[type[Record], Rows]
    unreadable: Mapping[Key, Unreadable]
    elsewhere: Mapping[tuple[Key, str], int]


@dataclass
class _Parsed:
    """What has been parsed so far. Rows of a day that proves unreadable are left out at the end."""

    folder: Path
    identifiers: Identifiers
    spools: dict[type[Record], Spool] = field(default_factory=dict)
    keys: dict[Key, int] = field(default_factory=dict)
    key_of: dict[type[Record], list[pa.Array]] = field(default_factory=lambda: defaultdict(list))
    unreadable: dict[Key, Unreadable] = field(default_factory=dict)
    elsewhere: Counter[tuple[Key, str]] = field(default_factory=Counter)

    def add(
        self, kind: type[Record], routed: pa.Table, keys: Sequence[Key], days: pa.Array
    ) -> None:
        """Add rows; `days` says which of the keys each is of."""
        if kind not in self.spools:
            plain = pa.schema([*schema(kind), *ROUTED])
            self.spools[kind] = Spool(numbered_schema(plain), self.folder)
        self.spools[kind].append(self.identifiers.number(kind, routed))
        numbers = [self.keys.setdefault(key, len(self.keys)) for key in keys]
        self.key_of[kind].append(pa.array(numbers, pa.int32()).take(days))

    def batch(self, salts: Committer) -> Batch:
        """Everything that was read, committed, without the days that proved unreadable."""
        self.identifiers.commit(salts)
        rows = {kind: self._readable(kind, spool) for kind, spool in self.spools.items()}
        counts = {key: n for key, n in self.elsewhere.items() if key[0] not in self.unreadable}
        return Batch(rows, self.unreadable, counts)

    def _readable(self, kind: type[Record], spool: Spool) -> Rows:
        rows = Rows.of(spool, self.identifiers.committed)
        bad = [number for key, number in self.keys.items() if key in self.unreadable]
        if not bad:
            return rows
        return rows.where(~np.isin(np.concatenate(self.key_of[kind]), bad))


def read(
    raw: RawPages,
    changed: Sequence[PageManifest],
    current: Mapping[Key, PageManifest],
    sources: Sources,
) -> Batch:
    """Parse the pages of the changed days; `current` is every day's manifest, for `elsewhere`.

    Records of kinds that are not taken from their source are left out.
    """
    parsed = _Parsed(sources.scratch, Identifiers())
    ordered = sorted(changed, key=lambda m: (m.source, m.day))
    for source, days in groupby(ordered, key=lambda m: m.source):
        listed = _days_by_page(m for m in current.values() if m.source == source)
        for page, places in _places(days):
            _read_page(raw, _Page(page, places, listed[page]), sources, parsed)
    return parsed.batch(sources.salts)


@dataclass(frozen=True, slots=True)
class _Place:
    """A page's position in one changed day."""

    manifest: PageManifest
    position: int

    @property
    def key(self) -> Key:
        return self.manifest.source, self.manifest.day


@dataclass(frozen=True, slots=True)
class _Page:
    """A distinct page, the changed days that list it, and all days that do."""

    digest: str
    places: Sequence[_Place]
    listed: set[str]

    def refuse(self, parsed: _Parsed, fault: Fault, error: Exception) -> None:
        refused = Unreadable(self.digest, fault, str(error))
        parsed.unreadable.update({place.key: refused for place in self.places})


def _places(days: Iterable[PageManifest]) -> Iterator[tuple[str, list[_Place]]]:
    found: dict[str, list[_Place]] = {}
    for manifest in days:
        for position, page in enumerate(dict.fromkeys(p.digest for p in manifest.pages)):
            found.setdefault(page, []).append(_Place(manifest, position))
    yield from found.items()


def _days_by_page(manifests: Iterable[PageManifest]) -> dict[str, set[str]]:
    listed: dict[str, set[str]] = {}
    for manifest in manifests:
        for page in manifest.pages:
            listed.setdefault(page.digest, set()).add(manifest.day)
    return listed


def _read_page(raw: RawPages, page: _Page, sources: Sources, parsed: _Parsed) -> None:
    source, day = page.places[0].key
    try:
        by_kind = sources.parse(source, raw.page(source, day, page.digest))
    except SourceError as error:
        page.refuse(parsed, error.fault, error)
        return
    except EvidenceError as error:
        page.refuse(parsed, Fault.STORAGE, error)
        return
    for kind in sources.kinds(source):
        if kind in by_kind:
            elsewhere = _route(kind, by_kind[kind], page, parsed)
            if elsewhere:
                parsed.elsewhere[(source, day), kind_name(kind)] += elsewhere


def _route(kind: type[Record], table: pa.Table, page: _Page, parsed: _Parsed) -> int:
    """Put each row into one of the page's days; how many belong to other days."""
    chosen, elsewhere = _choose(kind, table, page)
    kept = np.flatnonzero(chosen >= 0)
    manifests = [place.manifest for place in page.places]
    place_of = pa.array(chosen[kept])
    starts = [place.position << _ROW_BITS for place in page.places]
    columns = [
        pa.repeat(manifests[0].source, len(kept)),
        pa.repeat(page.digest, len(kept)),
        pa.array([m.day for m in manifests]).take(place_of),
        pa.array([m.version for m in manifests], pa.int32()).take(place_of),
        pa.array([m.fetched_at for m in manifests], ROUTED[4].type).take(place_of),
        pc.add(pa.array(starts, pa.int64()).take(place_of), pa.array(kept)),
        pa.array([m.final for m in manifests]).take(place_of),
    ]
    routed = table.take(pa.array(kept)) if len(kept) < table.num_rows else table
    for column, values in zip(ROUTED, columns, strict=True):
        routed = routed.append_column(column, values)
    if routed.num_rows:
        parsed.add(kind, routed, [place.key for place in page.places], place_of)
    return elsewhere


def _choose(kind: type[Record], table: pa.Table, page: _Page) -> tuple[_Indexes, int]:
    """For each row the index of its place, or -1; also how many rows no listed day claims."""
    days = [place.manifest.day for place in page.places]
    if is_dated(kind) or DATED in days:
        fits = is_dated(kind) and DATED in days
        chosen = np.full(table.num_rows, days.index(DATED) if fits else -1)
        return chosen, 0 if fits else table.num_rows
    column = table[kind.time_column].cast(pa.int64())
    times = column.fill_null(0).to_numpy()
    ordinals = times // US_PER_DAY
    chosen = np.full(table.num_rows, -1)
    for index, day in enumerate(days):
        chosen[ordinals == _ordinal(day)] = index
    ahead = times > page.places[0].manifest.fetched_at + CLOCK_AHEAD_US
    untrue = column.is_null().to_numpy() | (times < _NOT_BEFORE_US) | ahead
    chosen[(chosen < 0) & untrue] = 0
    claimed = np.isin(ordinals, [_ordinal(day) for day in page.listed if day != DATED])
    return chosen, int(((chosen < 0) & ~claimed).sum())


def _ordinal(day: str) -> int:
    return Window.parse(f"{day}/9999-12-31").start_us // US_PER_DAY
