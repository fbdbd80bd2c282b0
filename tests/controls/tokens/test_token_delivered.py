"""Billed against rendered: stops, lost answers, and what no meter saw."""

from typing import Any

from countersign.model import US_PER_SECOND as SECOND
from countersign.model import State, Window
from countersign.records import (
    Delivery,
)

WEEK = Window.parse("2026-11-09/2026-11-16")
HOUR = 3_600 * SECOND
T0 = WEEK.start_us
MODEL = "gpt-5.4-mini-2026-03-17"


def test_balanced_week_is_satisfied(tell: Any, classes: Any, conclude: Any) -> None:
    story = tell()
    story.plain("a", T0 + HOUR)
    story.plain("b", T0 + HOUR + SECOND)
    story.bill(T0 + HOUR, {"in_uncached": 200, "out_visible": 100}, 2)
    found = conclude(story)
    assert found.state is State.SATISFIED, found.reason
    assert classes(found) == {"input_uncached": 200}
    assert found.measures["rendered_tokens"] == 100
    assert found.observations == ()


def test_ten_tokens_read_and_eight_hundred_billed(
    tell: Any, classes: Any, facts: Any, conclude: Any
) -> None:
    story = tell()
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


def test_fourteen_percent_of_delivered_is_twelve_of_billed(tell: Any, conclude: Any) -> None:
    story = tell()
    story.plain("read", T0, 0, 860)
    story.call("s", T0, {"out_visible": 280}, status="cancelled", usage_quality="exact")
    story.shown("s", T0, 140, "disconnect")
    story.bill(T0, {"out_visible": 1_140}, 2)
    found = conclude(story)
    tail = found.measures["cancelled_tail_tokens"]
    assert tail == 140
    assert found.measures["rendered_tokens"] == 1_000
    assert round(tail * 10_000 / 1_140) == 1_228


def test_double_row_is_found_beside_a_stopped_call(tell: Any, facts: Any, conclude: Any) -> None:
    story = tell()
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


def test_usage_that_never_came_differs_from_reported_zero(
    tell: Any, classes: Any, conclude: Any
) -> None:
    story = tell()
    story.call("gone", T0, None)
    story.shown("gone", T0, 80)
    story.bill(T0, {"in_uncached": 500, "out_visible": 80}, 1)
    assert classes(conclude(story)) == {"usage_missing": 500}
    zero = tell()
    zero.call("zero", T0, {"in_uncached": 0, "out_visible": 0})
    zero.shown("zero", T0, 80)
    zero.bill(T0, {"in_uncached": 500, "out_visible": 80}, 1)
    assert conclude(zero).measures["unexplained_tokens"] == 580


def test_two_stops_share_one_residual(tell: Any, facts: Any, conclude: Any) -> None:
    story = tell()
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


def test_stop_on_screen_only_is_exact(tell: Any, facts: Any, conclude: Any) -> None:
    story = tell()
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


def test_tool_calls_have_no_text(tell: Any, classes: Any, conclude: Any) -> None:
    story = tell()
    story.call("t", T0, {"in_uncached": 40, "out_visible": 90})
    story.shown("t", T0, 0)
    story.bill(T0, {"in_uncached": 40, "out_visible": 90}, 1)
    assert classes(conclude(story)) == {"input_uncached": 40, "tool_and_system_overhead": 90}


def test_characters_are_calibrated_and_bounded(tell: Any, classes: Any, conclude: Any) -> None:
    story = tell()
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


def test_characters_without_calibration_are_not_metered(
    tell: Any, classes: Any, conclude: Any
) -> None:
    story = tell()
    story.call("s", T0, {"out_visible": 100})
    story.shown("s", T0, None, "user_stop", rendered_characters=40)
    story.bill(T0, {"out_visible": 100}, 1)
    found = conclude(story)
    assert classes(found) == {"unmetered": 100}
    assert found.state is State.INCONCLUSIVE


def test_without_deliveries_rendered_is_unknown_and_billed_still_foots(
    tell: Any, classes: Any, conclude: Any
) -> None:
    story = tell()
    story.plain("a", T0)
    story.rows[Delivery] = []
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    found = conclude(story)
    assert found.state is State.INCONCLUSIVE
    assert found.measures["rendered_tokens"] is None
    assert found.measures["cancelled_tail_tokens"] is None
    assert classes(found) == {"input_uncached": 100, "unmetered": 50}


def test_one_call_without_delivery_is_named_and_above_tolerance_inconclusive(
    tell: Any,
    conclude: Any,
) -> None:
    story = tell()
    story.plain("a", T0)
    story.call("b", T0, {"in_uncached": 100, "out_visible": 50})
    story.bill(T0, {"in_uncached": 200, "out_visible": 100}, 2)
    found = conclude(story)
    assert found.state is State.INCONCLUSIVE
    assert "50 visible tokens of calls without a delivery record." in found.not_examined
    assert conclude(story, tolerance_ppm=600_000).state is State.SATISFIED


def test_cached_part_of_a_stopped_prompt_moves_between_counters(
    tell: Any, classes: Any, conclude: Any
) -> None:
    story = tell()
    story.call("s", T0, {"in_uncached": 500, "out_visible": 20}, status="cancelled",
               usage_quality="estimated")  # fmt: skip
    story.shown("s", T0, 20, "user_stop")
    story.bill(T0, {"in_uncached": 96, "in_cache_read": 400, "out_visible": 20}, 1)
    found = conclude(story)
    assert classes(found) == {"input_uncached": 500, "usage_missing": -4}
    assert found.observations == ()


def test_broken_stream_without_provider_id_is_what_was_shown(
    tell: Any, classes: Any, conclude: Any
) -> None:
    story = tell()
    story.call("x", T0, {"in_uncached": 10, "out_visible": 50}, status="error")
    story.shown("x", T0, 44, "error", call_id="chatcmpl-lost")
    story.bill(T0, {"in_uncached": 10, "out_visible": 50}, 1)
    assert classes(conclude(story)) == {"input_uncached": 10, "broken_stream": 6}


def test_named_stops_are_the_dearest(tell: Any, conclude: Any) -> None:
    story = tell()
    for name, shown in (("s", 10), ("t", 90), ("u", 40)):
        story.call(name, T0, {"out_visible": 100})
        story.shown(name, T0, shown, "user_stop")
    story.bill(T0, {"out_visible": 300}, 3)
    found = conclude(story, name_at_most=2)
    assert [seen.subject for seen in found.observations] == ["r-s", "r-u"]
    assert found.measures["cancelled_requests"] == 3
    assert found.measures["cancelled_tail_tokens"] == 160
