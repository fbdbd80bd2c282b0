"""What Anthropic charges: the cost report, whose amounts are decimal strings in cents."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from countersign.connectors.interface import Connector, Fetch, Params
from countersign.connectors.wire.closing import INVOICE_DAYS, invoiced
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.paging import follow, next_page
from countersign.connectors.wire.value import Row, instant, money, needed, text
from countersign.model import Window, rfc3339
from countersign.records import ProviderCharge, Record
from countersign.registry import plugin_id

_PATH = "/v1/organizations/cost_report"
_GROUPS = ("workspace_id", "description")
_HEADERS = {"anthropic-version": "2023-06-01"}


@dataclass(frozen=True)
class AnthropicCost(Connector):
    """Billed dollars per workspace, day and description.

    Reads: `GET /v1/organizations/cost_report`, one row per UTC day, workspace and description;
    amounts are decimal strings in cents.

    Credential: an admin key (`sk-ant-admin01-...`); individual accounts have none.

    Late: figures come within minutes as a rule, and no finality is published: days are read again
    for three days, and once more `invoice_days` after the month, which alone makes money final.

    Cannot tell: what Priority Tier costs, which is not in this report, nor what runs on Claude
    Platform on AWS; the key; a NULL workspace is the default one.
    """

    kinds = (ProviderCharge,)
    lag = timedelta(days=3)
    credential_header = "x-api-key: {}"

    limit: int = 31
    invoice_days: int = INVOICE_DAYS

    def settled(self, day: date) -> int:
        """When the day's month is closed."""
        return invoiced(day, self.invoice_days)

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Follow `next_page`; the end is exclusive, in RFC 3339. Days are the only grain."""
        source = plugin_id(type(self))
        asked: Params = {
            "starting_at": rfc3339(window.start_us),
            "ending_at": rfc3339(window.end_us),
            "bucket_width": "1d",
            "group_by[]": _GROUPS,
            "limit": self.limit,
        }
        return follow(
            source,
            lambda more: fetch(_PATH, {**asked, **more}, headers=_HEADERS),
            "page",
            next_page(source),
        )

    def parse(self, page: bytes) -> Iterator[Record]:
        """One record per day, workspace and description."""
        return Page(plugin_id(type(self)), page).bucketed(_record)


def _record(found: tuple[Row, Row]) -> Iterator[ProviderCharge]:
    bucket, result = found
    project, token_type = text(result.get("workspace_id")), text(result.get("token_type"))
    yield ProviderCharge(
        ProviderName="anthropic",
        ChargePeriodStart=instant(bucket.get("starting_at")),
        ChargePeriodEnd=instant(bucket.get("ending_at")),
        BilledCost=money(result.get("amount"), per_unit=100),
        BillingCurrency=needed(result, "currency").upper(),
        ChargeCategory="Usage",
        ChargeDescription=text(result.get("description")),
        RegionId=text(result.get("inference_geo")),
        ServiceName=text(result.get("cost_type")),
        SkuMeter=token_type,
        SubAccountId=project,
        x_model=text(result.get("model")),
        x_token_type=token_type,
        x_project=project,
        x_service_tier=text(result.get("service_tier")),
    )
