"""What the inputs are compared with: reference weeks, missing days, too few rows or people."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from countersign.controls.input_drift import DEFAULT_FEATURES
from countersign.errors import ConfigError
from countersign.model import State, Window

Columns = dict[str, list[Any]]


@pytest.mark.parametrize("seed", range(4))
def test_quiet_weeks_are_satisfied(facts: Any, traffic: Any, conclude: Any, seed: int) -> None:
    quiet = traffic(seed=seed)
    concluded = conclude(quiet.table(), quiet.window, features=DEFAULT_FEATURES)
    assert concluded.state is State.SATISFIED, concluded.reason
    assert not facts(concluded)
    assert concluded.measures["features_tested"] == 8
    assert concluded.measures["reference_weeks"] == 8


def test_weekend_is_no_drift(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=6, weekend_points=0.15)
    assert conclude(world.table(), world.window).state is State.SATISFIED


@pytest.mark.parametrize("start", [0, 5])
def test_part_of_a_week_is_compared_with_the_same_weekdays(
    traffic: Any, conclude: Any, start: int
) -> None:
    world = traffic(seed=6, weekend_points=0.3, rows_per_day=1200)
    monday = world.window.start
    window = Window(monday + timedelta(days=start), monday + timedelta(days=start + 2))
    assert conclude(world.table(), window).state is State.SATISFIED


def test_missing_saturday_is_left_out_on_both_sides(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=6, weekend_points=0.3)
    saturday = str(world.window.start + timedelta(days=5))
    calls = world.table()
    kept = calls.filter(pa.compute.not_equal(calls["window_day"], saturday))
    concluded = conclude(kept, world.window)
    assert concluded.state is State.SATISFIED
    assert any(saturday in said for said in concluded.not_examined)


def test_holiday_weeks_are_no_reference(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=6)
    holiday = str(world.start + timedelta(days=7))
    concluded = conclude(world.table(), world.window, holidays=(holiday,), reference_weeks=12)
    assert concluded.measures["reference_weeks"] == 11


def test_ten_days_are_not_comparable(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=6)
    window = Window(world.window.end - timedelta(days=10), world.window.end)
    assert conclude(world.table(), window).state is State.INCONCLUSIVE


def test_pinned_reference_is_used(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=6)
    pinned = Window(world.start + timedelta(weeks=2), world.start + timedelta(weeks=11))
    concluded = conclude(world.table(), world.window, reference=str(pinned))
    assert concluded.measures["reference_weeks"] == 9
    assert "pinned" in concluded.grade.set_by


def test_short_history_is_inconclusive(growing: Any, traffic: Any, conclude: Any) -> None:
    world = traffic(seed=8, weeks=8)
    concluded = conclude(world.table(growing(0.5)), world.window)
    assert concluded.state is State.INCONCLUSIVE
    assert "7 like-for-like reference weeks, 8 are needed" in concluded.reason


def test_no_history_is_inconclusive(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=8, weeks=1)
    assert conclude(world.table(), world.window).state is State.INCONCLUSIVE


def test_no_rows_are_inconclusive(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=8, weeks=1)
    assert conclude(world.table().slice(0, 0), world.window).state is State.INCONCLUSIVE


def test_few_rows_are_refused(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=8, rows_per_day=60)
    concluded = conclude(world.table(), world.window)
    assert concluded.state is State.INCONCLUSIVE
    assert "rows and 420 now, 500 are needed" in concluded.reason.replace("reference rows", "rows")


def test_column_that_ends_is_refused(
    last_week: Any, feature: Any, traffic: Any, conclude: Any
) -> None:
    def stop(day: int, rows: Columns, rng: Any) -> None:
        rows["intent"] = [None] * len(rows["intent"])

    world = traffic(seed=8)
    row = feature(conclude(world.table(last_week(stop)), world.window), "intent")
    assert (row["state"], row["reason"]) == ("refused", "no value in the window")


def test_few_clusters_are_refused(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=8, users=20)
    concluded = conclude(world.table(), world.window)
    assert concluded.state is State.INCONCLUSIVE
    assert "clusters, 30 are needed" in concluded.reason


def test_rows_without_any_cluster_are_refused(traffic: Any, conclude: Any) -> None:
    def forget(day: int, rows: Columns, rng: Any) -> None:
        for name in ("cluster_bucket", "user_commitment", "tenant"):
            rows[name] = [None] * len(rows["intent"])

    world = traffic(seed=8)
    concluded = conclude(world.table(forget), world.window)
    assert concluded.state is State.INCONCLUSIVE
    assert "0 clusters, 30 are needed" in concluded.reason


def test_rows_without_a_cluster_among_others_are_refused(traffic: Any, conclude: Any) -> None:
    def forget(day: int, rows: Columns, rng: Any) -> None:
        for row in range(0, len(rows["intent"]), 10):
            for name in ("cluster_bucket", "user_commitment", "tenant"):
                rows[name][row] = None

    world = traffic(seed=8)
    concluded = conclude(world.table(forget), world.window)
    assert concluded.state is State.INCONCLUSIVE
    assert "have no user, session or tenant" in concluded.reason


def test_dominant_cluster_is_refused_and_named(last_week: Any, traffic: Any, conclude: Any) -> None:
    def crowd(day: int, rows: Columns, rng: Any) -> None:
        for row in range(70):
            rows["user_commitment"][row] = "bot"
            rows["cluster_bucket"][row] = 5

    world = traffic(seed=8)
    concluded = conclude(world.table(last_week(crowd)), world.window)
    assert concluded.state is State.INCONCLUSIVE
    assert {seen.subject for seen in concluded.observations if seen.fact == "dominant-cluster"} == {
        "bot"
    }


def test_column_without_any_value_is_said(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=9)
    concluded = conclude(world.table(), world.window, features=DEFAULT_FEATURES)
    assert any("tool_count" in said for said in concluded.not_examined)


def test_column_that_begins_late_has_its_own_reference_weeks(
    growing: Any, facts: Any, traffic: Any, conclude: Any
) -> None:
    def late(day: int, rows: Columns, rng: Any) -> None:
        growing(0.10)(day, rows, rng)
        if day < 28:
            rows["unseen_term_ppm"] = [None] * len(rows["intent"])

    world = traffic(seed=9)
    concluded = conclude(world.table(late), world.window)
    assert ("feature-moved", "unseen_term") in facts(concluded)


def test_unknown_feature_is_refused(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=14, weeks=1)
    with pytest.raises(ConfigError, match="feature colour"):
        conclude(world.table(), world.window, features=("colour",))
