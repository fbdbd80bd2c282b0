"""Whatever cells come, in any order: parts foot to the token and to the micro-dollar."""

import random
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.controls.interface import Conclusion
from countersign.controls.token_reconciliation import TokenReconciliation
from countersign.model import US_PER_SECOND as SECOND
from countersign.model import State, Window
from countersign.records import (
    COUNTERS,
    Delivery,
    GatewayCall,
    PriceTerm,
    ProviderCharge,
    ProviderUsage,
)

WEEK = Window.parse("2026-11-09/2026-11-16")
HOUR = 3_600 * SECOND
T0 = WEEK.start_us


TOKENS = st.integers(min_value=0, max_value=2_000)
HOURS = st.integers(min_value=0, max_value=2)
FAMILY = {"in_uncached": TOKENS, "in_cache_read": TOKENS, "in_cache_write_5m": TOKENS,
          "in_cache_write_1h": TOKENS, "in_tool_use": TOKENS, "out_visible": TOKENS,
          "out_reasoning": TOKENS, "out_other": TOKENS}  # fmt: skip
NAMES = st.sampled_from(["k-1", "k-2"])
LOGGED = st.fixed_dictionaries({
    **FAMILY, "key": NAMES, "hour": HOURS, "estimated": st.integers(0, 2),
    "uncounted": st.integers(0, 1), "failed": st.integers(0, 1), "shown": TOKENS,
    "shown_characters": st.sampled_from([0, 0, 400]), "tenant": st.sampled_from(["a", "b"]),
    "content": st.sampled_from(["read", "stopped", "textless", "broken", "unmetered",
                                "uncounted", "superseded"]),
})  # fmt: skip
BILLED = st.fixed_dictionaries({
    **FAMILY, "key": st.sampled_from(["k-1", "k-2", "k-shadow"]), "hour": HOURS,
    "requests": st.integers(0, 5), "batch": st.sampled_from([None, True, False]),
})  # fmt: skip
CALLS = st.fixed_dictionaries({
    **FAMILY, "key": NAMES, "hour": HOURS, "attempt": st.integers(1, 2),
    "request": st.integers(0, 3), "at": st.integers(0, 3_599), "counted": st.integers(0, 1),
    "estimated": st.integers(0, 1), "shown": TOKENS, "named": st.integers(0, 1),
    "content": st.sampled_from(["read", "superseded", "unmetered"]),
})  # fmt: skip


def reduced(
    lines: list[dict[str, Any]], *, is_open: bool, priced: bool = True
) -> dict[str, pa.Table]:
    """Relations as the engine would give them."""
    texts = ("side", "provider", "model", "key", "tenant", "content", "call_id", "request_id",
             "project", "tier", "region")  # fmt: skip
    numbers = ("hour", "first_at", "ended_at", *COUNTERS, "rows", "counted", "estimated",
               "uncounted", "failed", "estimated_prompt", "shown", "shown_characters", "voiced",
               "requests", "unasked", "attempt", "twins", "named")  # fmt: skip
    kinds = {**dict.fromkeys(texts, pa.string()), **dict.fromkeys(numbers, pa.int64()),
             **dict.fromkeys(("batch", "keyed", "known"), pa.bool_())}  # fmt: skip
    rows = [{"provider": "p", "model": "m", "keyed": True, "known": True, **r} for r in lines]
    kinds["stops"] = pa.list_(pa.struct([
        ("stop_call", pa.string()), ("stop_request", pa.string()), ("estimated", pa.int64()),
        ("out_visible", pa.int64()), ("shown", pa.int64()), ("shown_characters", pa.int64()),
        ("first_at", pa.int64()),
    ]))  # fmt: skip
    table = pa.table({n: pa.array([r.get(n) for r in rows], t) for n, t in kinds.items()})
    day = {"provider": "p", "day": T0, "rows": 1, "wide": 0, "open": int(is_open)}
    price = [
        {"provider": "p", "model": "m", "token_type": name, "unit_usd_pico": 100_003 * (at + 1),
         "tier": None, "region": None, "batch": batch, "since": 0, "until": None}
        for at, name in enumerate(COUNTERS) for batch in (None, True)
        if priced or name != "out_visible"
    ]  # fmt: skip
    of = pa.schema(
        [
            ("provider", pa.string()),
            ("model", pa.string()),
            ("token_type", pa.string()),
            ("unit_usd_pico", pa.int64()),
            ("tier", pa.string()),
            ("region", pa.string()),
            ("batch", pa.bool_()),
            ("since", pa.int64()),
            ("until", pa.int64()),
        ]
    )
    charges = pa.schema([("provider", pa.string()), ("day", pa.int64()), ("currency", pa.string()),
                         ("of_tokens", pa.bool_()), ("cost", pa.decimal128(38, 12)),
                         ("lines", pa.int64()), ("open", pa.int64())])  # fmt: skip
    return {
        "lines": table, "coverage": pa.Table.from_pylist([day]),
        "prices": pa.Table.from_pylist(price, of), "charges": charges.empty_table(),
    }  # fmt: skip


