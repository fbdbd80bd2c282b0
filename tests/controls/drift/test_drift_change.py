"""What moved is found, with its size; what did not is left alone."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from countersign.controls.input_drift import InputDrift
from countersign.model import PPM, State, Window
from countersign.records import GatewayCall, GoldenCase

Columns = dict[str, list[Any]]


@pytest.mark.parametrize("seed", range(3))
def test_growing_intent_is_found_with_its_first_day_and_users(
    growing: Any, facts: Any, traffic: Any, conclude: Any, seed: int
) -> None:
    world = traffic(seed=seed)
    columns = world.columns(growing(0.10))
    concluded = conclude(world.table(growing(0.10)), world.window)
    assert concluded.state is State.NOT_SATISFIED
    assert ("new-level", "intent=passkey") in facts(concluded)
    assert facts(concluded) <= {
        ("new-level", "intent=passkey"),
        ("feature-moved", "intent"),
        ("feature-moved", "unseen_term"),
    }
    found = next(seen for seen in concluded.observations if seen.fact == "new-level")
    planted = [
        (day, user)
        for day, user, intent in zip(
            columns["window_day"], columns["user_commitment"], columns["intent"], strict=True
        )
        if intent == "passkey"
    ]
    assert found.since_us == Window.day(date.fromisoformat(min(planted)[0])).start_us
    now = {user for day, user in planted if day >= str(world.window.start)}
    assert found.measures["users"] == len(now)
    rows_now = sum(day >= str(world.window.start) for day, _ in planted)
    assert found.measures["share_ppm"] == pytest.approx(rows_now * PPM / 4900, abs=1)


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_small_new_intent_is_found(
    last_week: Any, facts: Any, traffic: Any, conclude: Any, share: float
) -> None:
    def plant(day: int, rows: Columns, rng: Any) -> None:
        for row in range(len(rows["intent"])):
            if rng.random() < share:
                rows["intent"][row] = "passkey"

    world = traffic(seed=11, rows_per_day=1400)
    concluded = conclude(world.table(last_week(plant)), world.window)
    assert ("new-level", "intent=passkey") in facts(concluded)
    assert ("feature-moved", "intent") in facts(concluded)


def test_intent_that_begins_inside_the_reference_and_grows_is_new(
    facts: Any, traffic: Any, conclude: Any
) -> None:
    def plant(day: int, rows: Columns, rng: Any) -> None:
        if day < 42:
            return
        for row in range(len(rows["intent"])):
            if rng.random() < 0.08 * (day - 41) / 49:
                rows["intent"][row] = "passkey"

    world = traffic(seed=5)
    concluded = conclude(world.table(plant), world.window)
    assert ("new-level", "intent=passkey") in facts(concluded)


def test_new_intent_of_three_users_is_named_and_not_counted(
    last_week: Any, traffic: Any, conclude: Any
) -> None:
    def plant(day: int, rows: Columns, rng: Any) -> None:
        for row in range(20):
            rows["intent"][row] = "passkey"
            rows["user_commitment"][row] = f"user-{row % 3}"

    world = traffic(seed=5)
    concluded = conclude(world.table(last_week(plant)), world.window)
    found = next(seen for seen in concluded.observations if seen.fact == "new-level")
    assert (found.holds, found.measures["users"]) == (None, 3)


def test_five_points_of_share_are_found(
    last_week: Any, facts: Any, traffic: Any, conclude: Any
) -> None:
    def move(day: int, rows: Columns, rng: Any) -> None:
        for row in range(len(rows["intent"])):
            if rows["intent"][row] == "intent-0" and rng.random() < 0.25:
                rows["intent"][row] = "intent-5"

    world = traffic(seed=3, rows_per_day=1400)
    concluded = conclude(world.table(last_week(move)), world.window)
    assert facts(concluded) == {("feature-moved", "intent")}
    level = concluded.tables["levels"][0]
    assert level["level"] in {"intent-0", "intent-5"}
    assert abs(level["change_ppm"]) > 30_000


def test_longer_prompts_are_found(last_week: Any, facts: Any, traffic: Any, conclude: Any) -> None:
    def lengthen(day: int, rows: Columns, rng: Any) -> None:
        rows["in_uncached"] = [int(size * 1.6) for size in rows["in_uncached"]]

    world = traffic(seed=4)
    concluded = conclude(world.table(last_week(lengthen)), world.window)
    assert facts(concluded) == {("feature-moved", "prompt_tokens")}


def test_shuffled_rows_give_the_same_bytes(
    growing: Any, traffic: Any, conclude: Any, conclusion_bytes: Any
) -> None:
    world = traffic(seed=7, rows_per_day=300)
    calls = world.table(growing(0.1))
    order = sorted(range(calls.num_rows), key=lambda row: (row * 7919) % calls.num_rows)
    settings = {"minimum_rows": 100}
    first = conclusion_bytes(conclude(calls, world.window, **settings))
    assert conclusion_bytes(conclude(calls.take(order), world.window, **settings)) == first


def test_column_of_one_tenant_is_examined_on_its_rows(
    feature: Any, traffic: Any, conclude: Any
) -> None:
    def only(day: int, rows: Columns, rng: Any) -> None:
        tenants = rows["tenant"]
        rows["intent"] = [
            intent if tenant == "tenant-0" else None
            for intent, tenant in zip(rows["intent"], tenants, strict=True)
        ]

    world = traffic(seed=9, rows_per_day=1000)
    concluded = conclude(world.table(only), world.window)
    row = feature(concluded, "intent")
    assert 2_000 < row["now_rows"] < 2_700
    assert any(said.startswith("intent is on less than half") for said in concluded.not_examined)


def test_missing_values_are_a_level_of_a_common_column(
    facts: Any, traffic: Any, conclude: Any
) -> None:
    def forget(day: int, rows: Columns, rng: Any) -> None:
        share = 0.30 if day >= 84 else 0.10
        rows["language"] = [
            None if rng.random() < share else language for language in rows["language"]
        ]

    world = traffic(seed=9)
    concluded = conclude(world.table(forget), world.window)
    assert ("feature-moved", "language") in facts(concluded)
    assert {"missing"} <= {row["level"] for row in concluded.tables["levels"]}


def test_one_extreme_row_changes_no_verdict_and_is_named(traffic: Any, conclude: Any) -> None:
    def enlarge(day: int, rows: Columns, rng: Any) -> None:
        if day == 86:
            rows["in_uncached"][0] = 2_000_000

    world = traffic(seed=10)
    plain = conclude(world.table(), world.window)
    extreme = conclude(world.table(enlarge), world.window)
    assert extreme.state is plain.state
    assert [row["state"] for row in extreme.tables["features"]] == [
        row["state"] for row in plain.tables["features"]
    ]
    found = [seen for seen in extreme.observations if seen.fact == "extreme-value"]
    assert [(seen.subject, seen.holds) for seen in found] == [("prompt_tokens", True)]
    assert found[0].measures["largest"] == 2_000_000


def test_replaced_attempts_are_not_counted(
    feature: Any, traffic: Any, stored_calls: Any, conclude: Any
) -> None:
    world = traffic(seed=12)
    columns = world.columns()
    again = [row for row in range(len(columns["call_id"])) if row % 5 == 0]
    first = {name: [values[row] for row in again] for name, values in columns.items()}
    first["call_id"] = [f"{call}#attempt-1" for call in first["call_id"]]
    for row in again:
        columns["attempt"][row] = 2
    first["attempt"] = [1] * len(again)
    first["model_requested"] = ["chat-broken"] * len(again)
    both = {name: values + first[name] for name, values in columns.items()}
    concluded = conclude(stored_calls(both), world.window, features=("model_requested",))
    assert feature(concluded, "model_requested")["now_rows"] == 4900
    assert "chat-broken" not in {row["level"] for row in concluded.tables["levels"]}


def test_constant_columns_hold(feature: Any, traffic: Any, conclude: Any) -> None:
    def same(day: int, rows: Columns, rng: Any) -> None:
        rows["language"] = ["en"] * len(rows["language"])
        rows["turns"] = [1] * len(rows["turns"])

    world = traffic(seed=13)
    concluded = conclude(world.table(same), world.window, features=("language", "turns"))
    assert feature(concluded, "language")["state"] == "holds"
    assert feature(concluded, "turns")["effect_microbits"] == 0


def test_many_rare_names_are_other_levels(feature: Any, traffic: Any, conclude: Any) -> None:
    def scatter(day: int, rows: Columns, rng: Any) -> None:
        rows["intent"] = [f"free-{rng.integers(0, 100_000)}" for _ in rows["intent"]]

    world = traffic(seed=13)
    concluded = conclude(world.table(scatter), world.window)
    assert feature(concluded, "intent")["state"] == "holds"


def test_own_column_is_a_feature(
    facts: Any, traffic: Any, stored_calls: Any, conclude: Any
) -> None:
    world = traffic(seed=14)
    columns = world.columns()
    days = columns["window_day"]
    columns["plan"] = ["pro" if day < str(world.window.start) else "trial" for day in days]
    concluded = conclude(stored_calls(columns), world.window, features=("plan",))
    assert ("feature-moved", "plan") in facts(concluded)


def test_golden_coverage_is_the_share_of_intents_with_enough_cases(
    traffic: Any, memory_tables: Any, stored_rows: Any
) -> None:
    world = traffic(seed=15)
    cases = [
        {"set": "gold", "case_id": f"{intent}-{number}", "intent": intent}
        for intent, count in (("intent-0", 6), ("intent-1", 4))
        for number in range(count)
    ]
    calls = world.table()
    tables = memory_tables.holding(
        world.window, {GatewayCall: calls, GoldenCase: stored_rows(GoldenCase, cases)}
    )
    concluded = tables.conclude(InputDrift())
    now = calls.filter(pa.compute.greater_equal(calls["window_day"], str(world.window.start)))
    covered = now["intent"].to_pylist().count("intent-0")
    assert concluded.measures["golden_cases"] == 10
    assert concluded.measures["golden_coverage_ppm"] == round(covered * PPM / now.num_rows)


def test_shares_of_the_picture_are_whole(growing: Any, traffic: Any, conclude: Any) -> None:
    world = traffic(seed=1)
    picture = conclude(world.table(growing(0.1)), world.window).picture
    for side in ("reference_ppm", "now_ppm"):
        assert sum(level[side] for level in picture["levels"]) == pytest.approx(PPM, abs=10)
    assert "passkey" in {level["label"] for level in picture["levels"]}
