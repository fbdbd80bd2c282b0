"""Charges against usage at list price: money of the invoice that tokens and prices do not give."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

import pyarrow as pa

from countersign.controls._tokens_lines import ProviderDay, day_text
from countersign.controls._tokens_statement import micros

_CENT_USD_MICROS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Charge:
    """One provider-day: charged, billed by usage x price, and the difference beyond a cent a line.

    `charged` - `price_difference` - `rounding` = `billed`, all in micro-USD.
    """

    provider: str
    day: int
    charged: int
    billed: int
    lines: int
    is_open: bool

    @property
    def price_difference(self) -> int:
        """The difference, when it is more than a cent per charged line."""
        difference = self.charged - self.billed
        return difference if abs(difference) > self.lines * _CENT_USD_MICROS else 0

    def document(self) -> dict[str, Any]:
        """One row of the table `charges`."""
        difference = self.price_difference
        return {
            "provider": self.provider,
            "day": day_text(self.day),
            "charged_usd_micros": self.charged,
            "billed_usd_micros": self.billed,
            "price_difference_usd_micros": difference,
            "rounding_usd_micros": self.charged - self.billed - difference,
            "lines": self.lines,
            "status": "open" if self.is_open else "final",
        }


@dataclass(frozen=True, slots=True)
class Charged:
    """Every provider-day that was billed and charged, and what could not be compared."""

    rows: tuple[Charge, ...]
    missing: tuple[ProviderDay, ...]
    foreign: tuple[tuple[str, str], ...]

    def of(self, provider: str | None = None) -> int | None:
        """Micro-USD charged; None when a billed day has no charge in USD."""
        mine = [row for row in self.rows if provider in {None, row.provider}]
        gaps = [day for day in self.missing if provider in {None, day[0]}]
        return None if gaps or not mine else sum(row.charged for row in mine)

    @property
    def price_difference(self) -> int | None:
        """Micro-USD that the charges hold beyond usage x price; None without charges."""
        return sum(row.price_difference for row in self.rows) if self.rows else None


def compare(charges: pa.Table, billed: Mapping[ProviderDay, int | None]) -> Charged:
    """Put charges beside the billed pico-USD of each provider-day (None: no price)."""
    lines = charges.to_pylist()
    with_types = {row["provider"] for row in lines if row["of_tokens"]}
    kept = [row for row in lines if row["of_tokens"] or row["provider"] not in with_types]
    foreign = {(row["provider"], row["currency"]) for row in kept if row["currency"] != "USD"}
    by_day: dict[ProviderDay, list[Mapping[str, Any]]] = {}
    for row in kept:
        if row["currency"] == "USD":
            by_day.setdefault((row["provider"], row["day"]), []).append(row)
    rows = tuple(
        _charge(day, by_day[day], pico)
        for day, pico in sorted(billed.items())
        if day in by_day and pico is not None
    )
    missing = tuple(day for day in sorted(billed) if day not in by_day)
    return Charged(rows, missing, tuple(sorted(foreign)))


def _charge(day: ProviderDay, rows: Iterable[Mapping[str, Any]], pico: int) -> Charge:
    parts = list(rows)
    cost = sum((row["cost"] for row in parts), Decimal(0))
    return Charge(
        day[0],
        day[1],
        int((cost * 1_000_000).to_integral_value(ROUND_HALF_EVEN)),
        micros(pico),
        sum(row["lines"] for row in parts),
        any(row["open"] for row in parts),
    )
