"""List prices by validity: what one token of a counter cost at an instant, in pico-USD."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa

from countersign.model import moment


@dataclass(frozen=True, slots=True)
class Terms:
    """The conditions under which a usage row was billed; None is the standard one."""

    tier: str | None = None
    region: str | None = None
    batch: bool | None = None


STANDARD = Terms()


@dataclass(frozen=True, slots=True)
class _Price:
    terms: Terms
    since: int
    until: int | None
    pico: int

    def applies(self, at: int, asked: Terms) -> bool:
        mine = self.terms
        return (
            self.since <= at
            and (self.until is None or at < self.until)
            and mine.tier in {None, asked.tier}
            and mine.region in {None, asked.region}
            and mine.batch in {None, bool(asked.batch)}
        )

    @property
    def rank(self) -> tuple[int, int, int]:
        """The narrowest term wins, then the newest, then the dearest: never row order."""
        narrow = sum(
            part is not None for part in (self.terms.tier, self.terms.region, self.terms.batch)
        )
        return (narrow, self.since, self.pico)


class PriceBook:
    """Price terms by provider, model and counter. Remembers which prices it was asked for in vain.

    A price that is not in the book is None: unknown, never zero.
    """

    def __init__(self, terms: pa.Table) -> None:
        self._terms: dict[tuple[str, str, str], list[_Price]] = {}
        for row in terms.to_pylist():
            name = (row["provider"], row["model"], row["token_type"])
            self._terms.setdefault(name, []).append(_price(row))
        self._missing: dict[tuple[str, str, str], int] = {}
        self.unit = cache(self._unit)

    @property
    def missing(self) -> list[str]:
        """Sentences that name each price that was needed and absent."""
        return [
            f"No price of {provider} {model} {counter} on {moment(at).date()}."
            for (provider, model, counter), at in sorted(self._missing.items())
        ]

    def _unit(
        self, provider: str, model: str, counter: str, at: int, terms: Terms = STANDARD
    ) -> int | None:
        """Pico-USD of one token then, under those conditions."""
        known = self._terms.get((provider, model, counter), ())
        valid = [price for price in known if price.applies(at, terms)]
        if not valid:
            name = (provider, model, counter)
            self._missing[name] = min(at, self._missing.get(name, at))
            return None
        return max(valid, key=lambda price: price.rank).pico

    def standard(
        self, name: tuple[str, str, str], at: int, billed_as: Iterable[Terms]
    ) -> int | None:
        """The price that classes of a bucket are stated in: standard, else the dearest billed."""
        valid = [price for price in self._terms.get(name, ()) if price.applies(at, STANDARD)]
        if valid:
            return max(valid, key=lambda price: price.rank).pico
        billed = [self.unit(*name, at, terms) for terms in billed_as]
        found = [pico for pico in billed if pico is not None]
        if not found:
            self.unit(*name, at)
        return max(found, default=None)


def _price(row: Mapping[str, Any]) -> _Price:
    terms = Terms(row["tier"], row["region"], row["batch"])
    return _Price(terms, row["since"], row["until"], row["unit_usd_pico"])
