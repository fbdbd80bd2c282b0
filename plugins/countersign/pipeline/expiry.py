"""Which pages and rows have had their time, rule by rule; nothing is deleted here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.canonical import Json
from countersign.lake.admission import QUARANTINE_TABLE
from countersign.lake.batch import Key
from countersign.lake.purge import Hit, Marks, counted
from countersign.lake.retention import Rule, Rules, expired_days
from countersign.lake.tombstone import LostPage
from countersign.model import moment
from countersign.pipeline import hold
from countersign.pipeline.hold import Held
from countersign.pipeline.workspace import Workspace
from countersign.records import KINDS, GatewayCall, is_dated, kind_name

CALLS: Final = kind_name(GatewayCall)
_LINKS: Final = ("call_id", "request_id")


@dataclass(frozen=True, slots=True)
class Members:
    """The calls of one class, and how rows of other kinds are known to belong to them."""

    rule: Rule
    ids: Mapping[str, pa.Array]

    def marks(self, rows: pa.Table) -> Marks:
        """A mark for each row of the class."""
        wanted = {"tenant": self.rule.tenant, "pipeline": self.rule.pipeline}
        asked = {column: value for column, value in wanted.items() if value is not None}
        if set(asked) <= set(rows.column_names):
            marks = np.ones(rows.num_rows, dtype=np.bool_)
            for column, value in asked.items():
                marks &= pc.equal(rows[column], value).fill_null(False).to_numpy()
            return marks
        marks = np.zeros(rows.num_rows, dtype=np.bool_)
        for column in set(_LINKS) & set(rows.column_names):
            marks |= pc.is_in(rows[column], self.ids[column]).to_numpy()
        return marks


@dataclass(frozen=True)
class Choice:
    """Marks the rows that a rule ends: those of its class, or of no class, on its days."""

    rule: Rule
    classes: Sequence[Members]
    first_kept: str
    kept: Held
    held: dict[str, set[Key]] = field(default_factory=dict)

    def is_over(self, key: Key) -> bool:
        """Whether the time of a source-day has passed."""
        return key[1] < self.first_kept and key[1][:1].isdigit()

    def __call__(self, table: str, key: Key, rows: pa.Table) -> Marks:
        """A mark for each row that must go."""
        marks = np.full(rows.num_rows, self.is_over(key))
        if table == QUARANTINE_TABLE:
            marks &= np.asarray(pc.equal(rows["kind"], self.rule.what))
        for members in self.classes if table != QUARANTINE_TABLE else ():
            inside = members.marks(rows)
            if members.rule == self.rule:
                marks &= inside
                break
            marks &= ~inside
        by = self.kept.by(key) if marks.any() else None
        if by is None:
            return marks
        self.held.setdefault(by.id, set()).add(key)
        return np.zeros(rows.num_rows, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Expired:
    """What one rule ends: pages, or files with rows of one kind; and source-days that are held."""

    rule: Rule
    pages: tuple[LostPage, ...] = ()
    hits: tuple[Hit, ...] = ()
    held: Mapping[str, int] = field(default_factory=dict)
    table: str | None = None
    choice: Choice | None = None
    entry: int | None = None

    @property
    def rows(self) -> int:
        """Rows of the newest version of the table."""
        return sum(rows for _, rows in counted(self.hits))

    @property
    def sentence(self) -> str:
        """One line for a log or a command's result."""
        days = {page.day for page in self.pages} | {hit.key[1] for hit in self.hits}
        span = f" of {min(days)} to {max(days)}" if days else ""
        refused = " refused" if self.table == QUARANTINE_TABLE else ""
        what = f"{self.rows}{refused} rows" if self.choice else f"{len(self.pages)} pages"
        kept = ", ".join(f"{n} source-days by {name}" for name, n in sorted(self.held.items()))
        said = f"{self.rule.text}: {what}{span}" + (f"; held: {kept}" if kept else "")
        return said + ("" if self.entry is None else f" (log entry {self.entry})")

    def document(self) -> dict[str, Json]:
        """For a program."""
        return {
            "rule": self.rule.text,
            "pages": len(self.pages),
            "rows": self.rows,
            "held_source_days": dict(self.held),
            "entry": self.entry,
        }


