"""Everything that a lake holds about somebody: their ids, their pages, their rows."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.errors import SourceError
from countersign.lake.admission import QUARANTINE_TABLE
from countersign.lake.batch import Key
from countersign.lake.purge import Hit, Marks
from countersign.lake.salts import tenant_scope
from countersign.lake.subject import LINKS, PERSONAL, Links, Named, Subject, is_personal
from countersign.pipeline.workspace import Workspace
from countersign.records import KINDS, GatewayCall, Record, is_dated, kind_name

COLUMNS: Final = (*PERSONAL, "session_commitment", "tenant")
_CALLS: Final = kind_name(GatewayCall)


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page that is on disk, whatever manifest lists it."""

    source: str
    day: str
    digest: str


@dataclass(frozen=True)
class Rows:
    """Marks the rows of tables that are somebody's, up to an instant."""

    commitments: frozenset[str]
    links: Mapping[str, set[str]]
    until_us: int

    def __call__(self, table: str, key: Key, rows: pa.Table) -> Marks:
        """A mark for each row that is theirs."""
        del key
        if table == QUARANTINE_TABLE:
            return self._quarantined(rows)
        wanted: Mapping[str, Any] = {"user_commitment": self.commitments, **self.links}
        marks = np.zeros(rows.num_rows, dtype=np.bool_)
        for column in set(wanted) & set(rows.column_names):
            values = pa.array(sorted(wanted[column]), pa.string())
            marks |= pc.is_in(rows[column], values).to_numpy()
        return marks & self._in_time(table, rows)

    def columns(self, table: str) -> set[str]:
        """What is looked at."""
        if table == QUARANTINE_TABLE:
            return {"kind", "row"}
        return {*COLUMNS, KINDS[table].time_column}

    def _in_time(self, table: str, rows: pa.Table) -> Marks:
        at = rows[KINDS[table].time_column].cast(pa.int64()).to_numpy()
        return np.asarray(at < self.until_us)

    def _quarantined(self, rows: pa.Table) -> Marks:
        """Refused rows keep their columns as JSON text."""
        found = zip(rows["kind"].to_pylist(), rows["row"].to_pylist(), strict=True)
        return np.array([self._is_theirs(kind, json.loads(row)) for kind, row in found], np.bool_)

    def _is_theirs(self, kind: str, row: Mapping[str, Any]) -> bool:
        if kind not in KINDS or not is_personal(KINDS[kind]):
            return False
        by_link = any(row.get(column) in self.links[column] for column in LINKS)
        return by_link or row.get("user_commitment") in self.commitments


def commitments(ws: Workspace, named: Named) -> frozenset[str]:
    """The commitments under which a user may stand in the tables."""
    if named.user is None:
        return frozenset()
    known = ws.lake.salts.scopes()
    wanted = known if named.tenant is None else {tenant_scope(named.tenant)} & set(known)
    tenants = [scope for scope in wanted if scope.startswith("tenant:")]
    return frozenset(ws.lake.salts.commit(scope, named.user) for scope in tenants)


def links(ws: Workspace, named: Named, until_us: int) -> tuple[Links, Links, frozenset[str]]:
    """Ids of somebody's calls up to an instant and after it; commitments of their sessions."""
    before, after = Links(), Links()
    sessions = _from_tables(ws, named, until_us, (before, after))
    _from_pages(ws, named, until_us, (before, after))
    if named.request is not None:
        before.values["request_id"].add(named.request)
    return before, after, sessions


def pages(ws: Workspace) -> Iterator[StoredPage]:
    """Every page on disk of a source that may speak of people."""
    for name in ws.lake.store.names("raw"):
        _, source, day, page = name.split("/")
        speaks = source not in ws.sources or any(map(is_personal, ws.sources[source].kinds))
        # One that is there and not held is what a kill left of a destruction.
        if speaks and ws.lake.raw.holds(source, day, page):
            yield StoredPage(source, day, page)


def content(ws: Workspace, page: StoredPage) -> bytes:
    """The bytes of a page."""
    return ws.lake.raw.page(page.source, page.day, page.digest)


def hits(ws: Workspace, rows: Rows) -> dict[str, list[Hit]]:
    """The files of every table that hold rows of somebody."""
    purge = ws.lake.purge
    found = {
        table: purge.find(table, rows, rows.columns(table))
        for table in purge.tables()
        if table == QUARANTINE_TABLE or is_of_people(table)
    }
    return {table: listed for table, listed in found.items() if listed}


def is_of_people(table: str) -> bool:
    """Whether a table's rows can be about people."""
    kind = KINDS.get(table)
    return kind is not None and is_personal(kind) and not is_dated(kind)


def _from_tables(
    ws: Workspace, named: Named, until_us: int, found: tuple[Links, Links]
) -> frozenset[str]:
    if _CALLS not in ws.lake.purge.tables():
        return frozenset()
    asked = {column: set[str]() for column in LINKS}
    asked["request_id"] |= {named.request} if named.request else set()
    rows = Rows(commitments(ws, named), asked, 2**62)
    sessions: set[str] = set()
    for hit in ws.lake.purge.find(_CALLS, rows, rows.columns(_CALLS)):
        table = ws.lake.purge.rows(hit.name, {*rows.columns(_CALLS)})
        theirs = table.filter(pa.array(rows(_CALLS, hit.key, table)))
        early = pc.less(theirs[GatewayCall.time_column].cast(pa.int64()), until_us)
        for part, into in zip((early, pc.invert(early)), found, strict=True):
            chosen = theirs.filter(part)
            for column in LINKS:
                into.values[column].update(pc.drop_null(chosen[column]).to_pylist())
        sessions.update(pc.drop_null(theirs.filter(early)["session_commitment"]).to_pylist())
    return frozenset(sessions if named.user is not None else ())


def _from_pages(ws: Workspace, named: Named, until_us: int, found: tuple[Links, Links]) -> None:
    """Pages know of calls that were never admitted."""
    asked = Subject(named, Links(), until_us)
    for page in pages(ws):
        if page.source not in ws.sources:
            continue
        body = content(ws, page)
        if asked.may_own(body):
            for record in _records(ws, page.source, body):
                if named.is_caller(record) or _is(record, named.request):
                    at = getattr(record, record.time_column, 0)
                    found[0 if at < until_us else 1].add(record)


def _is(record: Record, request: str | None) -> bool:
    return request is not None and getattr(record, "request_id", None) == request


def _records(ws: Workspace, source: str, body: bytes) -> list[Record]:
    try:
        # Of every kind: who a row's owner is may stand in one that is not taken from the source.
        return list(replace(ws.sources[source], records=None).parse(body))
    except SourceError:
        return []
