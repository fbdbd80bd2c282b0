"""The bill as a FOCUS export: what AWS, Azure, Google Cloud and others charge, line by line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from countersign.connectors.interface import Connector, Fetch
from countersign.connectors.wire import focus, table_file
from countersign.connectors.wire.charge_line import numbered
from countersign.connectors.wire.closing import INVOICE_DAYS, invoiced
from countersign.connectors.wire.page import Page
from countersign.model import Window
from countersign.records import ProviderCharge, Record
from countersign.registry import plugin_id


@dataclass(frozen=True)
class FocusExport(Connector):
    """Billed lines with the columns of FOCUS 1.0 to 1.2; the renames of 1.3 and 1.4 are known.

    Reads: every file of an exported folder (or the one file behind a signed link), CSV or Parquet,
    packed by gzip or not; one row is one charge. The version is told by the columns, the word NULL
    is absent, times may lack the T and the zone (UTC). A row with a value that cannot be read is
    refused at admission with the reason, and the others stay usable.

    Credential: none for a folder; read access to the export's bucket for whoever copies it.

    Late: bills are refreshed several times a day, stay open until the invoice, and corrections of
    closed periods come in the next open one: days are read again for two months, and are final
    `invoice_days` after the month that follows theirs.

    Cannot tell: the model, the kind of token and the place of inference have no FOCUS column; the
    first two are taken from custom columns (`x_Model`, `x_TokenType`, also inside SkuPriceDetails),
    else from SkuMeter where the unit is tokens, else NULL. RegionId is where the service is billed,
    not where it ran. FOCUS names no row: two equal lines in two files count once, and a period's
    second version beside its first is refused, so keep one version of a period in the folder.
    """

    kinds = (ProviderCharge,)
    lag = timedelta(days=62)

    providers: Mapping[str, str] = field(default_factory=dict)
    """ServiceName or ProviderName of the bill -> the provider's name in the other records."""
    model_columns: tuple[str, ...] = ("x_Model", "x_ModelName", "x_ModelId")
    token_type_columns: tuple[str, ...] = ("x_TokenType",)
    project_columns: tuple[str, ...] = ("x_Project", "x_ProjectId")
    date_format: str | None = None
    """How a spreadsheet rewrote the times (`%m/%d/%y`); None is ISO 8601, as FOCUS wants."""

    invoice_days: int = INVOICE_DAYS

    def settled(self, day: date) -> int:
        """At the invoice of the month after the day's, which still corrects it."""
        return invoiced(day, self.invoice_days, open_periods=1)

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:  # noqa: ARG002 - one file
        """The one file behind the address."""
        yield fetch("")

    def parse(self, page: bytes) -> Iterator[Record]:
        """One record per row; the second and further rows about the same thing are numbered."""
        whole = Page(plugin_id(type(self)), page)
        table = table_file.read(whole)
        layout = focus.layout(whole, table, self.date_format)
        return numbered(self._charge(layout.version, layout.line(row)) for row in table.rows)

    def _charge(self, version: str, line: focus.Line) -> ProviderCharge:
        own, custom = line.columns, focus.custom_values(line)
        read: dict[str, Any] = {
            **dict.fromkeys(("ChargePeriodStart", "ChargePeriodEnd", "BilledCost")),
            **own,
            "ProviderName": self._provider(own),
            "BillingCurrency": own.get("BillingCurrency"),
        }
        return ProviderCharge(
            **read,
            x_model=focus.named(custom, self.model_columns),
            x_token_type=focus.named(custom, self.token_type_columns) or _metered(own),
            x_project=focus.named(custom, self.project_columns),
            x_columns=focus.as_json(line.custom) if line.custom else None,
            x_focus_version=version,
            x_unreadable=line.unreadable,
        )

    def _provider(self, own: Mapping[str, Any]) -> str | None:
        said: str | None = own.get("ProviderName") or own.get("ServiceProviderName")
        of_service = self.providers.get(own.get("ServiceName") or "")
        return of_service or self.providers.get(said or "", said)


def _metered(own: Mapping[str, Any]) -> str | None:
    """The meter of a line whose quantity is tokens. Token is also a word for prepaid credits."""
    meter: str | None = own.get("SkuMeter")
    return meter if "token" in (own.get("ConsumedUnit") or "").lower() else None
