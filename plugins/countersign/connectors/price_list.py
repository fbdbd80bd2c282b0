"""List prices: dated files that a person edits and reviews."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from countersign.canonical import digest
from countersign.connectors.interface import Connector, Fetch
from countersign.connectors.wire import terms
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    count,
    flag,
    instant,
    money,
    needed,
    optional_instant,
    text,
)
from countersign.model import Window
from countersign.records import COUNTERS, PriceTerm, Record
from countersign.registry import plugin_id

_NEEDED = ("provider", "model", "token_type", "usd_per_million", "valid_from")
_PICO_PER_TOKEN = 10**6
"""One US dollar per million tokens is a million pico-dollars per token."""


@dataclass(frozen=True)
class PriceList(Connector):
    """Dollars per million tokens of one counter of one model, from a day on.

    TOML with `[[price]]` tables, or CSV with the same columns.
    """

    kinds = (PriceTerm,)
    lag = timedelta(0)

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:  # noqa: ARG002 - dated
        """The one file behind the address."""
        yield fetch("")

    def parse(self, page: bytes) -> Iterator[Record]:
        """Every price, whatever its dates; the file's own digest is the evidence."""
        whole = Page(plugin_id(type(self)), page)
        evidence = digest(page)
        priced = ((evidence, row) for row in terms.rows(whole, "price", _NEEDED))
        return whole.records(priced, _record)


def _record(found: tuple[str, Row]) -> Iterator[PriceTerm]:
    evidence, row = found
    yield PriceTerm(
        provider=needed(row, "provider"),
        model=needed(row, "model"),
        token_type=_counter(row),
        unit_usd_pico=_unit_price(row),
        valid_from=instant(row.get("valid_from")),
        valid_to=optional_instant(row.get("valid_to")),
        tier=text(row.get("tier")),
        region=text(row.get("region")),
        batch=flag(row.get("batch")),
        document_digest=text(row.get("document_digest")) or evidence,
    )


def _counter(row: Row) -> str:
    token_type = needed(row, "token_type")
    if token_type not in COUNTERS:
        raise UnreadableError(f"token_type {token_type!r} is none of {', '.join(COUNTERS)}")
    return token_type


def _unit_price(row: Row) -> int:
    """Pico-dollars per token, which must come out whole: a price is never rounded."""
    if row.get("usd_per_million") is None:
        raise UnreadableError("usd_per_million is absent")
    pico = Decimal(money(row["usd_per_million"])) * _PICO_PER_TOKEN
    whole = count(pico)
    if whole is None or whole < 0:
        raise UnreadableError(f"usd_per_million {row['usd_per_million']} is below zero")
    return whole
