"""Admit: parse what changed since last time; rows become evidence or go to quarantine."""

from collections.abc import Iterable
from dataclasses import dataclass

from countersign.lake.admission import Admission, admit_changed
from countersign.pipeline import resources
from countersign.pipeline.workspace import Workspace
from countersign.records import Record, kind_name


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of the rows of the days that had changed."""

    admission: Admission

    @property
    def sentence(self) -> str:
        """One line for a log or a task's result."""
        done = self.admission
        return f"admitted {done.admitted} rows, refused {done.refused}, of {done.days} source-days"


def admit(ws: Workspace) -> Admitted:
    """Admit every source-day whose kept pages differ from those admitted before."""

    def parse(source: str, page: bytes) -> Iterable[Record]:
        wanted = ws.config.sources[source].records
        records = ws.sources[source].parse(page)
        if wanted is None:
            return records
        return (record for record in records if kind_name(type(record)) in wanted)

    suites = resources.folder("expectations", ws.config)
    admission = admit_changed(
        ws.lake, parse=parse, suites=suites, text=ws.config.text, now_us=ws.now_us()
    )
    admitted = Admitted(admission)
    ws.progress(admitted.sentence)
    return admitted
