"""Billed against logged: retries, double rows, bucket edges, keys on one side only."""

from typing import Any

import pytest

from countersign.controls.token_reconciliation import TokenReconciliation
from countersign.errors import ConfigError
from countersign.model import US_PER_SECOND as SECOND
from countersign.model import State, Window

WEEK = Window.parse("2026-11-09/2026-11-16")
HOUR = 3_600 * SECOND
T0 = WEEK.start_us
MODEL = "gpt-5.4-mini-2026-03-17"


def test_key_without_any_call_is_unlogged_and_fails(
    tell: Any, classes: Any, facts: Any, conclude: Any
) -> None:
    story = tell()
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


def test_surplus_row_of_a_request_is_logged_twice(
    tell: Any, classes: Any, facts: Any, conclude: Any
) -> None:
    story = tell()
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


def test_two_billed_attempts_of_a_request_are_not_logged_twice(
    tell: Any, classes: Any, facts: Any, conclude: Any
) -> None:
    story = tell()
    for name in ("c-1", "c-2"):
        story.call("a", T0, {"in_uncached": 300, "out_visible": 70}, call_id=name,
                   provider_request_id=name)  # fmt: skip
    story.shown("a", T0, 70, call_id="c-2")
    story.bill(T0, {"in_uncached": 600, "out_visible": 140}, 2)
    found = conclude(story)
    assert classes(found) == {"input_uncached": 300, "retry_billed": 370}
    assert found.measures["rendered_tokens"] == 70
    assert not any(fact == "double-logged" for fact, _ in facts(found))


def test_lost_answer_of_a_retried_call_is_billed(
    tell: Any, classes: Any, tokens: Any, conclude: Any
) -> None:
    story = tell()
    story.plain("a", T0, 300, 70, attempt=2)
    story.plain("b", T0, 200, 60, attempt=2)
    story.bill(T0, {"in_uncached": 800, "out_visible": 185}, 3)
    found = conclude(story)
    assert tokens(found) == {("retry-billed", "r-a"): 355}
    assert classes(found) == {"input_uncached": 500, "retry_billed": 355}
    assert found.state is State.SATISFIED


def test_a_gap_that_fits_no_retry_stays_unexplained(tell: Any, facts: Any, conclude: Any) -> None:
    story = tell()
    story.plain("a", T0, 300, 70, attempt=2)
    story.bill(T0, {"in_uncached": 601, "out_visible": 125}, 2)
    found = conclude(story)
    assert found.state is State.NOT_SATISFIED
    assert ("unexplained", "openai 2026-11-09") in facts(found)
    assert found.measures["unexplained_tokens"] == 301 + 55


def test_equal_retries_are_bounded_and_name_each_other(tell: Any, conclude: Any) -> None:
    story = tell()
    story.plain("a", T0, 300, 70, attempt=2)
    story.plain("b", T0, 300, 60, attempt=2)
    story.bill(T0, {"in_uncached": 900, "out_visible": 185}, 3)
    found = conclude(story)
    (seen,) = found.observations
    assert seen.refs == ("c-a", "r-b")
    assert "bounded" in seen.observed


def test_call_at_a_bucket_edge_moves_whole(tell: Any, classes: Any, conclude: Any) -> None:
    story = tell()
    story.plain("a", T0, 300, 70)
    story.plain("edge", T0 + HOUR - SECOND, 120, 30)
    story.plain("b", T0 + HOUR, 200, 60)
    story.bill(T0, {"in_uncached": 300, "out_visible": 70}, 1)
    story.bill(T0 + HOUR, {"in_uncached": 320, "out_visible": 90}, 2)
    found = conclude(story)
    assert found.state is State.SATISFIED, found.reason
    assert classes(found) == {"input_uncached": 620}
    assert found.measures["unexplained_tokens"] == 0


