"""Erase: a person's rows leave pages, tables, salts and relations; a tombstone says that they did.

The order makes a kill harmless. A private plan is written first and removed last: while it is
there, `erase` begins by completing it. Whoever is on the list of the erased does not come back;
new pages are there before a manifest names them, and old ones go after it. Hold beats retention
beats erasure: each is asked in that order, and the log says which one decided.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from countersign.attest import entries
from countersign.canonical import Json, digest, encode
from countersign.connectors.wire.cut import Cut
from countersign.errors import ConfigError
from countersign.lake import counts
from countersign.lake.batch import Key
from countersign.lake.hold import Hold, Holds, overlapping
from countersign.lake.purge import Hit, counted
from countersign.lake.raw import PageRef
from countersign.lake.retention import Rules
from countersign.lake.subject import LINKS, Links, Named, Subject
from countersign.lake.tombstone import ERASURE, LostPage, Tombstone, Tombstones, decode
from countersign.pipeline import duty, person, relations, wording
from countersign.pipeline.collect import pages_entry
from countersign.pipeline.person import Rows, StoredPage
from countersign.pipeline.workspace import Workspace

PLAN: Final = "erased/plan.json"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure did, or would do. `entry` is its index in the log; None for a dry run."""

    outcome: str
    tombstone: Tombstone
    kept_rows: int
    because: str | None
    entry: int | None

    @property
    def sentence(self) -> str:
        """One line for a log or a command's result, without the person's name."""
        if self.outcome == "refused":
            return f"not erased: {self.because} (log entry {self.entry})"
        pages = self.tombstone.pages
        whole = sum(page.new is None for page in pages)
        rows = ", ".join(f"{n} {kind}" for kind, n in sorted((self.tombstone.rows or {}).items()))
        said = (
            f"{self.outcome}: {len(pages)} raw pages ({whole} of them whole),"
            f" rows: {rows or 'none'}"
        )
        said += f"; {self.kept_rows} calls stay: {self.because}" if self.kept_rows else ""
        return said + ("" if self.entry is None else f" (log entry {self.entry})")

    def document(self) -> dict[str, Json]:
        """For a program."""
        return {
            "outcome": self.outcome,
            "because": self.because,
            "kept_calls": self.kept_rows,
            "entry": self.entry,
            "tombstone": self.tombstone.document(),
        }


@dataclass(frozen=True)
class _Found:
    """What there is to erase."""

    subject: Subject
    rows: Rows
    sessions: frozenset[str]
    hits: Mapping[str, list[Hit]]
    kept_rows: int

    @property
    def keys(self) -> set[Key]:
        return {hit.key for listed in self.hits.values() for hit in listed}


def erase(ws: Workspace, named: Named, authority: str, *, dry_run: bool = False) -> Erasure:
    """Erase somebody, or say what would be erased. Repeatable; completes one that was killed.

    Raises:
        ConfigError: nobody is named, or the authority's text says who the person is.
    """
    if named.user is None and named.request is None:
        raise ConfigError("erase", expected="--user U [--tenant T], or --request ID")
    duty.checked("--authority", authority, named)
    with duty.alone(ws):
        if not dry_run:
            resume(ws)
        return _erase(ws, named, authority, dry_run=dry_run)


def resume(ws: Workspace) -> bool:
    """Complete an erasure that was killed; whether there was one."""
    store = ws.lake.store
    if not store.exists(PLAN):
        return False
    _carry_out(ws, json.loads(store.get(PLAN)))
    return True


def _erase(ws: Workspace, named: Named, authority: str, *, dry_run: bool) -> Erasure:
    rules = Rules.of(ws.config.retention)
    until_us, duty_to_keep = rules.until(ws.now_us())
    found = _find(ws, named, until_us)
    subject = duty.subject(ws, named) or ""
    because = f"{duty_to_keep}: ask again later" if found.kept_rows else None
    blank = Tombstone(
        by=ERASURE,
        rule="erasure of a request" if named.request else "erasure of a person",
        authority=authority,
        at_us=ws.now_us(),
        subject=subject,
        until_us=until_us,
        because=because,
    )
    lost = dict(_cut(ws, found.subject, person.pages(ws)))
    keys = found.keys | {(page.source, page.day) for page in lost}
    held = overlapping(_in_force(ws), named, found.subject.links.values["request_id"], keys)
    if held:
        return _refused(ws, blank, found, f"legal hold {_ids(held)}", dry_run=dry_run)
    if not keys and found.kept_rows:
        return _refused(ws, blank, found, f"retention, {because}", dry_run=dry_run)
    tombstone = replace(blank, pages=list(lost), rows=_row_counts(found))
    if dry_run:
        return Erasure("would be erased", tombstone, found.kept_rows, because, None)
    _keep(ws, found.subject, lost)
    sizes = {ref.digest: ref.bytes for ref in lost.values() if ref is not None}
    plan = _plan(ws, found, tombstone, sizes)
    ws.lake.store.replace(PLAN, encode(plan), private=True)
    entry = _carry_out(ws, plan)
    return Erasure("erased", tombstone, found.kept_rows, because, entry)


def _find(ws: Workspace, named: Named, until_us: int) -> _Found:
    before, after, sessions = person.links(ws, named, until_us)
    rows = Rows(person.commitments(ws, named), before.values, until_us)
    kept = len(after.values["call_id"] or after.values["request_id"])
    subject = Subject(named, before, until_us)
    return _Found(subject, rows, sessions, person.hits(ws, rows), kept)