def plan(ws: Workspace) -> list[Expired]:
    """What would go now, rule by rule; calls last, since they say whose the other rows are."""
    rules, kept = Rules.of(ws.config.retention), hold.held(ws)
    found = [*_pages(ws, rules, kept), *_rows(ws, rules, kept)]
    return [part for part in found if part.pages or part.hits or part.held]


def _pages(ws: Workspace, rules: Rules, kept: Held) -> Iterator[Expired]:
    """Raw pages, by the rule that ends them first."""
    today = moment(ws.now_us()).date()
    by_source: dict[str, dict[str, list[str]]] = {}
    for name in ws.lake.store.names("raw"):
        _, source, day, page = name.split("/")
        by_source.setdefault(source, {}).setdefault(day, []).append(page)
    found: dict[Rule, list[LostPage]] = {}
    held: dict[Rule, dict[str, int]] = {}
    for source, days in by_source.items():
        rule = rules.of_page(_kinds(ws, source), today)
        if rule is None:
            continue
        for day in expired_days(days, rule, today):
            by, counts = kept.by((source, day)), held.setdefault(rule, {})
            if by is None:
                found.setdefault(rule, []).extend(LostPage(source, day, p) for p in days[day])
            else:
                counts[by.id] = counts.get(by.id, 0) + 1
    for rule in sorted({*found, *held}, key=lambda rule: rule.text):
        yield Expired(rule, tuple(sorted(found.get(rule, ()))), (), held.get(rule, {}))


def _kinds(ws: Workspace, source: str) -> Iterable[str]:
    """What is, or was, taken from a source."""
    taken = {kind_name(kind) for kind in ws.kinds.get(source, ())}
    admitted = ws.lake.admitted().days
    return taken | {kind for key, day in admitted.items() if key[0] == source for kind in day.kinds}


def _rows(ws: Workspace, rules: Rules, kept: Held) -> Iterator[Expired]:
    today = moment(ws.now_us()).date()
    tables = [t for t in ws.lake.purge.tables() if t in KINDS and not is_dated(KINDS[t])]
    for table in sorted(tables, key=lambda name: (name == CALLS, name)):
        listed = rules.of_kind(table)
        classes = [_members(ws, rule, table, today.isoformat()) for rule in listed if rule.name]
        for rule in listed:
            yield _of_table(ws, table, Choice(rule, classes, rule.first_kept(today), kept))
            if not rule.name and QUARANTINE_TABLE in ws.lake.purge.tables():
                choice = Choice(rule, (), rule.first_kept(today), kept)
                yield _of_table(ws, QUARANTINE_TABLE, choice)


def _of_table(ws: Workspace, table: str, choice: Choice) -> Expired:
    columns = {"tenant", "pipeline", "kind", "page_digest", *_LINKS}
    hits = ws.lake.purge.find(table, choice, columns, choice.is_over)
    held = {name: len(keys) for name, keys in choice.held.items()}
    return Expired(choice.rule, (), tuple(hits), held, table, choice)


def _members(ws: Workspace, rule: Rule, table: str, until: str) -> Members:
    """A class, with the ids of its calls where the table's own columns do not say."""
    wanted = {"tenant"} if rule.tenant is not None else set()
    wanted |= {"pipeline"} if rule.pipeline is not None else set()
    empty = {column: pa.array([], pa.string()) for column in _LINKS}
    known = Members(rule, empty)
    if wanted <= set(ws.lake.purge.columns(table)) or CALLS not in ws.lake.purge.tables():
        return known

    def of_class(_table: str, _key: Key, rows: pa.Table) -> Marks:
        return known.marks(rows)

    ids: dict[str, set[str]] = {column: set() for column in _LINKS}
    columns = {"tenant", "pipeline", *_LINKS}
    for hit in ws.lake.purge.find(CALLS, of_class, columns, lambda key: key[1] < until):
        rows = ws.lake.purge.rows(hit.name, columns)
        theirs = rows.filter(pa.array(known.marks(rows)))
        for column in _LINKS:
            ids[column].update(pc.drop_null(theirs[column]).to_pylist())
    return Members(rule, {column: pa.array(sorted(v), pa.string()) for column, v in ids.items()})