def test_call_past_the_end_of_the_window_is_boundary(
    tell: Any, classes: Any, conclude: Any
) -> None:
    story = tell()
    last = WEEK.end_us - HOUR
    story.plain("a", last, 300, 70)
    story.plain("edge", WEEK.end_us - SECOND, 120, 30)
    story.bill(last, {"in_uncached": 300, "out_visible": 70}, 1)
    found = conclude(story)
    assert classes(found) == {"input_uncached": 420, "boundary": -150}
    assert found.state is State.SATISFIED


def test_final_bill_without_the_call_is_logged_unbilled_an_open_one_late(
    tell: Any, classes: Any, conclude: Any
) -> None:
    for final, cause in ((True, "logged_unbilled"), (False, "late")):
        story = tell()
        story.plain("a", T0, 300, 70)
        story.plain("b", T0 + 100 * SECOND, 120, 30)
        story.bill(T0, {"in_uncached": 300, "out_visible": 70}, 1, final=final)
        found = conclude(story)
        assert classes(found) == {"input_uncached": 420, cause: -150}


def test_day_without_usage_is_not_examined_and_not_unbilled(
    tell: Any, classes: Any, conclude: Any
) -> None:
    story = tell()
    story.plain("a", T0)
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    story.plain("b", T0 + 30 * HOUR)
    found = conclude(story)
    assert found.state is State.INCONCLUSIVE
    assert classes(found) == {"input_uncached": 100}
    assert any("2026-11-10: the provider reported no usage" in s for s in found.not_examined)


def test_provider_without_request_counts_is_reconciled(
    tell: Any, tokens: Any, conclude: Any
) -> None:
    story = tell(requests=False)
    story.plain("a", T0, 300, 70, attempt=2)
    story.plain("b", T0, 200, 60)
    story.bill(T0, {"in_uncached": 800, "out_visible": 200}, 0)
    assert tokens(conclude(story)) == {("retry-billed", "r-a"): 370}


def test_keys_on_one_side_only_are_left_out_of_the_comparison(tell: Any, conclude: Any) -> None:
    story = tell()
    story.plain("a", T0, api_key_commitment=None)
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    found = conclude(story)
    assert found.state is State.SATISFIED, found.reason
    assert any(sentence.startswith("Keys of openai") for sentence in found.not_examined)


def test_daily_buckets_are_too_wide(tell: Any, conclude: Any) -> None:
    story = tell()
    story.plain("a", T0)
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1, bucket_end=T0 + 24 * HOUR)
    found = conclude(story)
    assert found.state is State.INCONCLUSIVE
    assert any("wider than 60 minutes" in sentence for sentence in found.not_examined)
    assert conclude(story, bucket_minutes=1_440).state is State.SATISFIED


def test_failed_first_attempt_that_was_billed_is_a_retry(
    tell: Any, tokens: Any, conclude: Any
) -> None:
    story = tell()
    story.plain("a", T0)
    story.call("b", T0, None, status="error", call_id="c-b#attempt-1")
    story.bill(T0, {"in_uncached": 250, "out_visible": 60}, 2)
    found = conclude(story)
    assert tokens(found) == {("retry-billed", "r-b"): 160}


def test_failed_attempt_that_was_not_billed_costs_nothing(tell: Any, conclude: Any) -> None:
    story = tell()
    story.plain("a", T0)
    story.call("b", T0 + 2 * HOUR, None, status="error", call_id="c-b#attempt-1")
    story.bill(T0, {"in_uncached": 100, "out_visible": 50}, 1)
    assert conclude(story).state is State.SATISFIED


def test_a_bucket_that_no_provider_reports_by_is_refused() -> None:
    with pytest.raises(ConfigError, match="bucket_minutes"):
        TokenReconciliation(bucket_minutes=45)


def test_open_bucket_is_told_by_when_it_was_read(tell: Any, classes: Any, conclude: Any) -> None:
    for hours, cause in ((10, "late"), (100, "logged_unbilled")):
        story = tell()
        story.plain("a", T0, 300, 70)
        story.plain("b", T0 + 100 * SECOND, 120, 30)
        story.bill(T0, {"in_uncached": 300, "out_visible": 70}, 1, final=None,
                   fetched_at=T0 + hours * HOUR)  # fmt: skip
        assert classes(conclude(story))[cause] == -150
