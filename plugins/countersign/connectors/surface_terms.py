"""What contracts and policies say about each surface: dated files that a person edits."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from countersign.canonical import digest
from countersign.connectors.interface import Connector, Fetch
from countersign.connectors.wire import terms
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.provider_name import written
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    count,
    instant,
    needed,
    optional_instant,
    text,
)
from countersign.model import Window
from countersign.records import Record, SurfaceTerm, required_columns
from countersign.records.knowledge import SURFACES
from countersign.registry import plugin_id


@dataclass(frozen=True)
class SurfaceTerms(Connector):
    """Where a surface keeps or processes what it is given, by whom, under whose law.

    Reads: TOML with `[[surface]]` tables, or CSV with the same columns. `document` is the text
    that the row rests on (a clause, or the name of a contract); its digest stands for it.

    Credential: none; the file is yours.

    Late: never; a file is as good as the day on which it is collected.

    Cannot tell: whether the provider keeps to the terms: a row is a promise, and is graded as one.
    """

    kinds = (SurfaceTerm,)
    lag = timedelta(0)

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:  # noqa: ARG002 - dated
        """The one file behind the address."""
        yield fetch("")

    def parse(self, page: bytes) -> Iterator[Record]:
        """Every term, whatever its dates."""
        whole = Page(plugin_id(type(self)), page)
        return whole.records(terms.rows(whole, "surface", required_columns(SurfaceTerm)), _record)


def _record(row: Row) -> Iterator[SurfaceTerm]:
    surface = needed(row, "surface")
    if surface not in SURFACES:
        raise UnreadableError(f"surface {surface!r} is none of {', '.join(SURFACES)}")
    yield SurfaceTerm(
        pipeline=needed(row, "pipeline"),
        surface=surface,
        provider=written(needed(row, "provider")),
        jurisdiction=needed(row, "jurisdiction"),
        valid_from=instant(row.get("valid_from")),
        valid_to=optional_instant(row.get("valid_to")),
        product=text(row.get("product")),
        region=text(row.get("region")),
        operator=text(row.get("operator")),
        operator_parent_jurisdiction=text(row.get("operator_parent_jurisdiction")),
        key_custody=text(row.get("key_custody")),
        storage_jurisdiction=text(row.get("storage_jurisdiction")),
        lifetime_days=count(row.get("lifetime_days")),
        transfer_mechanism=text(row.get("transfer_mechanism")),
        document_digest=_document_digest(row),
        retrieved_at=optional_instant(row.get("retrieved_at")),
    )


def _document_digest(row: Row) -> str | None:
    given, document = text(row.get("document_digest")), text(row.get("document"))
    return given or (None if document is None else digest(document.encode()))
