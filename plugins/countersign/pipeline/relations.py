"""Relations that findings left, without the ids of somebody who was erased.

The sealed documents of a finding never change. Its relations are not sealed; a request in them
goes on under the name by which its hour's record is sealed, so that the hour still adds up and
everybody else's proofs can be cut from it, while nobody can say any more whose it was.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from countersign.lake.subject import LINKS, Links
from countersign.ledger import folder
from countersign.pipeline import residency
from countersign.pipeline.workspace import Workspace

_REQUEST: Final = "request_id"
_JUDGED: Final = "requests.parquet"


def names(ws: Workspace, links: Links) -> dict[str, str]:
    """The new name of each request; to be asked before its salt is destroyed."""
    found = {
        request: residency.ERASED + ws.lake.erased.commitment(_REQUEST, request)
        for request in links.values[_REQUEST]
    }
    for file in _files(ws):
        if file.name == _JUDGED and links.values[_REQUEST]:
            wanted = pc.field(_REQUEST).isin(sorted(links.values[_REQUEST]))
            days: dict[str, list[str]] = {}
            for row in pq.read_table(file, filters=wanted).to_pylist():
                days.setdefault(row["at"].date().isoformat(), []).append(row[_REQUEST])
            for day, requests in days.items():
                found |= residency.erased_names(ws.lake.salts, day, requests)
    return found


def redact(ws: Workspace, links: Links, named: Mapping[str, str]) -> int:
    """Rename the requests in every relation; how many files changed. Repeatable."""
    return sum(_redact(file, links, named) for file in _files(ws))


def _redact(file: Path, links: Links, named: Mapping[str, str]) -> bool:
    before = table = pq.read_table(file)
    for column in set(LINKS) & set(before.column_names):
        theirs = pc.is_in(table[column], pa.array(sorted(links.values[column]), pa.string()))
        if pc.any(theirs).as_py():
            new = [named.get(value) for value in table[column].to_pylist()]
            chosen = pc.if_else(theirs, pa.array(new, pa.string()), table[column])
            table = table.set_column(table.column_names.index(column), column, chosen)
    if table is before:
        return False
    sink = io.BytesIO()
    pq.write_table(table, sink)
    folder.write(file.parent, {file.name: sink.getvalue()})
    return True


def _files(ws: Workspace) -> list[Path]:
    return sorted((ws.lake_root / "findings").rglob("*.parquet"))
