"""Admission: every source's day that changed is parsed, judged and stored; then the state is.

The order is what makes a kill harmless: salts, vocabulary, tables, and the state last. Salts and
vocabulary are created once and found again; tables are replaced by whole source-days, and read
at the version that the state names.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from countersign.canonical import encode
from countersign.errors import EvidenceError
from countersign.lake import great, plan
from countersign.lake import state as states
from countersign.lake.batch import ROUTED, Batch, Key, Kinds, Parse, Sources, read
from countersign.lake.delta import DeltaFolder
from countersign.lake.judge import QUARANTINE, Verdict, judge
from countersign.lake.raw import COMPLETE, PageManifest, RawPages
from countersign.lake.rows import Rows
from countersign.lake.rules import Suite
from countersign.lake.salts import Salts
from countersign.lake.state import Admitted, AdmittedDay, KindCounts
from countersign.lake.store import Store
from countersign.lake.text import Texts
from countersign.model import Window
from countersign.records import KINDS, Record, kind_name, schema, stored_schema

QUARANTINE_TABLE: Final = "quarantine"
_WRITTEN_ROWS: Final = 8_192


@dataclass(frozen=True, slots=True)
class Admission:
    """What one run of admission did: rows stored and refused by kind, days without evidence.

    `refusals` are (source, day, why).
    """

    days: int
    rows: Mapping[str, int]
    refused: Mapping[str, int]
    refusals: tuple[tuple[str, str, str], ...]

    @property
    def sentence(self) -> str:
        """One line for a log or a task's result."""
        rows = ", ".join(f"{count} {kind}" for kind, count in sorted(self.rows.items()))
        return (
            f"{self.days} source-days admitted: {rows or 'no rows'};"
            f" {sum(self.refused.values())} rows refused,"
            f" {len(self.refusals)} source-days without evidence"
        )


