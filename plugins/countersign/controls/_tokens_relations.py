"""The relational half of token reconciliation, stated as Ibis expressions.

A *cell* is provider x model x API key x bucket: the finest grain at which a provider's usage can
be compared with the log. `lines` puts both sides of every cell into one relation, the log side
already split by what happened to the answer, with the stopped calls listed beside their sums;
cells whose counters agree lose their key. Calls that could explain a cell in which estimates alone
do not come one by one. Integers only; nothing runs here.
"""

from functools import reduce as fold
from operator import add, and_, or_
from typing import Final

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from countersign.controls._tokens_calls import (
    FAMILIES,
    GAPS,
    PROMPT,
    STOPS,
    Limits,
    attempts,
    classified,
    deliveries,
    named_stops,
    us,
)
from countersign.controls.interface import Tables
from countersign.model import US_PER_DAY
from countersign.records import (
    COUNTERS,
    PriceTerm,
    ProviderCharge,
    ProviderUsage,
)

CELL: Final = ("provider", "model", "key", "hour")
LOG, BILL, CALL = "log", "bill", "call"

_AT: Final = dt.Timestamp("UTC", 6)
_LOG_ONLY: Final = ("tenant", "content")
_BILL_ONLY: Final = ("project", "tier", "region", "batch")
_ROWS: Final = ("rows", "counted", "estimated", "uncounted", "failed", "estimated_prompt")
_SHOWN: Final = ("shown", "shown_characters", "voiced", "first_at")
_ASKED: Final = ("requests", "unasked")
_TIMES: Final = ("hour", "first_at", "ended_at")
_CALL_ONLY: Final = ("attempt", "twins", "named")
_CALL_NAMES: Final = ("call_id", "request_id")
MEASURES: Final = (*COUNTERS, *_ROWS, *_SHOWN, *_ASKED)


def lines(tables: Tables, limits: Limits) -> ir.Table:
    """Both sides of every cell, `key` null where its counters agree, and the calls in doubt.

    One relation, so that the log is read and grouped once.
    """
    shown = deliveries(tables, limits)
    logged = named_stops(classified(attempts(tables, limits), shown))
    logged = logged.mutate(
        hour=logged.started_at.truncate(limits.unit),
        by_characters=logged.shown_characters.fill_null(0) > 0,
    )
    grouped = logged.group_by(*CELL, *_LOG_ONLY, "by_characters")
    logged = grouped.agg(**_counted(logged), **_seen(logged))
    both = _one_keying(_both_sides(logged, _usage(tables, limits)))
    cells = _cells(both)
    known = cells.group_by("provider", "key").agg(known=(cells.logged_rows > 0).any())
    flagged = cells.join(known, ["provider", "key"]).select(*CELL, "balanced", "known")
    found = both.join(flagged, list(CELL)).mutate(key=_unless_balanced("key"))
    found = found.mutate(project=_unless_balanced("project"))
    # Other columns than above: an expression used twice would be kept whole, all rows of it.
    again = attempts(tables, limits, "attempt", "ended_at", "hour")
    doubtful = _candidates(cells.filter(~cells.balanced & ~_fits(cells, limits)), again, shown)
    return ibis.union(_placed(found), _placed(doubtful.filter(_near_or_useful(doubtful, limits))))


def _candidates(doubtful: ir.Table, calls: ir.Table, shown: ir.Table) -> ir.Table:
    """The calls of cells that estimates alone cannot explain, in the shape of lines."""
    cells = doubtful.select(*CELL, *GAPS, "keyed")
    inside = cells.join(
        calls,
        [
            cells.provider == calls.provider,
            cells.model == calls.model,
            cells.hour == calls.hour,
            (cells.key == calls.key) | ~cells.keyed,
        ],
        rname="call_{name}",
    ).drop("call_provider", "call_model", "call_hour", "call_key")
    twins = inside.count(where=inside.is_counted).over(
        ibis.window(group_by=[inside.provider, inside.request_id])
    )
    kept = classified(inside.mutate(twins=twins), shown)
    whole = {name: kept[name].cast("int64") for name in ("is_counted", "is_estimated", "is_failed")}
    is_named = (kept.shown_call == kept.call_id) | (kept.shown_call == kept.provider_request_id)
    return kept.mutate(
        side=ibis.literal(CALL), known=ibis.literal(True), counted=whole["is_counted"],
        failed=whole["is_failed"], estimated=whole["is_estimated"], shown=kept.shown_tokens,
        first_at=kept.started_at, rows=ibis.literal(1),
        named=is_named.fill_null(False).cast("int64"),
    )  # fmt: skip


