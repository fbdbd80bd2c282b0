"""Token reconciliation: what each class takes, and that parts foot whatever comes."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.controls._tokens_prices import PriceBook, Terms
from countersign.controls._tokens_statement import micros
from countersign.controls.interface import Conclusion
from countersign.controls.token_reconciliation import TokenReconciliation
from countersign.errors import ConfigError
from countersign.model import US_PER_SECOND as SECOND
from countersign.model import State, Window
from countersign.records import (
    COUNTERS,
    Delivery,
    GatewayCall,
    PriceTerm,
    ProviderCharge,
    ProviderUsage,
    Record,
)

WEEK = Window.parse("2026-11-09/2026-11-16")
HOUR = 3_600 * SECOND
T0 = WEEK.start_us
MODEL = "gpt-5.4-mini-2026-03-17"
PICO = {"in_uncached": 750_000, "in_cache_read": 75_000, "out_visible": 4_500_000,
        "out_reasoning": 4_500_000, "in_cache_write_5m": 937_500}  # fmt: skip

Rows = dict[type[Record], list[dict[str, Any]]]


class Story:
    """A small world, told call by call; billed and logged are written apart."""

    def __init__(self, *, requests: bool = True) -> None:
        self.rows: Rows = {GatewayCall: [], Delivery: [], ProviderUsage: [], PriceTerm: []}
        self.rows[ProviderCharge] = []
        self._requests = requests
        for name, pico in PICO.items():
            self.rows[PriceTerm].append({
                "provider": "openai", "model": MODEL, "token_type": name,
                "unit_usd_pico": pico, "valid_from": T0 - 365 * 24 * HOUR,
            })  # fmt: skip

    def call(self, name: str, at: int, counters: Mapping[str, int] | None, **more: Any) -> None:
        """One row of the log."""
        self.rows[GatewayCall].append({
            "call_id": f"c-{name}", "request_id": f"r-{name}", "started_at": at,
            "ended_at": at + SECOND, "provider": "openai", "model_resolved": MODEL,
            "api_key_commitment": "key", "tenant": "aster-bank", "status": "ok", "attempt": 1,
            "usage_quality": "exact" if counters else "missing", **(counters or {}), **more,
        })  # fmt: skip

    def shown(self, name: str, at: int, tokens: int | None, ended: str = "completed",
              **more: Any) -> None:  # fmt: skip
        """What the reader's meter said."""
        self.rows[Delivery].append({
            "request_id": f"r-{name}", "started_at": at, "ended": ended, "meter": "browser",
            "rendered_tokens": tokens, **more,
        })  # fmt: skip

    def bill(self, at: int, counters: Mapping[str, int], requests: int, **more: Any) -> None:
        """One usage bucket."""
        hour = at - at % HOUR
        self.rows[ProviderUsage].append({
            "provider": "openai", "bucket_start": hour, "bucket_end": hour + HOUR,
            "model": MODEL, "api_key_commitment": "key", "final": True,
            "requests": requests if self._requests else None, **counters, **more,
        })  # fmt: skip

    def plain(self, name: str, at: int, tokens: int = 100, out: int = 50, **more: Any) -> None:
        """A call that was logged, billed elsewhere by the teller, and read to the end."""
        self.call(name, at, {"in_uncached": tokens, "out_visible": out}, **more)
        self.shown(name, at, out)


@pytest.fixture
def conclude(memory_tables: Any) -> Any:
    """Run the control over a story."""

    def run(story: Story, **settings: Any) -> Conclusion:
        control = TokenReconciliation(**settings)
        found: Conclusion = memory_tables.of(WEEK, story.rows).conclude(control)
        assert_foots(found)
        return found

    return run


def assert_foots(found: Conclusion) -> None:
    for table in ("statement", "bridge"):
        rows: Any = found.tables[table]
        for unit in ("tokens", "usd_micros"):
            amounts = [row[unit] for row in rows]
            if None not in amounts:
                assert amounts[0] - sum(amounts[1:-1]) == amounts[-1], (table, unit, rows)
    assert found.examined == found.holding + found.not_holding + found.undecided


