"""Retention: what has had its time goes, and the log says what went, by which rule and whose word.

Pages go with their keys, rows with every old file that held them. Manifests and findings stay:
they go on proving what there was. A day under a legal hold is passed over, and named.
"""

from dataclasses import replace
from typing import TypeAlias

import pyarrow.compute as pc

from countersign.lake import counts
from countersign.lake.commit import PSEUDONYMS
from countersign.lake.tombstone import RETENTION, Tombstone, Tombstones
from countersign.pipeline import duty, erase, expiry
from countersign.pipeline.expiry import CALLS, Expired
from countersign.pipeline.workspace import Workspace

Begun: TypeAlias = tuple[str, str | None]
"""A rule and a table that it ends rows of; one rule may end pages and rows of two tables."""


def apply(ws: Workspace, authority: str = "") -> list[Expired]:
    """Delete what has had its time, rule by rule, and log each. Repeatable.

    What a kill left undone is done, and logged once, by the next run.
    """
    authority = duty.checked("--authority", authority or ws.config.retention.authority, None)
    with duty.alone(ws):
        erase.resume(ws)
        begun = _begun(ws)
        done = [_apply(ws, part, authority, begun) for part in expiry.plan(ws)]
        for tombstone in begun.values():  # killed after the last deletion, before its log entry
            ws.log.append_once([duty.entry(tombstone)])
    return done


def _apply(ws: Workspace, part: Expired, authority: str, begun: dict[Begun, Tombstone]) -> Expired:
    if not part.pages and not part.hits:
        return part
    tombstone = _tombstone(ws, part, authority, begun.pop((part.rule.text, part.table), None))
    # The tombstone first: nothing is ever gone that nothing explains.
    Tombstones(ws.lake.store).keep(tombstone)
    for source, day in sorted({(page.source, page.day) for page in part.pages}):
        ws.lake.raw.expire(source, day)
    for page in part.pages:
        ws.lake.raw.destroy(page.source, page.day, page.old)
    _delete(ws, part)
    return replace(part, entry=ws.log.append_once([duty.entry(tombstone)])[0])


def _tombstone(ws: Workspace, part: Expired, authority: str, begun: Tombstone | None) -> Tombstone:
    """What is deleted now, together with what a killed run had begun to delete by the same rule."""
    rows = {part.table: part.rows} if part.table else {}
    made = Tombstone(RETENTION, part.rule.text, authority, ws.now_us(), pages=part.pages, rows=rows)
    if begun is None:
        return made
    Tombstones(ws.lake.store).drop(begun)
    most = {what: max(n, rows.get(what, 0)) for what, n in (begun.rows or {}).items()}
    return replace(made, pages=sorted({*part.pages, *begun.pages}), rows={**rows, **most})


def _begun(ws: Workspace) -> dict[Begun, Tombstone]:
    """Tombstones that a killed run wrote and did not log."""
    return {
        (tombstone.rule, next(iter(tombstone.rows or ()), None)): tombstone
        for _, tombstone in Tombstones(ws.lake.store).read()
        if tombstone.by == RETENTION and ws.log.find(duty.entry(tombstone)) is None
    }


def _delete(ws: Workspace, part: Expired) -> None:
    if part.choice is None or part.table is None:
        return
    table, purge = part.table, ws.lake.purge
    purge.remove(table, part.hits, part.choice)
    touched = {(table, hit.key) for hit in part.hits if hit.is_current}
    counts.show(ws.lake, (), touched, touched)
    purge.sweep(table, part.hits)
    if table == CALLS:
        _forget(ws, {hit.key[1] for hit in part.hits})


def _forget(ws: Workspace, days: set[str]) -> None:
    """Salts of requests, and names behind commitments, that no row needs any more."""
    left: dict[str, set[str]] = {day: set() for day in days}
    used: set[str] = set()
    for table in ws.lake.purge.tables():
        for name, key in ws.lake.purge.files(table):
            rows = ws.lake.purge.rows(name, {"request_id", *PSEUDONYMS})
            for column in set(PSEUDONYMS) & set(rows.column_names):
                used.update(pc.drop_null(pc.unique(rows[column])).to_pylist())
            if table == CALLS and key[1] in left:
                left[key[1]].update(rows["request_id"].to_pylist())
    ws.lake.salts.keep_only(left, used)
