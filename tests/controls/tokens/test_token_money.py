"""What billed tokens cost: dated prices, tiers, batches, and the charge that was sent."""

from typing import Any

import pyarrow as pa
import pytest

from countersign.controls._tokens_prices import PriceBook, Terms
from countersign.controls._tokens_statement import micros
from countersign.model import US_PER_SECOND as SECOND
from countersign.model import State, Window
from countersign.records import (
    GatewayCall,
    PriceTerm,
    ProviderCharge,
    ProviderUsage,
)

WEEK = Window.parse("2026-11-09/2026-11-16")
HOUR = 3_600 * SECOND
T0 = WEEK.start_us
MODEL = "gpt-5.4-mini-2026-03-17"


def test_missing_price_makes_money_unknown_never_zero(tell: Any, conclude: Any) -> None:
    story = tell()
    story.plain("a", T0)
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    story.rows[PriceTerm] = [r for r in story.rows[PriceTerm] if r["token_type"] != "out_visible"]
    found = conclude(story)
    assert found.state is State.INCONCLUSIVE
    assert found.measures["billed_usd_micros"] is None
    assert found.measures["billed_tokens"] == 150
    assert f"No price of openai {MODEL} out_visible on 2026-11-09." in found.not_examined


def test_batch_rows_cost_half_and_the_difference_is_a_row(tell: Any, conclude: Any) -> None:
    story = tell()
    story.plain("a", T0, 1_000, 0)
    story.bill(T0, {"in_uncached": 1_000}, 1, batch=True)
    story.rows[PriceTerm].append({**story.rows[PriceTerm][0], "batch": True,
                                  "unit_usd_pico": 375_000})  # fmt: skip
    found = conclude(story)
    statement: Any = found.tables["statement"]
    money = {row["id"]: row["usd_micros"] for row in statement}
    assert money["billed"] == 375
    assert money["input_uncached"] == 750
    assert money["batch_or_tier_price"] == -375


def test_price_is_the_one_valid_then(tell: Any, conclude: Any) -> None:
    story = tell()
    story.plain("a", T0, 1_000, 0)
    story.plain("b", T0 + HOUR, 1_000, 0)
    story.bill(T0, {"in_uncached": 1_000}, 1)
    story.bill(T0 + HOUR, {"in_uncached": 1_000}, 1)
    old = story.rows[PriceTerm][0]
    story.rows[PriceTerm].append({**old, "valid_from": T0 + HOUR, "unit_usd_pico": 1_000_000})
    old["valid_to"] = T0 + HOUR
    assert conclude(story).measures["billed_usd_micros"] == 1_750


def test_charge_beyond_a_cent_a_line_is_a_row(tell: Any, conclude: Any) -> None:
    for cost, difference in (("0.0003005", 0), ("0.0109", 10_600)):
        story = tell()
        story.plain("a", T0)
        story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
        story.rows[ProviderCharge].append({
            "ProviderName": "openai", "ChargePeriodStart": T0, "ChargePeriodEnd": T0 + 24 * HOUR,
            "BilledCost": cost, "BillingCurrency": "usd", "x_token_type": "input_tokens",
        })  # fmt: skip
        found = conclude(story)
        assert found.measures["price_difference_usd_micros"] == difference
        (row,) = found.tables["charges"]
        assert isinstance(row, dict)
        parts = ("billed_usd_micros", "price_difference_usd_micros", "rounding_usd_micros")
        assert row["charged_usd_micros"] == sum(int(str(row[name])) for name in parts)


def test_conventions_of_two_providers_give_the_same_classes(
    tell: Any, classes: Any, conclude: Any
) -> None:
    seen = []
    for provider in ("openai", "anthropic"):
        story = tell(requests=provider == "openai")
        counters = {"in_uncached": 412, "in_cache_read": 14_820, "out_visible": 60}
        story.call("a", T0, counters)
        story.shown("a", T0, 60)
        story.bill(T0, counters, 1)
        for kind in (GatewayCall, ProviderUsage, PriceTerm):
            for row in story.rows[kind]:
                row["provider"] = provider
        seen.append(classes(conclude(story)))
    assert seen[0] == seen[1] == {"input_uncached": 412, "cache_read": 14_820}


def test_narrowest_price_wins_whatever_the_order() -> None:
    rows = [
        {"provider": "p", "model": "m", "token_type": "in_uncached", "unit_usd_pico": pico,
         "tier": tier, "region": None, "batch": None, "since": 0, "until": None}
        for pico, tier in ((5, None), (3, "flex"), (7, "priority"))
    ]  # fmt: skip
    for order in (rows, rows[::-1]):
        book = PriceBook(pa.Table.from_pylist(order))
        assert book.unit("p", "m", "in_uncached", 1, Terms(tier="flex")) == 3
        assert book.unit("p", "m", "in_uncached", 1, Terms(tier="other")) == 5
        assert book.standard(("p", "m", "in_uncached"), 1, ()) == 5


@pytest.mark.parametrize(
    ("pico", "expected"),
    [(1_500_000, 2), (2_500_000, 2), (2_500_001, 3), (-500_000, 0), (-1_500_000, -2), (499_999, 0)],
)
def test_micros_round_half_to_even(pico: int, expected: int) -> None:
    assert micros(pico) == expected
