"""What OpenAI charges: the organization costs API, which is what ties to the invoice."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from countersign.connectors.interface import Connector, Fetch, Params
from countersign.connectors.wire.closing import INVOICE_DAYS, invoiced
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.paging import follow, next_page
from countersign.connectors.wire.value import Row, inner, instant, money, needed, text
from countersign.model import US_PER_SECOND, Window
from countersign.records import ProviderCharge, Record
from countersign.registry import plugin_id

_PATH = "/v1/organization/costs"
_GROUPS = ("project_id", "line_item")


@dataclass(frozen=True)
class OpenAICosts(Connector):
    """Billed dollars per project, day and line item.

    Reads: `GET /v1/organization/costs`, one row per UTC day, project and line item.

    Credential: an organization's admin key that may read usage.

    Late: no latency and no finality is published: days are read again for three days, and once more
    at the invoice, `invoice_days` after the month, which alone makes money final.

    Cannot tell: the model and the kind of token have no field and are taken from a line item like
    `gpt-5.4, input_tokens`, else NULL; where anything ran; the key, since it is not grouped by.
    Usage and costs may not agree to the cent; the costs are what ties to the invoice.
    """

    kinds = (ProviderCharge,)
    lag = timedelta(days=3)

    limit: int = 180
    invoice_days: int = INVOICE_DAYS

    def settled(self, day: date) -> int:
        """At the invoice of the day's month."""
        return invoiced(day, self.invoice_days)

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Follow `next_page`; the end is exclusive, in Unix seconds. Days are the only grain."""
        source = plugin_id(type(self))
        asked: Params = {
            "start_time": window.start_us // US_PER_SECOND,
            "end_time": window.end_us // US_PER_SECOND,
            "bucket_width": "1d",
            "group_by": _GROUPS,
            "limit": self.limit,
        }
        return follow(
            source, lambda more: fetch(_PATH, {**asked, **more}), "page", next_page(source)
        )

    def parse(self, page: bytes) -> Iterator[Record]:
        """One record per day, project and line item."""
        return Page(plugin_id(type(self)), page).bucketed(_record)


def _record(found: tuple[Row, Row]) -> Iterator[ProviderCharge]:
    bucket, result = found
    amount = inner(result, "amount")
    line_item, project = text(result.get("line_item")), text(result.get("project_id"))
    model, token_type = _named(line_item)
    quantity = result.get("quantity")
    yield ProviderCharge(
        ProviderName="openai",
        ChargePeriodStart=instant(bucket.get("start_time")),
        ChargePeriodEnd=instant(bucket.get("end_time")),
        BilledCost=money(amount.get("value")),
        BillingCurrency=needed(amount, "currency").upper(),
        ChargeCategory="Usage",
        ChargeDescription=line_item,
        ConsumedQuantity=None if quantity is None else money(quantity),
        ConsumedUnit=text(result.get("quantity_unit")),
        SkuMeter=token_type,
        SubAccountId=project,
        x_model=model,
        x_token_type=token_type,
        x_project=project,
    )


def _named(line_item: str | None) -> tuple[str | None, str | None]:
    """Model and token type of `gpt-5.4-mini, input_tokens`; other line items name neither.

    The API has no model dimension: the line item's text is all there is.
    """
    model, comma, meter = (line_item or "").rpartition(", ")
    return (model, meter) if comma and meter.endswith("_tokens") else (None, None)