def classes(found: Conclusion, table: str = "statement") -> dict[str, int]:
    rows: Any = found.tables[table]
    return {row["id"]: row["tokens"] for row in rows if row["role"] == "class" and row["tokens"]}


def facts(found: Conclusion) -> dict[tuple[str, str], Mapping[str, int]]:
    return {(seen.fact, seen.subject): seen.measures for seen in found.observations}


def tokens(found: Conclusion) -> dict[tuple[str, str], int]:
    return {name: measures["tokens"] for name, measures in facts(found).items()}


def test_balanced_week_is_satisfied(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0 + HOUR)
    story.plain("b", T0 + HOUR + SECOND)
    story.bill(T0 + HOUR, {"in_uncached": 200, "out_visible": 100}, 2)
    found = conclude(story)
    assert found.state is State.SATISFIED, found.reason
    assert classes(found) == {"input_uncached": 200}
    assert found.measures["rendered_tokens"] == 100
    assert found.observations == ()


def test_ten_tokens_read_and_eight_hundred_billed(conclude: Any) -> None:
    story = Story()
    story.call("s", T0, {"out_visible": 10, "in_uncached": 40}, usage_quality="estimated",
               status="cancelled")  # fmt: skip
    story.shown("s", T0, 10, "user_stop")
    story.bill(T0, {"in_uncached": 42, "out_visible": 800}, 1)
    found = conclude(story)
    assert found.state is State.SATISFIED
    assert facts(found)["cancelled-tail", "r-s"]["billed_minus_rendered_tokens"] == 790
    assert classes(found) == {"input_uncached": 40, "usage_missing": 2, "cancelled_tail": 790}
    statement: Any = found.tables["statement"]
    tail = next(row for row in statement if row["id"] == "cancelled_tail")
    assert tail["tokens"] * 10_000 // 800 == 9_875
    assert tail["basis"] == "exact"


def test_fourteen_percent_of_delivered_is_twelve_of_billed(conclude: Any) -> None:
    story = Story()
    story.plain("read", T0, 0, 860)
    story.call("s", T0, {"out_visible": 280}, status="cancelled", usage_quality="exact")
    story.shown("s", T0, 140, "disconnect")
    story.bill(T0, {"out_visible": 1_140}, 2)
    found = conclude(story)
    tail = found.measures["cancelled_tail_tokens"]
    assert tail == 140
    assert found.measures["rendered_tokens"] == 1_000
    assert round(tail * 10_000 / 1_140) == 1_228


def test_key_without_any_call_is_unlogged_and_fails(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0)
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    story.bill(T0 + 5 * HOUR, {"in_uncached": 1_000, "out_visible": 500}, 9,
               api_key_commitment="shadow", project="proj_research")  # fmt: skip
    found = conclude(story)
    assert found.state is State.NOT_SATISFIED
    measures = facts(found)["unlogged-key", "shadow"]
    assert measures == {"billed_tokens": 1_500, "billed_usd_micros": 3_000}
    assert classes(found) == {"input_uncached": 100, "unlogged": 1_500}
    assert found.measures["unlogged_keys"] == 1
    assert found.measures["unexplained_tokens"] == 0


def test_surplus_row_of_a_request_is_logged_twice(conclude: Any) -> None:
    story = Story()
    counters = {"in_uncached": 300, "out_visible": 70, "out_reasoning": 30}
    story.call("a", T0, counters, call_id="c-1", request_id="r-a")
    story.call("a", T0 + SECOND, counters, call_id="c-2", request_id="r-a", attempt=2)
    story.shown("a", T0, 70, call_id="c-2")
    story.bill(T0, {"in_uncached": 300, "out_visible": 100}, 1)
    found = conclude(story)
    assert found.state is State.SATISFIED, found.reason
    assert facts(found) == {
        ("double-logged", "c-1"): {"tokens": 400, "low_tokens": 400, "high_tokens": 400}
    }
    assert classes(found) == {"input_uncached": 300, "reasoning_hidden": 30}
    assert classes(found, "bridge") == {"double_logged": -400}
    assert found.measures["rendered_tokens"] == 70


