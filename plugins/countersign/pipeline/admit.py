"""Admit: parse what changed since last time; rows become evidence or go to quarantine."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from countersign.errors import SourceError
from countersign.lake import surprises
from countersign.lake.admission import Admission
from countersign.lake.text import TextRules
from countersign.model import instant
from countersign.pipeline import duty, resources
from countersign.pipeline.returning import others
from countersign.pipeline.turn import alone
from countersign.pipeline.workspace import Workspace
from countersign.records import Record


def admit(ws: Workspace) -> Admission:
    """Admit every source-day whose kept pages differ from those admitted before.

    Raises:
        EvidenceError: another process is admitting into this lake.
    """
    with alone(ws, "admission", "admission"), duty.alone(ws):
        return _admit(ws)


def _admit(ws: Workspace) -> Admission:
    def tables(source: str, page: bytes) -> Mapping[type[Record], pa.Table]:
        try:
            return others(ws, source, ws.sources[source].tables(page))
        except SourceError as error:
            raise error.under(source) from None  # a connector knows its kind, not its id here

    def kinds(source: str) -> Sequence[type[Record]]:
        return ws.kinds.get(source, ())

    rules = ws.config.text
    admission = ws.lake.admit(
        tables,
        kinds,
        expectations=resources.folders("expectations", ws.config),
        now_us=ws.now_us(),
        text=TextRules(rules.vocabulary_from, rules.vocabulary_weeks),
    )
    ws.progress(admission.sentence)
    for source, fields in surprises.look(ws.lake.store, ws.lake.raw, ws.lake.admitted()).items():
        named = ", ".join(map(surprises.shown, fields[:5])) + (", ..." if len(fields) > 5 else "")
        ws.progress(f"{source}: {len(fields)} fields never seen before, kept raw: {named}")
    # By the machine's clock: the ages of files are real, whatever the configuration's clock says.
    tidied = ws.lake.tidy(instant(datetime.now(UTC)))
    if tidied.is_news:
        ws.progress(f"lake: {tidied.sentence}")
    return admission
