"""Vertex AI's own account: the request-response log and the billing export of BigQuery."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from countersign.connectors.interface import Connector, Fetch
from countersign.connectors.wire import gcp_bill, vertex_log
from countersign.connectors.wire.charge_line import numbered
from countersign.connectors.wire.closing import INVOICE_DAYS, invoiced
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, UnreadableError, row
from countersign.model import US_PER_DAY, Window
from countersign.records import (
    GatewayCall,
    InferenceLocation,
    ProviderCharge,
    Record,
    kind_name,
)
from countersign.registry import plugin_id


@dataclass(frozen=True)
class VertexUsage(Connector):
    """One call per logged request, where its endpoint lets it run, and what was billed.

    Reads: JSON Lines extracted from BigQuery into a folder, packed by gzip or not: rows of the
    request-response log of a model (one a request) and rows of the detailed billing export (one a
    charge, cost plus credits); a row is known by its columns.

    Credential: none for a folder; BigQuery Data Viewer on both tables for whoever extracts them.

    Late: log rows within minutes; billing rows for days, with corrections appended under a later
    export_time until the invoice and in the next month: days are read again for two months, and
    are final `invoice_days` after that month; without the bill (`records`), after two days.

    Cannot tell: which columns the log has is known second-hand; they are read where they stand.
    Logging is switched on per model and location, and what it leaves out is not seen. With a
    sampling rate below 1 the calls would be some of many and are not taken: only where they ran.
    The log's time is when the row was written, not when the request began. The path of the endpoint
    promises a jurisdiction, no Region, and `global` nothing at all. In the bill a SKU's text is all
    that names the model and the kind of token, and its unit may be characters.
    """

    kinds = (GatewayCall, InferenceLocation, ProviderCharge)
    lag = timedelta(days=62)

    sampling_rate: Decimal = Decimal(1)
    """The loggingConfig's samplingRate: the rows do not say it."""
    providers: Mapping[str, str] = field(default_factory=lambda: {"Vertex AI": "gcp.vertex_ai"})
    """The bill's service.description -> the provider's name in the other records; else `gcp`."""

    invoice_days: int = INVOICE_DAYS

    def settled(self, day: date) -> int:
        """A bill at the invoice of the next month, which corrects it; a log after two days."""
        if self.records is None or kind_name(ProviderCharge) in self.records:
            return invoiced(day, self.invoice_days, open_periods=1)
        return Window.day(day).end_us + 2 * US_PER_DAY

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:  # noqa: ARG002 - one file
        """The one extracted file behind the address."""
        yield fetch("")

    def parse(self, page: bytes) -> Iterator[Record]:
        """The call and place of each log row, the charge of each billing row."""
        whole = plain(Page(plugin_id(type(self)), page))
        return numbered(whole.records(map(row, whole.documents()), self._read))

    def _read(self, fields: Row) -> Iterator[Record]:
        if gcp_bill.is_row(fields):
            yield gcp_bill.charge(fields, self.providers)
            return
        if "logging_time" not in fields:
            raise UnreadableError("neither logging_time nor cost and usage_start_time are there")
        call = vertex_log.call(fields)
        if self.sampling_rate >= 1:
            yield call
        yield from vertex_log.located(call)
