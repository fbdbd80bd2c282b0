"""A row of Google Cloud's billing export as a charge with the columns of FOCUS."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from countersign.connectors.wire import bigquery
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    exact,
    inner,
    instant,
    money,
    needed,
    row,
    text,
)
from countersign.records import ProviderCharge

_CATEGORIES: Final = {
    "regular": "Usage",
    "tax": "Tax",
    "adjustment": "Adjustment",
    "rounding_error": "Adjustment",
}
_CLOUD: Final = "gcp"
_MONTHS: Final = 12


def is_row(fields: Row) -> bool:
    """Whether a BigQuery row is one of the bill."""
    return "cost" in fields and "usage_start_time" in fields


def charge(fields: Row, providers: Mapping[str, str]) -> ProviderCharge:
    """One billed row. The cost is net: credits are negative, and stand in a list of their own."""
    sku, project, usage = (inner(fields, name) for name in ("sku", "project", "usage"))
    service = text(inner(fields, "service").get("description"))
    meter = text(sku.get("description"))
    start, end = _invoiced(text(inner(fields, "invoice").get("month")))
    kind = text(fields.get("cost_type"))
    return ProviderCharge(
        ProviderName=providers.get(service or "", _CLOUD),
        ChargePeriodStart=bigquery.moment(fields.get("usage_start_time")),
        ChargePeriodEnd=bigquery.moment(fields.get("usage_end_time")),
        BilledCost=_net(fields),
        BillingCurrency=needed(fields, "currency"),
        BillingAccountId=text(fields.get("billing_account_id")),
        BillingPeriodStart=start,
        BillingPeriodEnd=end,
        ChargeCategory=_CATEGORIES.get(kind or "", kind),
        ChargeClass="Correction" if fields.get("adjustment_info") else None,
        ChargeDescription=meter,
        ConsumedQuantity=_amount(usage, "amount"),
        ConsumedUnit=text(usage.get("unit")),
        ListCost=_amount(fields, "cost_at_list"),
        PricingQuantity=_amount(usage, "amount_in_pricing_units"),
        PricingUnit=text(usage.get("pricing_unit")),
        RegionId=_location(inner(fields, "location")),
        ResourceId=text(inner(fields, "resource").get("global_name")),
        ServiceName=service,
        SkuId=text(sku.get("id")),
        SkuMeter=meter,
        SubAccountId=text(project.get("id")),
        Tags=_labels(fields.get("labels")),
        x_project=text(project.get("id")),
        x_token_type=meter if "token" in (meter or "").lower() else None,
        x_exported_at=_exported(fields),
    )


def _net(fields: Row) -> str:
    credits_ = fields.get("credits")
    listed = credits_ if isinstance(credits_, list) else []
    parts = [fields.get("cost"), *(row(item).get("amount") for item in listed)]
    return money(sum((Decimal(money(part)) for part in parts), Decimal(0)))


def _amount(fields: Row, name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else money(value)


def _location(location: Row) -> str | None:
    return text(location.get("region")) or text(location.get("location"))


def _exported(fields: Row) -> int | None:
    said = fields.get("export_time")
    return None if said is None else bigquery.moment(said)


def _invoiced(month: str | None) -> tuple[int | None, int | None]:
    """The first instants of an invoice's month (`202611`) and of the next."""
    if month is None:
        return None, None
    try:
        first = datetime.strptime(month, "%Y%m").replace(tzinfo=UTC)
    except ValueError:
        raise UnreadableError(f"a month like 202611 was expected, not {month[:20]!r}") from None
    years, index = divmod(first.year * _MONTHS + first.month, _MONTHS)
    try:
        return instant(first), instant(first.replace(year=years, month=index + 1))
    except ValueError:
        raise UnreadableError(f"no month follows {month}") from None


def _labels(labels: Any) -> str | None:
    if not isinstance(labels, list) or not labels:
        return None
    pairs = (row(label) for label in labels)
    return exact({text(p.get("key")) or "": text(p.get("value")) for p in pairs})
