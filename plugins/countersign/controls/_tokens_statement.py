"""The statement: from billed to rendered, class by class, footing in tokens and in micro-USD.

Everything is posted per *slot* (provider, model, bucket) as tokens of one family, priced at the
slot's standard unit price in pico-USD. Two accounts are kept: the ladder splits what was billed
into what was rendered and why the rest was not; the bridge leads from billed to logged. What the
same tokens cost more or less than the standard price (tier, batch, region, a split of reasoning
that the bill does not make) is a class of its own, without tokens. Micro-USD are rounded once per
row, half to even, and the difference to the rounded total is printed as `rounding`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from countersign.controls._tokens_calls import FAMILIES
from countersign.controls._tokens_cells import BOUNDED, EXACT, SLOT, UNVERIFIABLE
from countersign.controls._tokens_prices import PriceBook, Terms
from countersign.records import COUNTERS

Slot = tuple[str, str, int]

LABELS: Final = {
    "input_uncached": "prompt, not cached",
    "cache_read": "cache reads",
    "cache_write": "cache writes",
    "reasoning_hidden": "reasoning, never shown",
    "tool_and_system_overhead": "tool calls, no text",
    "cancelled_tail": "after the reader stopped",
    "retry_billed": "retries, billed",
    "broken_stream": "lost in broken streams",
    "unlogged": "keys never logged",
    "double_logged": "logged twice",
    "logged_unbilled": "logged, not billed",
    "usage_missing": "usage never came",
    "tokenizer_skew": "tokenizer differences",
    "unmetered": "no delivery record",
    "late": "not yet final",
    "boundary": "bucket edges",
    "batch_or_tier_price": "tier and batch prices",
    "rounding": "rounding",
}
"""Every class in the order in which it is printed."""
_AS_BILLED: Final = {
    "in_uncached": "input_uncached",
    "in_cache_read": "cache_read",
    "cache_write": "cache_write",
    "in_tool_use": "tool_and_system_overhead",
}
_VISIBLE: Final = {
    "stopped": ("cancelled_tail", EXACT),
    "broken": ("broken_stream", EXACT),
    "textless": ("tool_and_system_overhead", EXACT),
    "read": ("tokenizer_skew", EXACT),
    "unmetered": ("unmetered", UNVERIFIABLE),
    "uncounted": ("usage_missing", EXACT),
    "superseded": ("retry_billed", EXACT),
}
RENDERED, REASONING = "rendered", "out_reasoning"
_BY_COUNTER: Final = (*FAMILIES["cache_write"], REASONING)
"""Counters that are priced apart within their family where the log tells them apart."""
_FAMILY_OF: Final = {name: family for family, names in FAMILIES.items() for name in names}


@dataclass(slots=True)
class Slots:
    """What was billed per slot, under which terms, and what one token of each family costs."""

    book: PriceBook
    billed: dict[Slot, list[tuple[Terms, dict[str, int]]]] = field(default_factory=dict)
    unpriced: set[str] = field(default_factory=set)
    unpriced_models: set[str] = field(default_factory=set)
    _units: dict[tuple[Slot, str], int | None] = field(default_factory=dict)

    @classmethod
    def read(cls, rows: pa.Table, book: PriceBook) -> "Slots":
        """Take the bill side of `lines`."""
        slots = cls(book)
        sums = [(name, "sum") for name in COUNTERS]
        keys = [*SLOT, "tier", "region", "batch"]
        for row in rows.group_by(keys, use_threads=False).aggregate(sums).to_pylist():
            slot = (row["provider"], row["model"], row["hour"])
            counters = {name: row[f"{name}_sum"] for name in COUNTERS}
            terms = Terms(row["tier"], row["region"], row["batch"])
            slots.billed.setdefault(slot, []).append((terms, counters))
        return slots

    def price(self, slot: Slot, kind: str, tokens: int) -> int:
        """Pico-USD of tokens of a family or counter; remembers providers without a price."""
        if not tokens:
            return 0
        if (slot, kind) not in self._units:
            self._units[slot, kind] = self._unit(slot, kind)
        unit = self._units[slot, kind]
        if unit is None:
            self._note_unpriced(slot)
        return tokens * (unit or 0)

    def tokens(self, slot: Slot) -> dict[str, int]:
        """Billed tokens by counter."""
        rows = self.billed.get(slot, ())
        return {name: sum(counters[name] for _, counters in rows) for name in COUNTERS}

    def billed_pico(self, slot: Slot) -> int:
        """What the slot costs row by row, each under its own terms."""
        total = 0
        for terms, counters in self.billed.get(slot, ()):
            for name, tokens in counters.items():
                if tokens:
                    unit = self.book.unit(slot[0], slot[1], name, slot[2], terms)
                    total += tokens * (unit or 0)
                    if unit is None:
                        self._note_unpriced(slot)
        return total

    def _note_unpriced(self, slot: Slot) -> None:
        provider, model, _ = slot
        self.unpriced.add(provider)
        self.unpriced_models.add(model or provider)

    def _unit(self, slot: Slot, kind: str) -> int | None:
        provider, model, at = slot
        name = (provider, model, self._counter(slot, kind))
        return self.book.standard(name, at, (terms for terms, _ in self.billed.get(slot, ())))

    def _counter(self, slot: Slot, kind: str) -> str:
        """The counter under which the bill holds tokens of a family, or of one of its counters."""
        billed = self.tokens(slot)
        if billed.get(kind):
            return kind
        family = FAMILIES[_FAMILY_OF.get(kind, kind)]
        return max(family, key=lambda name: billed[name])


@dataclass(slots=True)
class Account:
    """Postings by slot, class, basis and family."""

    slots: Slots
    posted: dict[tuple[Slot, str, str, str], int] = field(default_factory=lambda: defaultdict(int))
    kinds: dict[Slot, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )

    def post(self, slot: Slot, entry: tuple[str, str, str], tokens: int) -> None:
        """Add tokens under (class, basis, family)."""
        if tokens:
            self.posted[slot, *entry] += tokens
            self.kinds[slot][entry[2]] += tokens

    def by_kind(self, slot: Slot) -> Mapping[str, int]:
        """Tokens of a slot by family or counter, whatever their class."""
        return self.kinds[slot]

    def parts(self) -> Iterator[tuple[Slot, str, str, int, int]]:
        """Slot, class, basis, tokens and pico-USD of every posting, in order."""
        for (slot, cause, basis, kind), tokens in sorted(self.posted.items()):
            if tokens:
                yield slot, cause, basis, tokens, self.slots.price(slot, kind, tokens)

    def totals(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Tokens and pico-USD by class and basis."""
        sums: dict[tuple[str, str], tuple[int, int]] = {}
        for _, cause, basis, tokens, pico in self.parts():
            before = sums.get((cause, basis), (0, 0))
            sums[cause, basis] = (before[0] + tokens, before[1] + pico)
        return sums