def test_two_billed_attempts_of_a_request_are_not_logged_twice(conclude: Any) -> None:
    story = Story()
    for name in ("c-1", "c-2"):
        story.call("a", T0, {"in_uncached": 300, "out_visible": 70}, call_id=name,
                   provider_request_id=name)  # fmt: skip
    story.shown("a", T0, 70, call_id="c-2")
    story.bill(T0, {"in_uncached": 600, "out_visible": 140}, 2)
    found = conclude(story)
    assert classes(found) == {"input_uncached": 300, "retry_billed": 370}
    assert found.measures["rendered_tokens"] == 70
    assert not any(fact == "double-logged" for fact, _ in facts(found))


def test_double_row_is_found_beside_a_stopped_call(conclude: Any) -> None:
    story = Story()
    for name in ("c-1", "c-2"):
        story.call("a", T0, {"in_uncached": 300, "out_visible": 70}, call_id=name)
    story.shown("a", T0, 70, call_id="c-1")
    story.call("s", T0, {"in_uncached": 210, "out_visible": 20}, usage_quality="estimated",
               status="cancelled")  # fmt: skip
    story.shown("s", T0, 15, "user_stop")
    story.bill(T0, {"in_uncached": 100, "in_cache_read": 408, "out_visible": 95}, 2)
    found = conclude(story)
    assert set(facts(found)) == {("double-logged", "c-2"), ("cancelled-tail", "r-s")}
    assert facts(found)["cancelled-tail", "r-s"]["billed_minus_rendered_tokens"] == 10
    assert found.state is State.SATISFIED, found.reason


def test_lost_answer_of_a_retried_call_is_billed(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0, 300, 70, attempt=2)
    story.plain("b", T0, 200, 60, attempt=2)
    story.bill(T0, {"in_uncached": 800, "out_visible": 185}, 3)
    found = conclude(story)
    assert tokens(found) == {("retry-billed", "r-a"): 355}
    assert classes(found) == {"input_uncached": 500, "retry_billed": 355}
    assert found.state is State.SATISFIED


def test_a_gap_that_fits_no_retry_stays_unexplained(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0, 300, 70, attempt=2)
    story.bill(T0, {"in_uncached": 601, "out_visible": 125}, 2)
    found = conclude(story)
    assert found.state is State.NOT_SATISFIED
    assert ("unexplained", "openai 2026-11-09") in facts(found)
    assert found.measures["unexplained_tokens"] == 301 + 55


def test_equal_retries_are_bounded_and_name_each_other(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0, 300, 70, attempt=2)
    story.plain("b", T0, 300, 60, attempt=2)
    story.bill(T0, {"in_uncached": 900, "out_visible": 185}, 3)
    found = conclude(story)
    (seen,) = found.observations
    assert seen.refs == ("c-a", "r-b")
    assert "bounded" in seen.observed


def test_call_at_a_bucket_edge_moves_whole(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0, 300, 70)
    story.plain("edge", T0 + HOUR - SECOND, 120, 30)
    story.plain("b", T0 + HOUR, 200, 60)
    story.bill(T0, {"in_uncached": 300, "out_visible": 70}, 1)
    story.bill(T0 + HOUR, {"in_uncached": 320, "out_visible": 90}, 2)
    found = conclude(story)
    assert found.state is State.SATISFIED, found.reason
    assert classes(found) == {"input_uncached": 620}
    assert found.measures["unexplained_tokens"] == 0


def test_call_past_the_end_of_the_window_is_boundary(conclude: Any) -> None:
    story = Story()
    last = WEEK.end_us - HOUR
    story.plain("a", last, 300, 70)
    story.plain("edge", WEEK.end_us - SECOND, 120, 30)
    story.bill(last, {"in_uncached": 300, "out_visible": 70}, 1)
    found = conclude(story)
    assert classes(found) == {"input_uncached": 420, "boundary": -150}
    assert found.state is State.SATISFIED


def test_final_bill_without_the_call_is_logged_unbilled_an_open_one_late(conclude: Any) -> None:
    for final, cause in ((True, "logged_unbilled"), (False, "late")):
        story = Story()
        story.plain("a", T0, 300, 70)
        story.plain("b", T0 + 100 * SECOND, 120, 30)
        story.bill(T0, {"in_uncached": 300, "out_visible": 70}, 1, final=final)
        found = conclude(story)
        assert classes(found) == {"input_uncached": 420, cause: -150}


