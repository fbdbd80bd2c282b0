"""Rows of people who were erased, arriving again: they are not kept, and not admitted.

A page is cut before it is written, so what a source says of somebody from before their erasure
never reaches the disk a second time. Admission asks again, for pages that came another way (a
restored backup, a page that could not be read when it was collected).
"""

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from countersign.errors import SourceError
from countersign.lake.raw import DATED
from countersign.lake.subject import Links, Named, Subject, is_personal
from countersign.model import Window
from countersign.pipeline.workspace import Workspace
from countersign.records import Record, kind_name

REASON = "erased"


def without_erased(ws: Workspace, source: str, day: str, page: bytes) -> bytes | None:
    """The page without rows of the erased; None when nothing of it may be kept.

    A page that cannot be read is kept as it came: its day is refused, and nothing of it admitted.
    """
    connector, erased = ws.sources[source], ws.lake.erased
    is_later = day != DATED and _start_us(day) >= erased.until_us
    if not erased.until_us or is_later or not any(map(is_personal, connector.kinds)):
        return page
    links = Links()
    try:
        for record in replace(connector, records=None).parse(page):
            if erased.owns(record):
                links.add(record)
    except SourceError:
        return page
    # Their ids, now known in plain, tell their rows apart as the erasure itself did.
    left = connector.without(page, Subject(Named(), links, erased.until_us))
    if left.rows:
        ws.progress(f"{source} {day}: {left.rows} rows refused: {REASON}")
    return left.page


def others(
    ws: Workspace, source: str, tables: Mapping[type[Record], pa.Table]
) -> Mapping[type[Record], pa.Table]:
    """The rows of everybody who was not erased."""
    erased = ws.lake.erased
    if not erased.until_us:
        return tables
    kept = dict(tables)
    for kind, rows in tables.items():
        marks = erased.marks(kind, rows) if is_personal(kind) else None
        if marks is not None and marks.any():
            kept[kind] = rows.filter(pa.array(~marks))
            refused = f"{int(marks.sum())} rows of {kind_name(kind)} refused: {REASON}"
            ws.progress(f"{source}: {refused}")
    return kept


def _start_us(day: str) -> int:
    return Window.parse(f"{day}/9999-12-31").start_us
