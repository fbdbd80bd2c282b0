"""FOCUS cost and usage rows: the versions' columns, and what custom columns say about tokens."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa

from countersign.connectors.wire.page import Page
from countersign.connectors.wire.table_file import TableFile
from countersign.connectors.wire.value import UnreadableError, instant, money, text
from countersign.errors import Fault
from countersign.records import ProviderCharge, schema

_NEEDED: Final = ("BilledCost", "BillingCurrency", "ChargePeriodEnd", "ChargePeriodStart")
_PROVIDER: Final = ("ProviderName", "ServiceProviderName")
"""1.3 renames the first into the second, and deprecates it."""
_SINCE: Final = (
    ("1.4", {"InvoiceDetailId", "CommitmentProgramEligibilityDetails"}),
    ("1.3", {"ServiceProviderName", "HostProviderName", "AllocatedMethodId", "ContractApplied"}),
    ("1.2", {"InvoiceId", "PricingCurrency", "BillingAccountType", "SubAccountType"}),
    (
        "1.1",
        {"CapacityReservationId", "CommitmentDiscountQuantity", "ServiceSubcategory", "SkuMeter"},
    ),
)
"""Columns that each version brought; a file has at least the version of its newest column."""
Row = Mapping[str, Any]
Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the values of our columns, the custom ones, and why some could not be read."""

    columns: dict[str, Any]
    custom: dict[str, Any]
    unreadable: str | None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file's columns are read; `version` is the least one that has them."""

    version: str
    reads: Sequence[tuple[int, str, Read | None]]
    """Position and name of each column that is kept; a custom one has nothing to be read by."""

    def line(self, row: Sequence[Any] | str) -> Line:
        """Read one row. What is wrong with it is noted, not raised: the others stay usable."""
        if isinstance(row, str):
            return Line({}, {}, row)
        columns: dict[str, Any] = {}
        custom: dict[str, Any] = {}
        wrong: list[str] = []
        for position, name, read in self.reads:
            value = row[position]
            if value is None:
                continue
            if read is None:
                custom[name] = value
                continue
            try:
                columns[name] = read(value)
            except UnreadableError as error:
                wrong.append(f"{name}: {error}")
        return Line(columns, custom, "; ".join(wrong) or None)


def layout(page: Page, table: TableFile, date_format: str | None) -> Layout:
    """Find our columns in a file's, in any case of letters.

    Raises:
        SourceError: a column that every charge needs is absent.
    """
    known = {name.lower(): name for name in _reads(None)}
    names = [known.get(name.lower(), name) for name in table.names]
    absent = [name for name in _NEEDED if name not in names]
    if not any(name in names for name in _PROVIDER):
        absent.append(" or ".join(_PROVIDER))
    if absent:
        said = ", ".join(names)[:120]
        raise page.fault(Fault.MALFORMED, f"FOCUS columns, {absent[0]} among them", said)
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise page.fault(Fault.MALFORMED, "each column once", f"{min(twice)!r} in two spellings")
    reads = _reads(date_format)
    kept = [
        (position, name, reads.get(name))
        for position, name in enumerate(names)
        if name in reads or name.lower().startswith("x_")
    ]
    return Layout(_version(names), kept)


def custom_values(line: Line) -> Mapping[str, Any]:
    """Custom columns and the keys of SkuPriceDetails, their names in one spelling."""
    details = line.columns.get("SkuPriceDetails")
    if not details and not line.custom:
        return {}
    return _folded(_decoded(details)) | _folded(line.custom)


def named(found: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first value that has one of the names (`x_Model`), in any spelling."""
    if not found:
        return None
    return next((said for name in names if (said := text(found.get(_plain(name))))), None)


def as_json(value: object) -> str | None:
    """JSON text of a map (Tags); text stays as it is, pairs of Parquet become an object."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list) and all(isinstance(v, tuple) and len(v) == 2 for v in value):
        value = dict(value)
    try:
        return json.dumps(value, default=_plain_value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise UnreadableError(f"a map was expected, not {type(value).__name__}") from None


@lru_cache(maxsize=8)
def _reads(date_format: str | None) -> dict[str, Read]:
    times = lru_cache(4_096)(_time(date_format))
    amounts = lru_cache(4_096)(_amount)
    found: dict[str, Read] = {}
    for column in schema(ProviderCharge):
        if pa.types.is_timestamp(column.type):
            found[column.name] = times
        else:
            found[column.name] = amounts if pa.types.is_decimal(column.type) else _text
    ours = {f.name for f in fields(ProviderCharge) if not f.name[0].isupper()}
    maps: dict[str, Read] = {"Tags": as_json, "SkuPriceDetails": as_json}
    return {name: read for name, read in found.items() if name not in ours} | maps


def _time(date_format: str | None) -> Read:
    def read(value: Any) -> int:
        if date_format and isinstance(value, str):
            try:
                return instant(datetime.strptime(value.strip(), date_format))  # noqa: DTZ007 - UTC
            except ValueError:
                raise UnreadableError(f"a time like {date_format}, not {value[:40]!r}") from None
        if isinstance(value, str | datetime | date):
            return instant(value.strip() if isinstance(value, str) else value)
        raise UnreadableError(f"a time was expected, not {type(value).__name__}")

    return read


def _amount(value: Any) -> str:
    return money(value)


def _text(value: Any) -> str | None:
    if type(value) is str:
        return text(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return text(value)
    raise UnreadableError(f"text was expected, not {type(value).__name__}")


def _version(names: Sequence[str]) -> str:
    return next((version for version, columns in _SINCE if columns & set(names)), "1.0")


def _decoded(value: object) -> dict[str, Any]:
    if not isinstance(value, str):
        return {}
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _folded(found: Mapping[str, Any]) -> dict[str, Any]:
    return {_plain(name): value for name, value in found.items()}


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _plain_value(value: object) -> object:
    return str(value)
