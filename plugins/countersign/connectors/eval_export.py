"""What evaluations found: golden and shadow runs, and how requests turned out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from countersign.connectors.interface import Connector, Fetch, Folder
from countersign.connectors.wire import promptfoo, table_file
from countersign.connectors.wire.dated_file import around
from countersign.connectors.wire.evaluation import case, outcome
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, UnreadableError, row
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.records import GoldenCase, Outcome, Record
from countersign.registry import plugin_id

_KINDS: Final = ("golden_case", "outcome")


@dataclass(frozen=True)
class EvalExport(Connector):
    """One row per golden or shadow case and run, or one per request that was judged.

    Reads: promptfoo's result file (`promptfoo eval -o results.json`), one case per test and
    prompt; and tables of one's own as JSON Lines, CSV or Parquet, packed by gzip or not, whose
    columns are those of `countersign schema golden_case` (rows with `case_id`) and `countersign
    schema outcome` (rows with `resolved`). `score` and `inclusion` may stand for `score_ppm` and
    `inclusion_ppm` as shares of one. Cases are knowledge and kept without a day; outcomes belong
    to the day of `at`: a source takes one of the two by `records`, two sources take both.

    Credential: none for a folder; a file behind an address needs what its host asks.

    Late: outcomes come as judges get to them, so days are read again for seven.

    Cannot tell: promptfoo numbers tests by position and names none, so a case is the digest of
    its variables unless `metadata.case_id` names it; when a case was added, and with which
    probability it was drawn, stays NULL. A test that ended in an error neither passed nor
    failed. Who judged, and whether the judge is any good, is as the export says.
    """

    kinds = (GoldenCase, Outcome)

    records: tuple[str, ...] | None = ("golden_case",)
    set: str | None = None
    """Name of the set for files that do not name it; promptfoo's description goes before."""
    instrument: str = "gold"
    """`gold` or `shadow`, for rows that do not say."""

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:  # noqa: ARG002 - one file
        """The one export behind the address."""
        self._refuse_both()
        yield fetch("")

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the files: of outcomes those of the window's days, and those that name none."""
        self._refuse_both()
        if self.records == ("outcome",):
            yield from around(folder, window, 7)
        else:
            for name in folder.names():
                yield folder.read(name)

    def parse(self, page: bytes) -> Iterator[Record]:
        """Every case and every outcome of the file."""
        whole = plain(Page(plugin_id(type(self)), page))
        return whole.records(_rows(whole), self._record)

    def _record(self, fields: Row) -> Iterator[Record]:
        if promptfoo.is_result(fields):
            yield promptfoo.case(fields, self.set, self.instrument)
        elif fields.get("resolved") is not None:
            yield outcome(fields)
        elif fields.get("case_id") is not None:
            yield case(fields, self.set, self.instrument)
        else:
            raise UnreadableError("neither case_id nor resolved is given")

    def _refuse_both(self) -> None:
        if self.records is None or len(self.records) != 1 or self.records[0] not in _KINDS:
            raise SourceError(
                plugin_id(type(self)),
                Fault.REFUSED,
                page="",
                expected=f"records = one of {', '.join(_KINDS)}",
                observed=", ".join(self.records or ("both",)),
                remedy="Name the same folder in two sources, one for each kind.",
            )


def _rows(page: Page) -> Iterator[Row]:
    if page.body.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] in (b"{", b"[", b""):
        for document in page.documents():
            fields = row(document)
            yield from promptfoo.results(page, fields) if promptfoo.is_file(fields) else (fields,)
        return
    table = table_file.read(page)
    if not {"case_id", "resolved"} & set(table.names):
        raise page.fault(Fault.MALFORMED, "a column case_id or resolved", _shown(table.names))
    for values in table.rows:
        if isinstance(values, str):
            raise UnreadableError(values)
        yield dict(zip(table.names, values, strict=True))


def _shown(names: object) -> str:
    return str(names)[:120]
