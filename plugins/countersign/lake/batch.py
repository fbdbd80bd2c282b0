"""From pages to typed rows: each distinct page is parsed once, each row goes to its own day.

A page may be listed by several days (an export file, a bound that a source takes as inclusive).
A row whose day does not list its page is dropped here and counted as `elsewhere`: the page of
its own day has it. A row whose time cannot be true goes to the page's first day, where the
suite refuses it by name.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.errors import EvidenceError, Fault, SourceError
from countersign.lake.raw import DATED, PageManifest, RawPages
from countersign.model import US_PER_DAY, Window
from countersign.records import Record, is_dated, kind_name, to_table

Parse: TypeAlias = Callable[[str, bytes], Iterable[Record]]
Kinds: TypeAlias = Callable[[str], Sequence[type[Record]]]
"""The kinds that are taken from a source."""
Key: TypeAlias = tuple[str, str]
"""Source and day."""

CLOCK_AHEAD_US: Final = 300_000_000
_NOT_BEFORE_US: Final = Window.parse("2020-01-01/2020-01-02").start_us
_UNFIT: Final = (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError)
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
class Unreadable:
    """Why a source's day was refused as a whole."""

    page: str
    fault: Fault
    message: str


@dataclass(frozen=True)
class Batch:
    """Parsed rows of some source-days, by kind; and what gave none.

    Whoever judges a kind takes its table out, so that no row is held twice.
    """

    tables: dict[type[Record], pa.Table]
    unreadable: Mapping[Key, Unreadable]
    elsewhere: Mapping[tuple[Key, str], int]


@dataclass
class _Rows:
    """What has been parsed so far."""

    tables: dict[type[Record], list[pa.Table]] = field(default_factory=lambda: defaultdict(list))
    unreadable: dict[Key, Unreadable] = field(default_factory=dict)
    elsewhere: Counter[tuple[Key, str]] = field(default_factory=Counter)

    def batch(self) -> Batch:
        """Everything as one table a kind, without the days that proved unreadable."""
        bad = {f"{source}\0{day}" for source, day in self.unreadable}
        joined = {kind: pa.concat_tables(parts) for kind, parts in self.tables.items()}
        kept = {kind: _without(table, bad) for kind, table in joined.items()}
        counts = {key: n for key, n in self.elsewhere.items() if key[0] not in self.unreadable}
        return Batch(kept, self.unreadable, counts)


def read(
    raw: RawPages,
    changed: Sequence[PageManifest],
    current: Mapping[Key, PageManifest],
    parse: Parse,
    kinds: Kinds,
) -> Batch:
    """Parse the pages of the changed days; `current` is every day's manifest, for `elsewhere`.

    Records of kinds that are not taken from their source are left out.
    """
    rows = _Rows()
    ordered = sorted(changed, key=lambda m: (m.source, m.day))
    for source, days in groupby(ordered, key=lambda m: m.source):
        listed = _days_by_page(m for m in current.values() if m.source == source)
        for page, places in _places(days):
            _read_page(raw, _Page(page, places, listed[page]), parse, kinds(source), rows)
    return rows.batch()


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

    def refuse(self, rows: _Rows, fault: Fault, error: Exception) -> None:
        refused = Unreadable(self.digest, fault, str(error))
        rows.unreadable.update({place.key: refused for place in self.places})


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


def _read_page(
    raw: RawPages, page: _Page, parse: Parse, kinds: Sequence[type[Record]], rows: _Rows
) -> None:
    source, day = page.places[0].key
    try:
        content = raw.page(source, day, page.digest)
        by_kind = _tables(source, page.digest, parse(source, content), kinds)
    except SourceError as error:
        page.refuse(rows, error.fault, error)
    except EvidenceError as error:
        page.refuse(rows, Fault.STORAGE, error)
    else:
        for kind, table in by_kind.items():
            routed, elsewhere = _route(kind, table, page)
            rows.tables[kind].append(routed)
            if elsewhere:
                rows.elsewhere[(source, day), kind_name(kind)] += elsewhere


def _tables(
    source: str, page: str, records: Iterable[Record], kinds: Sequence[type[Record]]
) -> dict[type[Record], pa.Table]:
    by_kind: dict[type[Record], list[Record]] = defaultdict(list)
    for record in records:
        by_kind[type(record)].append(record)
    try:
        return {kind: _table(kind, by_kind[kind]) for kind in kinds if kind in by_kind}
    except _UNFIT as error:
        raise SourceError(
            source,
            Fault.MALFORMED,
            page=page,
            expected="values that fit their columns",
            observed=str(error)[:300],
            remedy="The page is kept; the day is admitted when the source sends it right.",
        ) from error


def _table(kind: type[Record], rows: list[Record]) -> pa.Table:
    try:
        return to_table(kind, rows)
    except UnicodeEncodeError:  # half a surrogate pair: legal in JSON text, not in UTF-8
        return to_table(kind, map(_encodable, rows))


def _encodable(record: Record) -> Record:
    values = ((f.name, getattr(record, f.name)) for f in fields(record))
    broken: dict[str, Any] = {
        name: value.encode("utf-8", "replace").decode()
        for name, value in values
        if isinstance(value, str)
    }
    return replace(record, **broken)


def _route(kind: type[Record], table: pa.Table, page: _Page) -> tuple[pa.Table, int]:
    """Put each row into one of the page's days; also how many belong to other days."""
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
    return routed, elsewhere


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


def _without(table: pa.Table, bad: set[str]) -> pa.Table:
    if not bad:
        return table
    keys = zip(table["source"].to_pylist(), table["window_day"].to_pylist(), strict=True)
    return table.filter(pa.array([f"{source}\0{day}" not in bad for source, day in keys]))
