"""Observations and tables of token reconciliation, read from closed books."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from countersign.canonical import Json
from countersign.controls._tokens_books import Books
from countersign.controls._tokens_calls import FAMILIES
from countersign.controls._tokens_causes import Named
from countersign.controls._tokens_cells import BOUNDED, EXACT, UNVERIFIABLE
from countersign.controls._tokens_lines import ProviderDay, day_text
from countersign.controls._tokens_relations import BILL, CELL, LOG
from countersign.controls._tokens_statement import Slot, micros
from countersign.model import PPM, US_PER_DAY, Observation

_MOST_REFS: Final = 20
_SEVERAL: Final = "(several tenants)"


@dataclass(frozen=True, slots=True)
class Day:
    """One provider-day against the tolerance, in pico-USD.

    `unexplained` nets over the hours of one model, key and counter, and over nothing else.
    """

    provider: str
    day: int
    billed: int | None
    unexplained: int
    unmetered: int
    tokens: int

    @property
    def ppm(self) -> int | None:
        """Unexplained per million of billed, rounded up; None when money is unknown."""
        return self._share(self.unexplained)

    @property
    def unmetered_ppm(self) -> int | None:
        """Share of billed money in answers that no meter reported on."""
        return self._share(abs(self.unmetered))

    def _share(self, part: int) -> int | None:
        if self.billed is None:
            return None
        if not part:
            return 0
        return -(-part * PPM // self.billed) if self.billed else PPM

    @property
    def name(self) -> str:
        """`openai 2026-11-09`."""
        return f"{self.provider} {day_text(self.day)}"


def days(books: Books) -> list[Day]:
    """Every provider-day that was compared."""
    tokens: dict[ProviderDay, int] = defaultdict(int)
    net: dict[tuple[Any, ...], int] = defaultdict(int)
    wanted = books.shares.filter(pc.equal(books.shares["cause"], "unexplained"))
    for row in wanted.to_pylist():
        day = row["hour"] - row["hour"] % US_PER_DAY
        slot = (row["provider"], row["model"], row["hour"])
        tokens[row["provider"], day] += row["tokens"]
        place = (row["provider"], day, row["model"], row["key"], row["family"])
        net[place] += books.slots.price(slot, row["family"], row["tokens"])
    gross: dict[ProviderDay, int] = defaultdict(int)
    for (provider, day, *_), pico in net.items():
        gross[provider, day] += abs(pico)
    unmetered: dict[ProviderDay, int] = defaultdict(int)
    for slot, cause, _, _, pico in books.ladder.parts():
        if cause == "unmetered":
            unmetered[slot[0], slot[2] - slot[2] % US_PER_DAY] += pico
    billed = books.billed_by_day
    return [
        Day(*day, billed.get(day), gross[day], unmetered[day], tokens[day])
        for day in sorted({*billed, *gross, *unmetered})
    ]


def exceeded(found: list[Day], limit_ppm: int) -> list[Observation]:
    """One observation per provider-day whose unexplained money is above the limit."""
    over = [day for day in found if day.ppm is not None and day.ppm > limit_ppm]
    return [
        Observation(
            subject=day.name,
            fact="unexplained",
            expected=f"at most {limit_ppm} ppm of billed money unexplained",
            observed=f"{day.ppm} ppm",
            holds=False,
            measures={
                "unexplained_ppm": day.ppm or 0,
                "unexplained_tokens": day.tokens,
                "unexplained_usd_micros": micros(day.unexplained),
            },
            since_us=day.day,
            until_us=day.day + US_PER_DAY,
        )
        for day in sorted(over, key=lambda day: (-(day.ppm or 0), day.name))
    ]


def unlogged(books: Books) -> list[dict[str, Any]]:
    """Keys on the bill that the gateway never logged: one row per key, project and model."""
    bill = books.lines.filter(
        pc.and_(pc.is_valid(books.lines["key"]), pc.invert(books.lines["known"]))
    )
    rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for line in bill.to_pylist():
        slot = (line["provider"], line["model"], line["hour"])
        place = (line["provider"], line["key"], line["project"] or "", line["model"])
        row = rows.setdefault(place, {"tokens": 0, "pico": 0, "since": slot[2], "until": slot[2]})
        for family, names in FAMILIES.items():
            tokens = sum(line[name] for name in names)
            row["tokens"] += tokens
            row["pico"] += books.slots.price(slot, family, tokens)
        row["since"], row["until"] = min(row["since"], slot[2]), max(row["until"], slot[2])
    fields = ("provider", "key", "project", "model")
    found = [{**dict(zip(fields, place, strict=True)), **row} for place, row in rows.items()]
    kept = [row for row in found if row["tokens"]]
    return sorted(kept, key=lambda row: (-row["pico"], [row[name] for name in fields]))


def unlogged_keys(rows: list[dict[str, Any]], bucket_us: int, *, is_priced: bool
                  ) -> list[Observation]:  # fmt: skip
    """One observation per unlogged key."""
    keys: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        keys[row["provider"], row["key"]].append(row)
    found = []
    for (provider, key), parts in keys.items():
        tokens, pico = sum(p["tokens"] for p in parts), sum(p["pico"] for p in parts)
        money = {"billed_usd_micros": micros(pico)} if is_priced else {}
        found.append(
            Observation(
                subject=key or "(no key)",
                fact="unlogged-key",
                expected="at least one call in the gateway's log",
                observed=f"{tokens} tokens billed by {provider}, no call logged",
                holds=False,
                measures={"billed_tokens": tokens, **money},
                refs=tuple(sorted({p["project"] for p in parts if p["project"]})),
                since_us=min(p["since"] for p in parts),
                until_us=max(p["until"] for p in parts) + bucket_us,
            )
        )
    return found


def named_calls(books: Books) -> list[Observation]:
    """Rows that were logged twice, and retries that were billed."""
    facts = {"double_logged": ("double-logged", "call_id"),
             "retry_billed": ("retry-billed", "request_id")}  # fmt: skip
    found = [
        _call_observation(named, *facts[named.cause])
        for named in books.explained.named
        if named.cause in facts
    ]
    return sorted(found, key=lambda seen: (seen.fact, -seen.measures["tokens"], seen.subject))


def _call_observation(named: Named, fact: str, subject: str) -> Observation:
    tokens = abs(sum(named.tokens.values()))
    is_double = fact == "double-logged"
    expected = "each inference logged once" if is_double else "an attempt that failed is not billed"
    observed = "one row more than was billed" if is_double else "one attempt more than was logged"
    refs = (named.call["request_id"] if is_double else named.call["call_id"], *named.others)
    return Observation(
        subject=named.call[subject],
        fact=fact,
        expected=expected,
        observed=f"{observed}, {tokens} tokens ({named.basis})",
        holds=True,
        measures={"tokens": tokens, "low_tokens": named.between[0],
                  "high_tokens": named.between[1]},
        refs=refs,
        since_us=named.call["at"],
        until_us=named.call["until"],
    )  # fmt: skip


def stops(books: Books) -> pa.Table:
    """Stopped calls that cost something: their own part, and what they share with others.

    `own` is logged minus rendered (with the bucket's residual where the call is the only
    candidate for it), `shared` the residual that several candidates have in common. An estimated
    call is kept while its cost is open: rendered is bounded, or the bucket not final.
    """
    tail = books.shares.filter(pc.equal(books.shares["cause"], "cancelled_tail"))
    sums = [("tokens", "sum"), ("basis", "min")]
    tail = tail.group_by(list(CELL), use_threads=False).aggregate(sums)
    cells = tail.select([*CELL, "tokens_sum", "basis_min"])
    cells = cells.rename_columns([*CELL, "tail", "tail_basis"])
    rows = books.stops.join(cells, list(CELL)).join(_late(books), list(CELL))
    is_estimate = pc.greater(rows["estimated"], 0)
    is_exact = pc.equal(pc.fill_null(rows["tail_basis"], EXACT), EXACT)
    alone = pc.and_(is_estimate, is_exact)
    tail_here = pc.if_else(is_estimate, pc.fill_null(rows["tail"], 0), 0)
    own = pc.subtract(rows["out_visible"], rows["shown"])
    own = pc.add(own, pc.if_else(alone, tail_here, 0))
    shared = pc.if_else(alone, 0, tail_here)
    rows = rows.append_column("own", own).append_column("shared", shared)
    costs = pc.or_(pc.greater(own, 0), pc.greater(pc.add(own, shared), 0))
    pending = pc.is_valid(rows["cause_min"])
    rows = rows.append_column("pending", pending)
    is_open = pc.and_(is_estimate, pc.or_(rows["is_by_characters"], pending))
    costs = pc.or_(costs, is_open)
    order = [("own", "descending"), ("shared", "descending"), ("stop_call", "ascending")]
    return rows.filter(costs).sort_by(order)


def _late(books: Books) -> pa.Table:
    """The cells whose bucket is not final and holds too little."""
    late = books.shares.filter(pc.equal(books.shares["cause"], "late"))
    return late.group_by(list(CELL), use_threads=False).aggregate([("cause", "min")])


def tails(books: Books, stopped: pa.Table, at_most: int) -> list[Observation]:
    """One observation per stopped call that cost something, the dearest first."""
    fellows: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    rows = stopped.slice(0, at_most).to_pylist()
    for row in rows:
        if row["shared"]:
            fellows[tuple(row[name] for name in CELL)].append(row["stop_request"])
    return [_tail(books, row, fellows) for row in rows]


def _tail(books: Books, row: Mapping[str, Any], fellows: Mapping[Any, list[str]]) -> Observation:
    own, shared = row["own"], row["shared"]
    measures = {"billed_minus_rendered_tokens": max(own, 0), "shared_tokens": shared}
    if row["is_by_characters"]:
        measures["uncertain_tokens"] = -(-row["shown"] * books.characters_error_ppm // PPM)
    slot = (row["provider"], row["model"], row["hour"])
    cost = books.slots.price(slot, "output", max(own, 0))
    if not books.slots.unpriced:
        measures["billed_minus_rendered_usd_micros"] = micros(cost)
    near = fellows.get(tuple(row[name] for name in CELL), ())[: _MOST_REFS + 1]
    with_others = [other for other in near if other != row["stop_request"]]
    more = f", and up to {shared} more shared with others in its bucket" if shared else ""
    more += "; the bucket is not final" if row["pending"] else ""
    return Observation(
        subject=row["stop_request"],
        fact="cancelled-tail",
        expected="nothing billed that the reader was not shown",
        observed=f"{max(own, 0)} tokens billed after the reader stopped{more}",
        holds=True,
        measures=measures,
        refs=(row["stop_call"], *with_others[:_MOST_REFS]),
        since_us=row["first_at"],
    )


def tax(books: Books) -> list[Json]:
    """Tokens billed after the stop by tenant, model and basis: their sum is the class."""
    found: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    keys = ["tenant", "provider", "model", "hour", "is_by_characters"]
    summed = ["rows", "out_visible", "shown"]
    lines = books.lines.select([*keys, *summed, "content"])
    stopped = lines.filter(pc.equal(lines["content"], "stopped"))
    sums = [(name, "sum") for name in summed]
    for row in stopped.group_by(keys, use_threads=False).aggregate(sums).to_pylist():
        basis = BOUNDED if row["is_by_characters"] else EXACT
        tokens = row["out_visible_sum"] - row["shown_sum"]
        _tax(books, found, row, (row["tenant"], basis, row["rows_sum"], tokens))
    shared = books.shares.filter(pc.equal(books.shares["cause"], "cancelled_tail"))
    cells = ["estimated", "estimated_tenant_min", "estimated_tenant_max"]
    joined = shared.join(books.cells.select([*CELL, *cells]), list(CELL))
    for row in joined.sort_by([(name, "ascending") for name in CELL]).to_pylist():
        low, high = row["estimated_tenant_min"], row["estimated_tenant_max"]
        tenant = low if low == high else _SEVERAL
        requests = 0 if row["basis"] == EXACT else row["estimated"]
        _tax(books, found, row, (tenant, row["basis"], requests, row["tokens"]))
    is_priced = not books.slots.unpriced
    rows = sorted(found.items(), key=lambda item: (-item[1][2], -item[1][1], item[0]))
    return [
        {"tenant": tenant or "(none)", "model": model, "requests": requests, "tokens": tokens,
         "usd_micros": micros(pico) if is_priced else None, "basis": basis}
        for (tenant, model, basis), (requests, tokens, pico) in rows
    ]  # fmt: skip


def _tax(
    books: Books,
    found: dict[tuple[str, str, str], list[int]],
    row: Mapping[str, Any],
    entry: tuple[str, str, int, int],
) -> None:
    tenant, basis, requests, tokens = entry
    slot: Slot = (row["provider"], row["model"], row["hour"])
    sums = found[tenant or "", row["model"], basis]
    sums[0] += requests
    sums[1] += tokens
    sums[2] += books.slots.price(slot, "output", tokens)


def providers(books: Books, found: list[Day], limit_ppm: int, failed: set[str]) -> list[Json]:
    """One row per provider: billed, charged, unexplained, and its verdict."""
    rows: list[Json] = []
    for provider in sorted({day.provider for day in found} | {p for p, _ in books.left_out}):
        mine = [day for day in found if day.provider == provider]
        ppm = [day.ppm for day in mine]
        is_known = bool(ppm) and None not in ppm
        over = any(part is not None and part > limit_ppm for part in ppm)
        gaps = not is_known or any(p == provider for p, _ in books.left_out)
        status = "inconclusive" if gaps else "satisfied"
        slots = [slot for slot in books.slots.billed if slot[0] == provider]
        rows.append({
            "provider": provider,
            "billed_tokens": sum(sum(books.slots.tokens(slot).values()) for slot in slots),
            "billed_usd_micros": _sum(day.billed for day in mine),
            "charged_usd_micros": books.charged.of(provider),
            "unexplained_usd_micros":
                micros(sum(day.unexplained for day in mine)) if is_known else None,
            "unexplained_ppm": max((p for p in ppm if p is not None), default=None)
            if is_known else None,
            "status": "not-satisfied" if over or provider in failed else status,
        })  # fmt: skip
    return rows


def basis(books: Books) -> list[Json]:
    """How well the billed money is known: micro-USD per label, and its share."""
    total = books.statement.billed_pico
    return [
        {"basis": label, "usd_micros": micros(pico), "share_ppm": pico * PPM // total}
        for label in (EXACT, BOUNDED, UNVERIFIABLE)
        if (pico := books.statement.by_basis.get(label, 0)) and not books.slots.unpriced and total
    ]


def counters(books: Books) -> list[Json]:
    """Billed against logged, family by family."""
    sums = [(name, "sum") for names in FAMILIES.values() for name in names]
    by_side = books.lines.group_by("side", use_threads=False).aggregate(sums).to_pylist()
    rows: list[Json] = []
    for family, names in FAMILIES.items():
        side = {row["side"]: sum(row[f"{name}_sum"] for name in names) for row in by_side}
        billed, logged = side.get(BILL, 0), side.get(LOG, 0)
        if billed or logged:
            rows.append(
                {
                    "counter": family,
                    "billed_tokens": billed,
                    "logged_tokens": logged,
                    "difference_tokens": billed - logged,
                }
            )
    return rows


def not_examined(books: Books, bucket_us: int) -> Iterator[str]:
    """A sentence for each thing that the evidence could not show."""
    for provider, day in sorted(books.coverage.wide):
        minutes = bucket_us // 60_000_000
        yield f"Usage of {provider} on {day_text(day)} in buckets wider than {minutes} minutes."
    for (provider, day), calls in books.left_out.items():
        yield f"{calls} calls to {provider} on {day_text(day)}: the provider reported no usage."
    if not books.is_metered:
        yield "What readers were shown: no delivery record. Rendered tokens are unknown."
    elif unmetered := books.statement.of("unmetered")["tokens"]:
        yield f"{unmetered} visible tokens of calls without a delivery record."
    yield from books.slots.book.missing
    if not books.charged.rows:
        yield "Charged money: no provider charge in the window."
    else:
        for provider, day in books.charged.missing:
            yield f"Charged money of {provider} on {day_text(day)}: no charge line."
    for provider, currency in books.charged.foreign:
        yield f"Charges of {provider} in {currency}: no dated rate is applied."
    lines = books.lines.select(["provider", "keyed"])
    keyless = lines.filter(pc.invert(lines["keyed"]))["provider"]
    for provider in sorted(pc.unique(keyless).to_pylist()):
        yield f"Keys of {provider}: only one side names them, so cells are compared without."


def _sum(parts: Any) -> int | None:
    found = list(parts)
    return None if None in found else micros(sum(found))