def as_lines(
    logged: list[dict[str, Any]], billed: list[dict[str, Any]], calls: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Drawn parts as lines of the relation."""
    found = []
    zero = dict.fromkeys(COUNTERS, 0)
    nothing = {"estimated": 0, "uncounted": 0, "failed": 0, "shown": 0, "shown_characters": 0}
    for number, row in enumerate(logged):
        named = ("estimated", "out_visible", "shown", "shown_characters")
        stop = {"stop_call": f"c{number}", "stop_request": f"r{number}", "first_at": T0,
                **{name: row.get(name, 0) for name in named}}  # fmt: skip
        found.append({
            **zero, **row, "side": "log", "hour": T0 + row["hour"] * HOUR, "rows": 3,
            "counted": 3 - row["uncounted"] - row["failed"], "first_at": T0,
            "estimated_prompt": row["estimated"] * 100, "requests": 0, "unasked": 0,
            "voiced": row["out_visible"] if row["shown_characters"] else 0,
            "stops": [stop] if row["content"] == "stopped" else None,
        })  # fmt: skip
    found += [
        {**zero, **nothing, **row, "side": "bill", "hour": T0 + row["hour"] * HOUR, "rows": 1,
         "counted": 0, "estimated_prompt": 0, "unasked": 0, "voiced": 0,
         "known": row["key"] != "k-shadow"}
        for row in billed
    ]  # fmt: skip
    twins = [(row["key"], row["hour"], row["request"]) for row in calls]
    for number, row in enumerate(calls):
        at = T0 + row["hour"] * HOUR + row["at"] * SECOND
        same = twins.count((row["key"], row["hour"], row["request"]))
        found.append({
            **zero, **nothing, **row, "side": "call", "hour": T0 + row["hour"] * HOUR,
            "call_id": f"x{number}", "request_id": f"q{row['request']}", "first_at": at,
            "ended_at": at + 2 * SECOND, "twins": same,
            "failed": 1 - row["counted"], "rows": 1,
        })  # fmt: skip
    return found


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.tuples(
        st.lists(LOGGED, max_size=6), st.lists(BILLED, max_size=5), st.lists(CALLS, max_size=5)
    ),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_any_cells_foot_exactly_in_any_order(
    assert_foots: Any,
    drawn: tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]],
    is_open: bool,
    shuffle: random.Random,
) -> None:
    lines, (_, billed, _) = as_lines(*drawn), drawn
    control = TokenReconciliation()
    first = control.conclude(reduced(lines, is_open=is_open), WEEK)
    assert_foots(first)
    total = sum(row[name] for row in billed for name in COUNTERS if name in row)
    assert first.measures["billed_tokens"] == total
    shuffle.shuffle(lines)
    again = control.conclude(reduced(lines, is_open=is_open), WEEK)
    assert again == first


@settings(max_examples=40, deadline=None)
@given(st.lists(LOGGED, min_size=1, max_size=4), st.lists(BILLED, min_size=1, max_size=4))
def test_without_a_price_tokens_foot_and_money_is_unknown(
    assert_foots: Any, logged: list[dict[str, Any]], billed: list[dict[str, Any]]
) -> None:
    tables = reduced(as_lines(logged, billed, []), is_open=False, priced=False)
    found = TokenReconciliation().conclude(tables, WEEK)
    assert_foots(found)
    if any(row["out_visible"] for row in billed):
        assert found.measures["billed_usd_micros"] is None


def test_unbalanced_story_foots_under_every_missing_kind(
    tell: Any,
    conclude: Callable[..., Conclusion],
) -> None:
    for kind in (Delivery, PriceTerm, ProviderCharge, ProviderUsage, GatewayCall):
        story = tell()
        story.plain("a", T0, 310, 40)
        story.bill(T0, {"in_uncached": 300, "out_visible": 70}, 1)
        story.rows[kind] = []
        assert conclude(story).state is not State.SATISFIED or kind is ProviderCharge
