"""List prices: dated files that a person edits and reviews, and LiteLLM's table of all models."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from countersign.canonical import digest
from countersign.connectors.interface import Connector, Fetch
from countersign.connectors.wire import price_table, terms
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.provider_name import written
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
from countersign.errors import Fault
from countersign.model import Window
from countersign.records import COUNTERS, PriceTerm, Record
from countersign.registry import plugin_id

_NEEDED = ("provider", "model", "token_type", "usd_per_million", "valid_from")
_PICO_PER_TOKEN = 10**6
"""One US dollar per million tokens is a million pico-dollars per token."""


@dataclass(frozen=True)
class PriceList(Connector):
    """Dollars per million tokens of one counter of one model, from a day on.

    Reads: TOML with `[[price]]` tables, or CSV with the same columns; or LiteLLM's price table
    (`model_prices_and_context_window.json`), whose fields are dollars per single token. Batch and
    tier prices, prompt lengths (`above_200k_tokens` is a tier), cache reads, cache writes by
    lifetime, regions in a model's name and regional uplifts become terms of their own.

    Credential: none; the file is yours.

    Late: never; a file is as good as the day on which it is collected.

    Cannot tell: LiteLLM's table has no dates, so `valid_from` must be set for it, and an older
    copy is a source of its own with `valid_to`. A zero in it may mean free or not known. What is
    no price of a token counter (images, seconds, queries, other units) is listed as refused; what
    tool-use prompts cost is not in it, and stays unpriced.
    """

    kinds = (PriceTerm,)
    lag = timedelta(0)

    valid_from: date | None = None
    """From when the prices of LiteLLM's table hold; other files say it row by row."""
    valid_to: date | None = None
    providers: Mapping[str, str] = field(default_factory=dict)
    """LiteLLM's provider names -> the providers' names in the other records, beyond known ones."""

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:  # noqa: ARG002 - dated
        """The one file behind the address."""
        yield fetch("")

    def parse(self, page: bytes) -> Iterator[Record]:
        """Every price, whatever its dates; the file's own digest is the evidence."""
        whole = Page(plugin_id(type(self)), page)
        if page.lstrip()[:1] == b"{":
            return self._table(whole)
        evidence = digest(page)
        priced = ((evidence, row) for row in terms.rows(whole, "price", _NEEDED))
        return whole.records(priced, _record)

    def _table(self, page: Page) -> Iterator[PriceTerm]:
        table = page.document()
        if not price_table.is_table(table):
            raise page.fault(Fault.MALFORMED, "models with litellm_provider", f"{len(table)} keys")
        if self.valid_from is None:
            raise page.fault(
                Fault.MALFORMED, "valid_from in the source's settings", "a table without dates"
            )
        blank = PriceTerm(
            provider="",
            model="",
            token_type=None,  # type: ignore[arg-type]  # admission refuses what has none
            unit_usd_pico=None,  # type: ignore[arg-type]  # likewise
            valid_from=instant(self.valid_from),
            valid_to=optional_instant(self.valid_to),
            document_digest=digest(page.body),
        )
        for entry in price_table.entries(table, blank, self.providers):
            yield from entry.terms()


def _record(found: tuple[str, Row]) -> Iterator[PriceTerm]:
    evidence, row = found
    yield PriceTerm(
        provider=written(needed(row, "provider")),
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