def post_content(account: Account, line: Mapping[str, Any], sign: int = 1) -> None:
    """Post one log line by what its tokens are; `sign` -1 strikes a row out again."""
    slot = (line["provider"], line["model"], line["hour"])
    content, shown = line["content"], line["shown"]
    cause, basis = _VISIBLE[content]
    basis = BOUNDED if line["is_by_characters"] and basis == EXACT else basis
    for family, usual in _AS_BILLED.items():
        for name in FAMILIES[family]:
            entry = (cause if content == "superseded" else usual, EXACT, name)
            account.post(slot, entry, sign * line[name])
    reasoning = ("reasoning_hidden", UNVERIFIABLE, REASONING)
    if content == "superseded":
        reasoning = (cause, EXACT, REASONING)
    account.post(slot, reasoning, sign * line["out_reasoning"])
    other = ("tool_and_system_overhead", EXACT, "output")
    account.post(slot, other, sign * line["out_other"])
    account.post(slot, (cause, basis, "output"), sign * (line["out_visible"] - shown))
    account.post(slot, (RENDERED, basis, "output"), sign * shown)


def post_logged(account: Account, line: Mapping[str, Any]) -> None:
    """Post one log line whole, for the bridge."""
    slot = (line["provider"], line["model"], line["hour"])
    for name in (*_BY_COUNTER, "in_uncached", "in_cache_read", "in_tool_use"):
        account.post(slot, ("logged", EXACT, name), line[name])
    account.post(slot, ("logged", EXACT, "output"), line["out_visible"] + line["out_other"])


