"""The pinned vocabulary without the words that only somebody who was erased has used."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from countersign.lake import vocabulary
from countersign.lake.engine import connection
from countersign.lake.purge import Hit
from countersign.pipeline.person import Rows
from countersign.pipeline.workspace import Workspace
from countersign.records import CallText, kind_name

_TABLE = kind_name(CallText)


def prompts_of(ws: Workspace, rows: Rows, hits: Iterable[Hit]) -> int:
    """How many of somebody's prompts the vocabulary was counted from."""
    days = _days(ws)
    found = 0
    for hit in hits:
        if hit.is_current and hit.key[1] in days:
            table = ws.lake.purge.rows(hit.name, {"role", *rows.columns(_TABLE)})
            theirs = table.filter(pa.array(rows(_TABLE, hit.key, table)))
            found += pc.sum(pc.equal(theirs["role"], "prompt")).as_py() or 0
    return found


def forget(ws: Workspace, gone: int) -> None:
    """Count again after so many prompts have gone. Repeatable."""
    if not gone or not ws.lake.store.exists(vocabulary.MANIFEST):
        return
    kept = ws.lake.delta.read(_TABLE, ws.lake.purge.version(_TABLE), _days(ws))
    prompts = pa.table({"text": pa.array([], pa.string())})
    if kept is not None:
        prompts = kept.filter(pc.field("role") == "prompt").select(["text"])
    con = connection(ws.lake.limits)
    try:
        vocabulary.forget(ws.lake.store, con, prompts, gone)
    finally:
        con.close()


def _days(ws: Workspace) -> set[str]:
    held = vocabulary.load(ws.lake.store)
    return set() if held is None else {day.isoformat() for day in held.window.days()}