def test_usage_that_never_came_differs_from_reported_zero(conclude: Any) -> None:
    story = Story()
    story.call("gone", T0, None)
    story.shown("gone", T0, 80)
    story.bill(T0, {"in_uncached": 500, "out_visible": 80}, 1)
    assert classes(conclude(story)) == {"usage_missing": 500}
    zero = Story()
    zero.call("zero", T0, {"in_uncached": 0, "out_visible": 0})
    zero.shown("zero", T0, 80)
    zero.bill(T0, {"in_uncached": 500, "out_visible": 80}, 1)
    assert conclude(zero).measures["unexplained_tokens"] == 580


def test_two_stops_share_one_residual(conclude: Any) -> None:
    story = Story()
    for name, logged in (("s", 20), ("t", 9)):
        story.call(name, T0, {"in_uncached": 50, "out_visible": logged}, status="cancelled",
                   usage_quality="estimated")  # fmt: skip
        story.shown(name, T0, 9, "user_stop")
    story.bill(T0, {"in_uncached": 104, "out_visible": 300}, 2)
    found = conclude(story)
    assert facts(found)["cancelled-tail", "r-s"]["billed_minus_rendered_tokens"] == 11
    assert facts(found)["cancelled-tail", "r-s"]["shared_tokens"] == 271
    assert facts(found)["cancelled-tail", "r-t"]["billed_minus_rendered_tokens"] == 0
    assert found.measures["cancelled_tail_tokens"] == 282
    tax: Any = found.tables["tax"]
    assert {row["basis"]: row["tokens"] for row in tax} == {"exact": 11, "bounded": 271}


def test_stop_on_screen_only_is_exact(conclude: Any) -> None:
    story = Story()
    story.call("s", T0, {"in_uncached": 40, "out_visible": 418})
    story.shown("s", T0, 292, "user_stop")
    story.bill(T0, {"in_uncached": 40, "out_visible": 418}, 1)
    found = conclude(story)
    assert facts(found) == {
        ("cancelled-tail", "r-s"): {
            "billed_minus_rendered_tokens": 126,
            "billed_minus_rendered_usd_micros": 567,
            "shared_tokens": 0,
        }
    }


def test_tool_calls_have_no_text(conclude: Any) -> None:
    story = Story()
    story.call("t", T0, {"in_uncached": 40, "out_visible": 90})
    story.shown("t", T0, 0)
    story.bill(T0, {"in_uncached": 40, "out_visible": 90}, 1)
    assert classes(conclude(story)) == {"input_uncached": 40, "tool_and_system_overhead": 90}


def test_characters_are_calibrated_and_bounded(conclude: Any) -> None:
    story = Story()
    for name, out in (("a", 100), ("b", 50)):
        story.call(name, T0, {"out_visible": out})
        story.shown(name, T0, None, rendered_characters=4 * out)
    story.call("s", T0, {"out_visible": 100})
    story.shown("s", T0, None, "user_stop", rendered_characters=40)
    story.bill(T0, {"out_visible": 250}, 3)
    found = conclude(story)
    assert classes(found) == {"cancelled_tail": 90}
    statement: Any = found.tables["statement"]
    assert {row["basis"] for row in statement if row["id"] in {"cancelled_tail", "rendered"}} == {
        "bounded"
    }


def test_characters_without_calibration_are_not_metered(conclude: Any) -> None:
    story = Story()
    story.call("s", T0, {"out_visible": 100})
    story.shown("s", T0, None, "user_stop", rendered_characters=40)
    story.bill(T0, {"out_visible": 100}, 1)
    found = conclude(story)
    assert classes(found) == {"unmetered": 100}
    assert found.state is State.INCONCLUSIVE


def test_without_deliveries_rendered_is_unknown_and_billed_still_foots(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0)
    story.rows[Delivery] = []
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    found = conclude(story)
    assert found.state is State.INCONCLUSIVE
    assert found.measures["rendered_tokens"] is None
    assert found.measures["cancelled_tail_tokens"] is None
    assert classes(found) == {"input_uncached": 100, "unmetered": 50}