def price_mix(account: Account, slot: Slot) -> int:
    """Pico-USD by which the slot's bill differs from the same tokens at the standard price.

    The base prices a family by the log's own split (lifetimes of cache writes, reasoning), and
    what was billed beyond it as the family's main counter.
    """
    billed, slots = account.slots.tokens(slot), account.slots
    base = 0
    for family, names in FAMILIES.items():
        rest = sum(billed[name] for name in names)
        for name in names:
            if name in _BY_COUNTER:
                split = account.by_kind(slot).get(name, 0)
                base += slots.price(slot, name, split)
                rest -= split
        base += slots.price(slot, family, rest)
    return slots.billed_pico(slot) - base


def micros(pico: int) -> int:
    """Pico-USD to micro-USD, half to even."""
    whole, rest = divmod(pico, 1_000_000)
    return whole + (rest > 500_000 or (rest == 500_000 and whole % 2 == 1))


@dataclass(frozen=True, slots=True)
class Statement:
    """An account as printed rows. Money is None when a price is missing."""

    rows: tuple[dict[str, Any], ...]
    billed_pico: int
    by_basis: Mapping[str, int]

    def of(self, cause: str) -> Mapping[str, Any]:
        """One row; zeros when the class did not occur."""
        for row in self.rows:
            if row["id"] == cause:
                return row
        return {"id": cause, "tokens": 0, "usd_micros": 0, "basis": EXACT}


def state(account: Account, end: tuple[str, str], *, is_metered: bool = True) -> Statement:
    """Print an account: billed, its classes, the unexplained, and what is left at the end."""
    slots = account.slots
    mix = sum(price_mix(account, slot) for slot in sorted(slots.billed))
    sums = account.totals()
    sums["batch_or_tier_price", EXACT] = (0, mix)
    tokens = sum(sum(slots.tokens(slot).values()) for slot in slots.billed)
    billed = sum(slots.billed_pico(slot) for slot in slots.billed)
    known = not slots.unpriced
    rows = [_row("billed", "billed by the providers", (tokens, billed), "total")]
    classes = {name: _sum(sums, name) for name in (*LABELS, "unexplained", end[0])}
    rows += [
        _row(name, LABELS[name], classes[name], "class", _weakest(sums, name))
        for name in LABELS
        if any(classes[name]) or name == "cancelled_tail"
    ]
    rest = _row("unexplained", "unexplained", classes["unexplained"], "rest", UNVERIFIABLE)
    last = _row(end[0], end[1], classes[end[0]], "total", _weakest(sums, end[0]))
    taken = sum(row["usd_micros"] for row in (*rows[1:], rest, last))
    rounding = rows[0]["usd_micros"] - taken
    if rounding:
        rows.append({**_row("rounding", "rounding", (0, 0), "class"), "usd_micros": rounding})
    rows += [rest, last]
    by_basis: dict[str, int] = defaultdict(int)
    for (_, basis), (_, pico) in sums.items():
        by_basis[basis] += pico
    if not is_metered:
        last.update(tokens=None, usd_micros=None)
    if not known:
        for row in rows:
            row["usd_micros"] = None
    return Statement(tuple(rows), billed, dict(by_basis))


def _row(
    name: str, label: str, amount: tuple[int, int], role: str, basis: str = EXACT
) -> dict[str, Any]:
    tokens, pico = amount
    return {
        "id": name, "label": label, "tokens": tokens, "usd_micros": micros(pico), "role": role,
        "basis": basis,
    }  # fmt: skip


def _sum(sums: Mapping[tuple[str, str], tuple[int, int]], name: str) -> tuple[int, int]:
    parts = [amount for (cause, _), amount in sums.items() if cause == name]
    return sum(tokens for tokens, _ in parts), sum(pico for _, pico in parts)


def _weakest(sums: Mapping[tuple[str, str], tuple[int, int]], name: str) -> str:
    found = {basis for (cause, basis), amount in sums.items() if cause == name and any(amount)}
    return next((basis for basis in (UNVERIFIABLE, BOUNDED) if basis in found), EXACT)