def _placed(rows: ir.Table) -> ir.Table:
    """The columns of `lines` in order, times as instants; what a side does not know is null."""
    texts = ("side", "provider", "model", "key", *_LOG_ONLY, *_BILL_ONLY, *_CALL_NAMES)
    flags = ("batch", "keyed", "known")
    times = {name: us(rows[name]) if name in rows.columns else ibis.null() for name in _TIMES}
    numbers = (*(name for name in MEASURES if name not in times), *_CALL_ONLY)
    of = {
        **dict.fromkeys(texts, "string"), **dict.fromkeys((*times, *numbers), "int64"),
        **dict.fromkeys(flags, "boolean"), "stops": STOPS,
    }  # fmt: skip
    known = {name: rows[name] for name in of if name in rows.columns} | times
    return rows.select(**{name: known.get(name, ibis.null()).cast(t) for name, t in of.items()})


def coverage(tables: Tables, limits: Limits) -> ir.Table:
    """Per provider and day: usage rows, those in buckets too wide, and those not yet final.

    A provider that does not say what is final has settled a bucket when it was read long enough
    after its end.
    """
    usage = tables.table(ProviderUsage)
    until = us(usage.bucket_end)
    is_early = (us(usage.fetched_at) < until + limits.settled_after_us).fill_null(False)
    rows = usage.select(
        usage.provider, at=us(usage.bucket_start), until=until,
        final=ibis.coalesce(usage.final, ~is_early),
    )  # fmt: skip
    wide = (rows.until - rows.at) > limits.bucket_us
    return (
        rows.mutate(day=rows.at - rows.at % US_PER_DAY, wide=wide)
        .group_by("provider", "day")
        .agg(
            rows=lambda t: t.count(),
            wide=lambda t: t.wide.cast("int64").sum(),
            open=lambda t: (~t.final).cast("int64").sum(),
        )
    )


def prices(tables: Tables) -> ir.Table:
    """Every price term, times as instants."""
    term = tables.table(PriceTerm)
    return term.select(
        term.provider, term.model, term.token_type, term.unit_usd_pico, term.tier, term.region,
        term.batch, since=us(term.valid_from), until=us(term.valid_to),
    )  # fmt: skip


def charges(tables: Tables) -> ir.Table:
    """Charged money per provider, day and currency; lines about tokens apart from others."""
    charge = tables.table(ProviderCharge)
    at = us(charge.ChargePeriodStart)
    rows = charge.select(
        "BilledCost", "final", provider=charge.ProviderName, day=at - at % US_PER_DAY,
        currency=charge.BillingCurrency.upper(), of_tokens=charge.x_token_type.notnull(),
    )  # fmt: skip
    return rows.group_by("provider", "day", "currency", "of_tokens").agg(
        cost=rows.BilledCost.sum(),
        lines=rows.count(),
        open=(~rows.final.fill_null(True)).cast("int64").sum(),
    )


def _counted(calls: ir.Table) -> dict[str, ir.Value]:
    """Aggregates that compare a cell; the counters of uncounted calls are zero by now."""
    prompt = fold(add, (calls[name] for name in COUNTERS if name.startswith("in_")))
    uncounted = ~calls.is_counted & ~calls.is_failed
    return {
        **{name: calls[name].sum() for name in COUNTERS},
        "rows": calls.count(),
        "counted": calls.count(where=calls.is_counted),
        "estimated": calls.count(where=calls.is_estimated),
        "uncounted": calls.count(where=uncounted),
        "failed": calls.count(where=calls.is_failed),
        "estimated_prompt": prompt.sum(where=calls.is_estimated).fill_null(0),
    }


def _seen(calls: ir.Table) -> dict[str, ir.Value]:
    by_characters = calls.shown_characters > 0
    return {
        "shown": calls.shown_tokens.sum().fill_null(0),
        "shown_characters": calls.shown_characters.sum().fill_null(0),
        "voiced": calls.out_visible.sum(where=by_characters).fill_null(0),
        "first_at": calls.started_at.min(),
        "stops": calls.stop.collect(),
    }


def _usage(tables: Tables, limits: Limits) -> ir.Table:
    usage = tables.table(ProviderUsage)
    at = us(usage.bucket_start)
    narrow = usage.filter((us(usage.bucket_end) - at) <= limits.bucket_us)
    rows = narrow.select(
        narrow.provider, narrow.project, narrow.region, narrow.batch, narrow.requests,
        model=narrow.model.fill_null("unknown"), key=narrow.api_key_commitment.fill_null(""),
        hour=narrow.bucket_start.truncate(limits.unit), tier=narrow.service_tier,
        **{name: narrow[name].fill_null(0) for name in COUNTERS},
    )  # fmt: skip
    return rows.group_by(*CELL, *_BILL_ONLY).agg(
        **{name: rows[name].sum() for name in COUNTERS},
        rows=rows.count(),
        requests=rows.requests.fill_null(0).sum(),
        unasked=rows.requests.isnull().cast("int64").sum(),
    )