def test_one_call_without_delivery_is_named_and_above_tolerance_inconclusive(
    conclude: Any,
) -> None:
    story = Story()
    story.plain("a", T0)
    story.call("b", T0, {"in_uncached": 100, "out_visible": 50})
    story.bill(T0, {"in_uncached": 200, "out_visible": 100}, 2)
    found = conclude(story)
    assert found.state is State.INCONCLUSIVE
    assert "50 visible tokens of calls without a delivery record." in found.not_examined
    assert conclude(story, tolerance_ppm=600_000).state is State.SATISFIED


def test_missing_price_makes_money_unknown_never_zero(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0)
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    story.rows[PriceTerm] = [r for r in story.rows[PriceTerm] if r["token_type"] != "out_visible"]
    found = conclude(story)
    assert found.state is State.INCONCLUSIVE
    assert found.measures["billed_usd_micros"] is None
    assert found.measures["billed_tokens"] == 150
    assert f"No price of openai {MODEL} out_visible on 2026-11-09." in found.not_examined


def test_day_without_usage_is_not_examined_and_not_unbilled(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0)
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    story.plain("b", T0 + 30 * HOUR)
    found = conclude(story)
    assert found.state is State.INCONCLUSIVE
    assert classes(found) == {"input_uncached": 100}
    assert any("2026-11-10: the provider reported no usage" in s for s in found.not_examined)


def test_cached_part_of_a_stopped_prompt_moves_between_counters(conclude: Any) -> None:
    story = Story()
    story.call("s", T0, {"in_uncached": 500, "out_visible": 20}, status="cancelled",
               usage_quality="estimated")  # fmt: skip
    story.shown("s", T0, 20, "user_stop")
    story.bill(T0, {"in_uncached": 96, "in_cache_read": 400, "out_visible": 20}, 1)
    found = conclude(story)
    assert classes(found) == {"input_uncached": 500, "usage_missing": -4}
    assert found.observations == ()


def test_provider_without_request_counts_is_reconciled(conclude: Any) -> None:
    story = Story(requests=False)
    story.plain("a", T0, 300, 70, attempt=2)
    story.plain("b", T0, 200, 60)
    story.bill(T0, {"in_uncached": 800, "out_visible": 200}, 0)
    assert tokens(conclude(story)) == {("retry-billed", "r-a"): 370}


def test_keys_on_one_side_only_are_left_out_of_the_comparison(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0, api_key_commitment=None)
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    found = conclude(story)
    assert found.state is State.SATISFIED, found.reason
    assert any(sentence.startswith("Keys of openai") for sentence in found.not_examined)


def test_daily_buckets_are_too_wide(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0)
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1, bucket_end=T0 + 24 * HOUR)
    found = conclude(story)
    assert found.state is State.INCONCLUSIVE
    assert any("wider than 60 minutes" in sentence for sentence in found.not_examined)
    assert conclude(story, bucket_minutes=1_440).state is State.SATISFIED


def test_batch_rows_cost_half_and_the_difference_is_a_row(conclude: Any) -> None:
    story = Story()
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


def test_price_is_the_one_valid_then(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0, 1_000, 0)
    story.plain("b", T0 + HOUR, 1_000, 0)
    story.bill(T0, {"in_uncached": 1_000}, 1)
    story.bill(T0 + HOUR, {"in_uncached": 1_000}, 1)
    old = story.rows[PriceTerm][0]
    story.rows[PriceTerm].append({**old, "valid_from": T0 + HOUR, "unit_usd_pico": 1_000_000})
    old["valid_to"] = T0 + HOUR
    assert conclude(story).measures["billed_usd_micros"] == 1_750


def test_charge_beyond_a_cent_a_line_is_a_row(conclude: Any) -> None:
    for cost, difference in (("0.0003005", 0), ("0.0109", 10_600)):
        story = Story()
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