class _Stream:
    """Chunks on their way to the table's writer; a failure to make one is kept as it was."""

    def __init__(self, target: pa.Schema, chunks: Iterable[pa.Table]) -> None:
        self.failure: Exception | None = None
        self.reader = pa.RecordBatchReader.from_batches(target, self._batches(target, chunks))

    def _batches(self, target: pa.Schema, chunks: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
        try:
            for chunk in chunks:
                yield from chunk.cast(target).to_batches(max_chunksize=_WRITTEN_ROWS)
        except Exception as error:
            self.failure = error
            raise


@dataclass(frozen=True)
class Admitter:
    """Everything that admission needs of a lake. `now_us` is the time written into the rows."""

    store: Store
    raw: RawPages
    salts: Salts
    tables: DeltaFolder
    texts: Texts
    con: duckdb.DuckDBPyConnection
    suite: Callable[[str], Suite]
    parse: Parse
    kinds: Kinds
    now_us: int
    second_opinion: bool
    scratch: Path
    batch_bytes: int = plan.BATCH_BYTES

    def admit(self, window: Window | None) -> Admission:
        """Admit what changed since the last time, in a window or anywhere. Repeatable."""
        current = self.raw.manifests()
        state = states.load(self.store)
        changed = plan.changed(current, state, self.kinds, window)
        done: dict[Key, AdmittedDay] = {}
        for batch in plan.batches(changed, self.batch_bytes):
            days, tables = self._admit(state, batch, current)
            state = state.with_days(tables, days)
            states.save(self.store, state)
            done |= days
        return _summary(done)

    def _admit(
        self, state: Admitted, changed: Sequence[PageManifest], current: Mapping[Key, PageManifest]
    ) -> tuple[dict[Key, AdmittedDay], dict[str, int]]:
        readable = [manifest for manifest in changed if manifest.status == COMPLETE]
        _give_back()
        sources = Sources(self.parse, self.kinds, self.salts, self.scratch)
        batch = read(self.raw, readable, current, sources)
        _give_back()
        verdicts = self._judge(batch, readable)
        _give_back()
        days = {(m.source, m.day): self._day(m, batch, verdicts) for m in changed}
        verdicts = self.texts.enrich(verdicts, state, state.with_days({}, days))
        _give_back()
        return days, self._write(verdicts, state, set(days))

    def _judge(self, batch: Batch, readable: Sequence[PageManifest]) -> dict[type[Record], Verdict]:
        keys_of: dict[type[Record], list[Key]] = {}
        for manifest in readable:
            key = (manifest.source, manifest.day)
            for kind in () if key in batch.unreadable else self.kinds(manifest.source):
                keys_of.setdefault(kind, []).append(key)
        return {kind: self._verdict(kind, batch, keys) for kind, keys in keys_of.items()}

    def _verdict(self, kind: type[Record], batch: Batch, keys: Sequence[Key]) -> Verdict:
        rows = batch.rows.get(kind) or _nothing(kind)
        suite = self.suite(kind_name(kind))
        return judge(self.con, kind, rows, suite, keys, second_opinion=self.second_opinion)

    def _day(
        self, manifest: PageManifest, batch: Batch, verdicts: Mapping[type[Record], Verdict]
    ) -> AdmittedDay:
        key = (manifest.source, manifest.day)
        if manifest.status != COMPLETE:
            return AdmittedDay(manifest.version, manifest.status, manifest.note, {})
        if bad := batch.unreadable.get(key):
            return AdmittedDay(manifest.version, str(bad.fault), bad.message, {})
        kinds = {
            kind_name(kind): self._kind(kind_name(kind), verdict, batch, key)
            for kind, verdict in verdicts.items()
            if key in verdict.counts
        }
        return AdmittedDay(manifest.version, COMPLETE, "", kinds, manifest.final)

    def _kind(self, name: str, verdict: Verdict, batch: Batch, key: Key) -> KindCounts:
        suite = self.suite(name)
        # Kept, so that old counts can be explained after the rules have changed.
        self.store.put_new(f"suites/{suite.digest}.json", encode(dict(suite.document)))
        counts = replace(verdict.counts[key], elsewhere=batch.elsewhere.get((key, name), 0))
        by = great.version() if self.second_opinion else great.COMPILED_ONLY
        return KindCounts(counts, suite.digest, by)

    def _write(
        self, verdicts: Mapping[type[Record], Verdict], state: Admitted, keys: set[Key]
    ) -> dict[str, int]:
        """Replace the days in every table that holds, or now gets, rows of them."""
        held = _held(state, keys)
        known = {kind_name(kind): kind for kind in verdicts}
        sizes = {name: verdicts[kind].admitted.num_rows for name, kind in known.items()}
        sizes[QUARANTINE_TABLE] = sum(v.quarantined.num_rows for v in verdicts.values())
        versions = {}
        for name in sorted(held | {name for name, size in sizes.items() if size}):
            if name == QUARANTINE_TABLE:
                refused = chain.from_iterable(v.quarantined.chunks() for v in verdicts.values())
                rows = _Stream(QUARANTINE, refused)
            elif name in known:
                rows = self._stored(known[name], verdicts[known[name]])
            else:
                rows = _Stream(stored_schema(KINDS[name]), ())
            versions[name] = self._replace(name, rows, keys)
        return versions

    def _replace(self, name: str, rows: _Stream, keys: set[Key]) -> int:
        try:
            return self.tables.write(name, rows.reader, keys, f"{len(keys)} source-days")
        except EvidenceError:
            if rows.failure is not None:  # the writer calls it a failure of the disk
                raise rows.failure from None
            raise

    def _stored(self, kind: type[Record], verdict: Verdict) -> _Stream:
        """The columns of the kind's table: the record's, and those that admission adds."""
        target = stored_schema(kind)
        return _Stream(target, (self._chunk(target, c) for c in verdict.admitted.chunks()))

    def _chunk(self, target: pa.Schema, admitted: pa.Table) -> pa.Table:
        for name in {"fetched_at", "final"} & set(target.names):
            said = pc.coalesce(admitted[name], admitted[f"page_{name}"])
            admitted = admitted.set_column(admitted.column_names.index(name), name, said)
        stamp = pa.scalar(self.now_us, target.field("admitted_at").type)
        admitted = admitted.append_column("admitted_at", pa.repeat(stamp, admitted.num_rows))
        return admitted.select(target.names).cast(target)


def _give_back() -> None:
    """Return freed memory between the stages: each needs it in other sizes.

    Arrow's own pool keeps what it once had; the system's shares it with the engine and the writer.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    pa.default_memory_pool().release_unused()


def _held(state: Admitted, keys: set[Key]) -> set[str]:
    """Tables that now hold rows of some of these source-days."""
    held = set()
    for key in keys & set(state.days):
        for name, found in state.days[key].kinds.items():
            held |= {name} if found.counts.rows else set()
            held |= {QUARANTINE_TABLE} if found.counts.refused else set()
    return held


def _nothing(kind: type[Record]) -> Rows:
    return Rows.held(pa.schema([*schema(kind), *ROUTED]).empty_table())


def _summary(days: Mapping[Key, AdmittedDay]) -> Admission:
    rows: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for day in days.values():
        for name, found in day.kinds.items():
            rows[name] += found.counts.rows
            refused[name] += found.counts.refused
    bad = ((source, day, d.note or d.status) for (source, day), d in days.items())
    refusals = tuple(
        (source, day, why) for source, day, why in bad if days[source, day].status != COMPLETE
    )
    return Admission(len(days), +rows, +refused, refusals)
