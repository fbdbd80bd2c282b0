"""Admit: parse what changed since last time; rows become evidence or go to quarantine."""

from collections.abc import Iterator, Sequence

from countersign.errors import SourceError
from countersign.lake.admission import Admission
from countersign.lake.text import TextRules
from countersign.pipeline import resources
from countersign.pipeline.workspace import Workspace
from countersign.records import Record


def admit(ws: Workspace) -> Admission:
    """Admit every source-day whose kept pages differ from those admitted before."""

    def parse(source: str, page: bytes) -> Iterator[Record]:
        try:
            yield from ws.sources[source].parse(page)
        except SourceError as error:
            raise error.under(source) from None  # a connector knows its kind, not its id here

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