def test_conventions_of_two_providers_give_the_same_classes(conclude: Any) -> None:
    seen = []
    for provider in ("openai", "anthropic"):
        story = Story(requests=provider == "openai")
        counters = {"in_uncached": 412, "in_cache_read": 14_820, "out_visible": 60}
        story.call("a", T0, counters)
        story.shown("a", T0, 60)
        story.bill(T0, counters, 1)
        for kind in (GatewayCall, ProviderUsage, PriceTerm):
            for row in story.rows[kind]:
                row["provider"] = provider
        seen.append(classes(conclude(story)))
    assert seen[0] == seen[1] == {"input_uncached": 412, "cache_read": 14_820}


def test_failed_first_attempt_that_was_billed_is_a_retry(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0)
    story.call("b", T0, None, status="error", call_id="c-b#attempt-1")
    story.bill(T0, {"in_uncached": 250, "out_visible": 60}, 2)
    found = conclude(story)
    assert tokens(found) == {("retry-billed", "r-b"): 160}


def test_failed_attempt_that_was_not_billed_costs_nothing(conclude: Any) -> None:
    story = Story()
    story.plain("a", T0)
    story.call("b", T0 + 2 * HOUR, None, status="error", call_id="c-b#attempt-1")
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    assert conclude(story).state is State.SATISFIED


def test_broken_stream_without_provider_id_is_what_was_shown(conclude: Any) -> None:
    story = Story()
    story.call("x", T0, {"in_uncached": 10, "out_visible": 50}, status="error")
    story.shown("x", T0, 44, "error", call_id="chatcmpl-lost")
    story.bill(T0, {"in_uncached": 10, "out_visible": 50}, 1)
    assert classes(conclude(story)) == {"input_uncached": 10, "broken_stream": 6}


def test_a_bucket_that_no_provider_reports_by_is_refused() -> None:
    with pytest.raises(ConfigError, match="bucket_minutes"):
        TokenReconciliation(bucket_minutes=45)


def test_open_bucket_is_told_by_when_it_was_read(conclude: Any) -> None:
    for hours, cause in ((10, "late"), (100, "logged_unbilled")):
        story = Story()
        story.plain("a", T0, 300, 70)
        story.plain("b", T0 + 100 * SECOND, 120, 30)
        story.bill(T0, {"in_uncached": 300, "out_visible": 70}, 1, final=None,
                   fetched_at=T0 + hours * HOUR)  # fmt: skip
        assert classes(conclude(story))[cause] == -150


def test_named_stops_are_the_dearest(conclude: Any) -> None:
    story = Story()
    for name, shown in (("s", 10), ("t", 90), ("u", 40)):
        story.call(name, T0, {"out_visible": 100})
        story.shown(name, T0, shown, "user_stop")
    story.bill(T0, {"out_visible": 300}, 3)
    found = conclude(story, name_at_most=2)
    assert [seen.subject for seen in found.observations] == ["r-s", "r-u"]
    assert found.measures["cancelled_requests"] == 3
    assert found.measures["cancelled_tail_tokens"] == 160


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
    st.lists(LOGGED, max_size=6), st.lists(BILLED, max_size=5), st.lists(CALLS, max_size=5),
    st.booleans(), st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_cells_foot_exactly_in_any_order(
    logged: list[dict[str, Any]],
    billed: list[dict[str, Any]],
    calls: list[dict[str, Any]],
    is_open: bool,
    shuffle: random.Random,
) -> None:
    lines = as_lines(logged, billed, calls)
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
    logged: list[dict[str, Any]], billed: list[dict[str, Any]]
) -> None:
    tables = reduced(as_lines(logged, billed, []), is_open=False, priced=False)
    found = TokenReconciliation().conclude(tables, WEEK)
    assert_foots(found)
    if any(row["out_visible"] for row in billed):
        assert found.measures["billed_usd_micros"] is None


def test_unbalanced_story_foots_under_every_missing_kind(
    conclude: Callable[..., Conclusion],
) -> None:
    for kind in (Delivery, PriceTerm, ProviderCharge, ProviderUsage, GatewayCall):
        story = Story()
        story.plain("a", T0, 310, 40)
        story.bill(T0, {"in_uncached": 300, "out_visible": 70}, 1)
        story.rows[kind] = []
        assert conclude(story).state is not State.SATISFIED or kind is ProviderCharge