def _cut(
    ws: Workspace, subject: Subject, pages: Iterable[StoredPage]
) -> Iterator[tuple[LostPage, PageRef | None]]:
    """Every page with rows of somebody, and the page that takes its place, if any can."""
    for page in pages:
        body = person.content(ws, page)
        if not subject.may_own(body):
            continue
        left = _left(ws, page.source, body, subject)
        if left.page is None:
            yield LostPage(page.source, page.day, page.digest, None, left.rows), None
        elif left.page != body:
            ref = PageRef(digest(left.page), len(left.page))
            yield LostPage(page.source, page.day, page.digest, ref.digest, left.rows), ref


def _left(ws: Workspace, source: str, body: bytes, subject: Subject) -> Cut:
    if source not in ws.sources:
        return Cut(None, 0)  # nobody is left who could read it
    return ws.sources[source].without(body, subject)


def _keep(ws: Workspace, subject: Subject, lost: Iterable[LostPage]) -> None:
    """Keep the new pages; until a manifest names them they do no harm."""
    for page in lost:
        if page.new is not None:
            body = ws.lake.raw.page(page.source, page.day, page.old)
            left = _left(ws, page.source, body, subject)
            ws.lake.raw.keep(page.source, page.day, left.page or b"")


def _plan(
    ws: Workspace, found: _Found, tombstone: Tombstone, sizes: Mapping[str, int]
) -> dict[str, Json]:
    """Everything that carrying out needs, so that it can begin again at any point."""
    subject, manifests = found.subject, ws.lake.raw.manifests()
    held = ws.lake.admitted().days
    settled = [
        key for key, m in manifests.items() if key in held and held[key].version == m.version
    ]
    touched = {(t, hit.key) for t, hits in found.hits.items() for hit in hits if hit.is_current}
    return {
        "named": subject.named.document(),
        "links": subject.links.document(),
        "commitments": list[Json](sorted(found.rows.commitments)),
        "sessions": list[Json](sorted(found.sessions)),
        "until_us": subject.until_us,
        "tombstone": tombstone.document(),
        "bytes": dict(sizes),
        "prompts": wording.prompts_of(ws, found.rows, found.hits.get("call_text", ())),
        "names": dict(relations.names(ws, subject.links)),
        "settled": [[*key] for key in sorted(settled)],
        "touched": [[table, *key] for table, key in sorted(touched)],
    }


def _carry_out(ws: Workspace, plan: Mapping[str, Any]) -> int:
    links = Links({column: set(plan["links"][column]) for column in LINKS})
    subject = Subject(Named(**plan["named"]), links, plan["until_us"])
    rows = Rows(frozenset(plan["commitments"]), links.values, plan["until_us"])
    tombstone = decode(encode(plan["tombstone"]))
    ws.lake.erased.add(subject)
    _rewrite(ws, rows, tombstone, plan)
    wording.forget(ws, plan["prompts"])
    relations.redact(ws, links, plan["names"])
    forgotten = [*plan["commitments"], *plan["sessions"]]
    ws.lake.salts.forget(forgotten, links.values["request_id"])
    for page in tombstone.pages:
        ws.lake.raw.destroy(page.source, page.day, page.old)
    entry = _seal(ws, tombstone)
    ws.lake.store.delete(PLAN)
    return entry


def _rewrite(ws: Workspace, rows: Rows, tombstone: Tombstone, plan: Mapping[str, Any]) -> None:
    """Tables and manifests without the rows, then the state that shows them, then the old files."""
    purge, found = ws.lake.purge, person.hits(ws, rows)
    for table, hits in found.items():
        purge.remove(table, hits, rows)
    _manifests(ws, tombstone, plan["bytes"])
    settled = [(source, day) for source, day in plan["settled"]]
    touched = [(table, (source, day)) for table, source, day in plan["touched"]]
    counts.show(ws.lake, settled, touched)
    for table, hits in found.items():
        purge.sweep(table, hits)


def _manifests(ws: Workspace, tombstone: Tombstone, sizes: Mapping[str, int]) -> None:
    changed: dict[Key, dict[str, PageRef | None]] = {}
    for page in tombstone.pages:
        new = None if page.new is None else PageRef(page.new, sizes[page.new])
        changed.setdefault((page.source, page.day), {})[page.old] = new
    for (source, day), pages in sorted(changed.items()):
        ws.lake.raw.rewrite(source, day, pages)


def _seal(ws: Workspace, tombstone: Tombstone) -> int:
    """The tombstone, the new manifests and the entries that name them."""
    Tombstones(ws.lake.store).keep(tombstone)
    days = sorted({(page.source, page.day) for page in tombstone.pages})
    manifests = [m for key in days if (m := ws.lake.raw.manifest(*key)) is not None]
    return ws.log.append_once([*map(pages_entry, manifests), duty.entry(tombstone)])[-1]


def _refused(
    ws: Workspace, blank: Tombstone, found: _Found, because: str, *, dry_run: bool
) -> Erasure:
    if dry_run:
        return Erasure("refused", blank, found.kept_rows, because, None)
    facts: dict[str, Json] = {
        "subject": blank.subject,
        "authority": blank.authority,
        "outcome": "refused",
        "because": because,
    }
    content = duty.kept(ws, ERASURE, facts)
    entry = entries.erasure(
        content,
        outcome="refused",
        subject=blank.subject or "",
        authority=blank.authority,
        because=because,
    )
    return Erasure("refused", blank, found.kept_rows, because, ws.log.append_once([entry])[0])


def _row_counts(found: _Found) -> dict[str, int]:
    sums = {t: sum(rows for _, rows in counted(hits)) for t, hits in found.hits.items()}
    return {table: rows for table, rows in sums.items() if rows}


def _in_force(ws: Workspace) -> list[Hold]:
    return Holds(ws.lake.store).in_force()


def _ids(holds: Iterable[Hold]) -> str:
    return ", ".join(hold.id for hold in holds)