def _both_sides(logged: ir.Table, billed: ir.Table) -> ir.Table:
    """One relation of both; what only the other side knows is null, or zero where it is summed."""
    return ibis.union(_side(logged, LOG), _side(billed, BILL))


def _side(rows: ir.Table, side: str) -> ir.Table:
    of = {"hour": _AT, "batch": "boolean"}
    texts = (
        (rows[name] if name in rows.columns else ibis.null())
        .cast(of.get(name, "string"))
        .name(name)
        for name in (*CELL, *_LOG_ONLY, *_BILL_ONLY)
    )
    numbers = (
        (rows[name] if name in rows.columns else ibis.literal(0)).cast("int64").name(name)
        for name in MEASURES
        if name != "first_at"
    )
    types = {"first_at": _AT, "stops": STOPS}
    others = (
        (rows[name] if name in rows.columns else ibis.null()).cast(type_).name(name)
        for name, type_ in types.items()
    )
    return rows.select(ibis.literal(side).name("side"), *texts, *numbers, *others)


def _one_keying(both: ir.Table) -> ir.Table:
    """Where only one side of a provider names keys, its cells are compared without them."""
    named = both.key != ""
    is_log = both.side == LOG
    sides = both.group_by("provider").agg(
        logged=(named & is_log).any(), billed=(named & ~is_log).any(), is_both=is_log.nunique() > 1
    )
    only_one = sides.is_both & (sides.logged != sides.billed)
    keyed = sides.select("provider", keyed=~only_one)
    joined = both.join(keyed, "provider")
    return joined.mutate(key=ibis.ifelse(joined.keyed, joined.key, ""))


def _cells(both: ir.Table) -> ir.Table:
    """Billed minus logged per cell and family; balanced when nothing differs."""
    sign = ibis.ifelse(both.side == BILL, 1, -1)
    gaps = {
        f"gap_{family}": (sign * fold(add, (both[name] for name in names))).sum()
        for family, names in FAMILIES.items()
    }
    is_log = (both.side == LOG).cast("int64")
    cells = both.group_by(*CELL, "keyed").agg(
        **gaps,
        logged_rows=(both.rows * is_log).sum(),
        billed_rows=(both.rows * (1 - is_log)).sum(),
        **{name: both[name].sum() for name in (*_ROWS[1:], *_ASKED)},
    )
    equal = fold(and_, (cells[name] == 0 for name in GAPS))
    return cells.mutate(balanced=equal & (cells.logged_rows > 0) & (cells.billed_rows > 0))


def _fits(cells: ir.Table, limits: Limits) -> ir.BooleanValue:
    """Whether the estimates in a cell can account for its gap by themselves."""
    prompt = fold(add, (cells[f"gap_{name}"] for name in PROMPT))
    error = (
        cells.estimated_prompt * limits.estimate_error_ppm
        + cells.estimated * limits.estimate_error_tokens * 1_000_000
    )
    longest = cells.estimated * limits.longest_answer_tokens
    asked = (cells.unasked > 0) | (cells.requests == cells.counted)
    return fold(
        and_,
        (
            cells.estimated > 0, cells.uncounted == 0, prompt.abs() * 1_000_000 <= error,
            cells.gap_output >= 0, cells.gap_output <= longest, asked,
        ),
    )  # fmt: skip


def _near_or_useful(calls: ir.Table, limits: Limits) -> ir.BooleanValue:
    """Whether a rule can use a call: its clocks may disagree about the bucket, or its row."""
    start = calls.started_at.delta(calls.hour, unit="microsecond")
    end = calls.ended_at.delta(calls.hour, unit="microsecond")
    near = (start <= limits.skew_us) | (end >= limits.bucket_us - limits.skew_us)
    return near | _is_useful(calls)


def _is_useful(calls: ir.Table) -> ir.BooleanValue:
    equal = fold(
        and_,
        (
            calls[f"gap_{family}"] == -fold(add, (calls[name] for name in names))
            for family, names in FAMILIES.items()
        ),
    )
    many = (calls.twins > 1) & calls.is_counted
    return fold(or_, (equal, many, calls.attempt > 1, ~calls.is_counted))


def _unless_balanced(name: str) -> ibis.Deferred:
    return ibis.ifelse(ibis._.balanced, ibis.null("string"), ibis._[name])
