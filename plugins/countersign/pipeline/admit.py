"""Admit: parse what changed since last time; rows become evidence or go to quarantine."""

from collections.abc import Iterable, Sequence

from countersign.lake.admission import Admission
from countersign.lake.text import TextRules
from countersign.pipeline import resources
from countersign.pipeline.workspace import Workspace
from countersign.records import Record


def admit(ws: Workspace) -> Admission:
    """Admit every source-day whose kept pages differ from those admitted before."""

    def parse(source: str, page: bytes) -> Iterable[Record]:
        return ws.sources[source].parse(page)

    def kinds(source: str) -> Sequence[type[Record]]:
        return ws.kinds.get(source, ())

    rules = ws.config.text
    admission = ws.lake.admit(
        parse,
        kinds,
        expectations=resources.folders("expectations", ws.config),
        now_us=ws.now_us(),
        text=TextRules(rules.vocabulary_from, rules.vocabulary_weeks),
    )
    ws.progress(admission.sentence)
    return admission
