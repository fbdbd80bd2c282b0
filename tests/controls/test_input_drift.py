"""Input drift over rows in a real engine: what moved is found, what did not is left alone."""

import csv
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from countersign.controls.input_drift import DEFAULT_FEATURES, InputDrift
from countersign.controls.interface import Conclusion
from countersign.errors import ConfigError
from countersign.model import PPM, State, Window
from countersign.records import GatewayCall, GoldenCase

FEW = ("intent", "language", "prompt_tokens", "unseen_term")
"""Most tests look at these: stating a relation costs more than running it."""
FIRST_GROWTH = 56
"""Day on which a new intent begins: after eight of thirteen weeks."""

Columns = dict[str, list[Any]]


@pytest.fixture(scope="module")
def conclude(memory_tables: Any) -> Callable[..., Conclusion]:
    """Conclude on stored calls of one window."""

    def run(calls: pa.Table, window: Window, **settings: Any) -> Conclusion:
        tables = memory_tables.holding(window, {GatewayCall: calls})
        concluded: Conclusion = tables.conclude(InputDrift(**{"features": FEW, **settings}))
        return concluded

    return run


def _growing(final_share: float) -> Callable[[int, Columns, Any], None]:
    def change(day: int, rows: Columns, rng: Any) -> None:
        if day < FIRST_GROWTH:
            return
        share = final_share * (day - FIRST_GROWTH + 1) / 35
        for row in range(len(rows["intent"])):
            if rng.random() < share:
                rows["intent"][row] = "passkey"
                rows["unseen_term_ppm"][row] = int(rng.integers(3, 9))

    return change


def _last_week(edit: Callable[[int, Columns, Any], None]) -> Callable[[int, Columns, Any], None]:
    return lambda day, rows, rng: edit(day, rows, rng) if day >= 84 else None


def _facts(concluded: Conclusion) -> set[tuple[str, str]]:
    return {(seen.fact, seen.subject) for seen in concluded.observations if seen.holds is False}


def _feature(concluded: Conclusion, name: str) -> Any:
    rows: Any = concluded.tables["features"]
    return next(row for row in rows if row["feature"] == name)


@pytest.mark.parametrize("seed", range(4))
def test_quiet_weeks_are_satisfied(traffic: Any, conclude: Any, seed: int) -> None:
    quiet = traffic(seed=seed)
    concluded = conclude(quiet.table(), quiet.window, features=DEFAULT_FEATURES)
    assert concluded.state is State.SATISFIED, concluded.reason
    assert not _facts(concluded)
    assert concluded.measures["features_tested"] == 8
    assert concluded.measures["reference_weeks"] == 8


@pytest.mark.parametrize("seed", range(3))
def test_growing_intent_is_found_with_its_first_day_and_users(
    traffic: Any, conclude: Any, seed: int
) -> None:
    world = traffic(seed=seed)
    columns = world.columns(_growing(0.10))
    concluded = conclude(world.table(_growing(0.10)), world.window)
    assert concluded.state is State.NOT_SATISFIED
    assert ("new-level", "intent=passkey") in _facts(concluded)
    assert _facts(concluded) <= {
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
def test_small_new_intent_is_found(traffic: Any, conclude: Any, share: float) -> None:
    def plant(day: int, rows: Columns, rng: Any) -> None:
        for row in range(len(rows["intent"])):
            if rng.random() < share:
                rows["intent"][row] = "passkey"

    world = traffic(seed=11, rows_per_day=1400)
    concluded = conclude(world.table(_last_week(plant)), world.window)
    assert ("new-level", "intent=passkey") in _facts(concluded)
    assert ("feature-moved", "intent") in _facts(concluded)


def test_intent_that_begins_inside_the_reference_and_grows_is_new(
    traffic: Any, conclude: Any
) -> None:
    def plant(day: int, rows: Columns, rng: Any) -> None:
        if day < 42:
            return
        for row in range(len(rows["intent"])):
            if rng.random() < 0.08 * (day - 41) / 49:
                rows["intent"][row] = "passkey"

    world = traffic(seed=5)
    concluded = conclude(world.table(plant), world.window)
    assert ("new-level", "intent=passkey") in _facts(concluded)


def test_new_intent_of_three_users_is_named_and_not_counted(traffic: Any, conclude: Any) -> None:
    def plant(day: int, rows: Columns, rng: Any) -> None:
        for row in range(20):
            rows["intent"][row] = "passkey"
            rows["user_commitment"][row] = f"user-{row % 3}"

    world = traffic(seed=5)
    concluded = conclude(world.table(_last_week(plant)), world.window)
    found = next(seen for seen in concluded.observations if seen.fact == "new-level")
    assert (found.holds, found.measures["users"]) == (None, 3)


def test_five_points_of_share_are_found(traffic: Any, conclude: Any) -> None:
    def move(day: int, rows: Columns, rng: Any) -> None:
        for row in range(len(rows["intent"])):
            if rows["intent"][row] == "intent-0" and rng.random() < 0.25:
                rows["intent"][row] = "intent-5"

    world = traffic(seed=3, rows_per_day=1400)
    concluded = conclude(world.table(_last_week(move)), world.window)
    assert _facts(concluded) == {("feature-moved", "intent")}
    level = concluded.tables["levels"][0]
    assert level["level"] in {"intent-0", "intent-5"}
    assert abs(level["change_ppm"]) > 30_000


def test_longer_prompts_are_found(traffic: Any, conclude: Any) -> None:
    def lengthen(day: int, rows: Columns, rng: Any) -> None:
        rows["in_uncached"] = [int(size * 1.6) for size in rows["in_uncached"]]

    world = traffic(seed=4)
    concluded = conclude(world.table(_last_week(lengthen)), world.window)
    assert _facts(concluded) == {("feature-moved", "prompt_tokens")}


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


def test_shuffled_rows_give_the_same_bytes(
    traffic: Any, conclude: Any, conclusion_bytes: Any
) -> None:
    world = traffic(seed=7, rows_per_day=300)
    calls = world.table(_growing(0.1))
    order = sorted(range(calls.num_rows), key=lambda row: (row * 7919) % calls.num_rows)
    settings = {"minimum_rows": 100}
    first = conclusion_bytes(conclude(calls, world.window, **settings))
    assert conclusion_bytes(conclude(calls.take(order), world.window, **settings)) == first


def test_short_history_is_inconclusive(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=8, weeks=8)
    concluded = conclude(world.table(_growing(0.5)), world.window)
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


def test_column_that_ends_is_refused(traffic: Any, conclude: Any) -> None:
    def stop(day: int, rows: Columns, rng: Any) -> None:
        rows["intent"] = [None] * len(rows["intent"])

    world = traffic(seed=8)
    row = _feature(conclude(world.table(_last_week(stop)), world.window), "intent")
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


def test_dominant_cluster_is_refused_and_named(traffic: Any, conclude: Any) -> None:
    def crowd(day: int, rows: Columns, rng: Any) -> None:
        for row in range(70):
            rows["user_commitment"][row] = "bot"
            rows["cluster_bucket"][row] = 5

    world = traffic(seed=8)
    concluded = conclude(world.table(_last_week(crowd)), world.window)
    assert concluded.state is State.INCONCLUSIVE
    assert {seen.subject for seen in concluded.observations if seen.fact == "dominant-cluster"} == {
        "bot"
    }


def test_column_of_one_tenant_is_examined_on_its_rows(traffic: Any, conclude: Any) -> None:
    def only(day: int, rows: Columns, rng: Any) -> None:
        tenants = rows["tenant"]
        rows["intent"] = [
            intent if tenant == "tenant-0" else None
            for intent, tenant in zip(rows["intent"], tenants, strict=True)
        ]

    world = traffic(seed=9, rows_per_day=1000)
    concluded = conclude(world.table(only), world.window)
    row = _feature(concluded, "intent")
    assert 2_000 < row["now_rows"] < 2_700
    assert any(said.startswith("intent is on less than half") for said in concluded.not_examined)


def test_missing_values_are_a_level_of_a_common_column(traffic: Any, conclude: Any) -> None:
    def forget(day: int, rows: Columns, rng: Any) -> None:
        share = 0.30 if day >= 84 else 0.10
        rows["language"] = [
            None if rng.random() < share else language for language in rows["language"]
        ]

    world = traffic(seed=9)
    concluded = conclude(world.table(forget), world.window)
    assert ("feature-moved", "language") in _facts(concluded)
    assert {"missing"} <= {row["level"] for row in concluded.tables["levels"]}


def test_column_without_any_value_is_said(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=9)
    concluded = conclude(world.table(), world.window, features=DEFAULT_FEATURES)
    assert any("tool_count" in said for said in concluded.not_examined)


def test_column_that_begins_late_has_its_own_reference_weeks(traffic: Any, conclude: Any) -> None:
    def late(day: int, rows: Columns, rng: Any) -> None:
        _growing(0.10)(day, rows, rng)
        if day < 28:
            rows["unseen_term_ppm"] = [None] * len(rows["intent"])

    world = traffic(seed=9)
    concluded = conclude(world.table(late), world.window)
    assert ("feature-moved", "unseen_term") in _facts(concluded)


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


def test_replaced_attempts_are_not_counted(traffic: Any, stored_calls: Any, conclude: Any) -> None:
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
    assert _feature(concluded, "model_requested")["now_rows"] == 4900
    assert "chat-broken" not in {row["level"] for row in concluded.tables["levels"]}


def test_constant_columns_hold(traffic: Any, conclude: Any) -> None:
    def same(day: int, rows: Columns, rng: Any) -> None:
        rows["language"] = ["en"] * len(rows["language"])
        rows["turns"] = [1] * len(rows["turns"])

    world = traffic(seed=13)
    concluded = conclude(world.table(same), world.window, features=("language", "turns"))
    assert _feature(concluded, "language")["state"] == "holds"
    assert _feature(concluded, "turns")["effect_microbits"] == 0


def test_many_rare_names_are_other_levels(traffic: Any, conclude: Any) -> None:
    def scatter(day: int, rows: Columns, rng: Any) -> None:
        rows["intent"] = [f"free-{rng.integers(0, 100_000)}" for _ in rows["intent"]]

    world = traffic(seed=13)
    concluded = conclude(world.table(scatter), world.window)
    assert _feature(concluded, "intent")["state"] == "holds"


def test_own_column_is_a_feature(traffic: Any, stored_calls: Any, conclude: Any) -> None:
    world = traffic(seed=14)
    columns = world.columns()
    days = columns["window_day"]
    columns["plan"] = ["pro" if day < str(world.window.start) else "trial" for day in days]
    concluded = conclude(stored_calls(columns), world.window, features=("plan",))
    assert ("feature-moved", "plan") in _facts(concluded)


def test_unknown_feature_is_refused(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=14, weeks=1)
    with pytest.raises(ConfigError, match="feature colour"):
        conclude(world.table(), world.window, features=("colour",))


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


def test_shares_of_the_picture_are_whole(traffic: Any, conclude: Any) -> None:
    world = traffic(seed=1)
    picture = conclude(world.table(_growing(0.1)), world.window).picture
    for side in ("reference_ppm", "now_ppm"):
        assert sum(level[side] for level in picture["levels"]) == pytest.approx(PPM, abs=10)
    assert "passkey" in {level["label"] for level in picture["levels"]}


# Two files and no history: real traces.


@pytest.fixture(scope="module")
def real(shared_data: Path, stored_calls: Any) -> Callable[[str], pa.Table]:
    """A real trace as gateway calls, in file order."""

    def read(name: str) -> pa.Table:
        sizes = (
            _azure(shared_data, name) if name in ("conv", "code") else _mooncake(shared_data, name)
        )
        rows = range(len(sizes))
        return stored_calls(
            {
                "call_id": [str(row) for row in rows],
                "request_id": [str(row) for row in rows],
                "started_at": [row // 7 for row in rows],
                "window_day": ["1970-01-01"] * len(sizes),
                "in_uncached": [size[0] for size in sizes],
                "out_visible": [size[1] for size in sizes],
            }
        )

    return read


def _azure(folder: Path, name: str) -> list[tuple[int, int]]:
    file = folder / "azure_llm_2023" / f"AzureLLMInferenceTrace_{name}.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return [(int(r["ContextTokens"]), int(r["GeneratedTokens"])) for r in csv.DictReader(lines)]


def _mooncake(folder: Path, name: str) -> list[tuple[int, int]]:
    lines = (folder / "mooncake_traces" / f"{name}_trace.jsonl").read_text("utf-8").splitlines()
    return [(row["input_length"], row["output_length"]) for row in map(json.loads, lines)]


def _halves(calls: pa.Table) -> tuple[pa.Table, pa.Table]:
    half = calls.num_rows // 2
    return calls.slice(half), calls.slice(0, half)


def test_burst_inside_a_trace_is_no_drift(real: Any, two_files: Any) -> None:
    concluded = two_files.holding(*_halves(real("conv"))).conclude(InputDrift())
    row = _feature(concluded, "prompt_tokens")
    assert row["state"] == "holds"
    assert row["p_bootstrap_ppm"] == pytest.approx(104_000, abs=40_000)
    assert _feature(concluded, "output_tokens")["p_bootstrap_ppm"] == pytest.approx(
        14_000, abs=14_000
    )
    assert concluded.grade.value == "two samples, no history"


def test_textbook_distances_of_a_trace_are_in_the_tables(real: Any, two_files: Any) -> None:
    concluded = two_files.holding(*_halves(real("conv"))).conclude(InputDrift())
    rows = {(r["feature"], r["bins"]): r for r in concluded.tables["distances"]}
    octave, decile = rows["prompt_tokens", "octave"], rows["prompt_tokens", "decile"]
    assert octave["js_microbits"] == pytest.approx(9_032, abs=1)
    assert octave["psi_ppm"] == pytest.approx(50_440, abs=1)
    assert octave["expected_js_microbits"] == pytest.approx(410, abs=1)
    assert decile["psi_ppm"] == pytest.approx(133_729, abs=1)
    assert decile["js_microbits"] == pytest.approx(23_880, abs=1)
    assert octave["ks_ppm"] == pytest.approx(82_619, abs=1)


@pytest.mark.parametrize("name", ["code", "conversation"])
def test_quiet_traces_hold(real: Any, two_files: Any, name: str) -> None:
    concluded = two_files.holding(*_halves(real(name))).conclude(InputDrift())
    if name == "code":
        assert concluded.state is State.SATISFIED
    assert _feature(concluded, "output_tokens")["state"] != "moved"


def test_shifted_trace_is_drift(real: Any, two_files: Any) -> None:
    concluded = two_files.holding(*_halves(real("synthetic"))).conclude(InputDrift())
    assert _facts(concluded) == {
        ("feature-moved", "prompt_tokens"),
        ("feature-moved", "output_tokens"),
    }


def test_other_trace_is_drift_even_with_one_extreme_row(real: Any, two_files: Any) -> None:
    now = real("code")
    sizes = now["in_uncached"].to_pylist()
    column = now.schema.get_field_index("in_uncached")
    extreme = now.set_column(column, "in_uncached", pa.array([2_000_000, *sizes[1:]]))
    for table in (now, extreme):
        concluded = two_files.holding(table, real("conv")).conclude(InputDrift())
        assert concluded.state is State.NOT_SATISFIED
        assert _feature(concluded, "prompt_tokens")["state"] == "moved"
        assert _feature(concluded, "output_tokens")["state"] == "moved"
    assert any(seen.fact == "extreme-value" for seen in concluded.observations)


def test_two_short_files_are_inconclusive(real: Any, two_files: Any) -> None:
    concluded = two_files.holding(*_halves(real("code").slice(0, 800))).conclude(InputDrift())
    assert concluded.state is State.INCONCLUSIVE
    assert "400 and 400 rows, 500 are needed" in concluded.reason


def test_own_columns_of_two_files_are_features(
    traffic: Any, stored_calls: Any, two_files: Any
) -> None:
    world = traffic(seed=16, weeks=2)
    columns = world.columns()
    half = len(columns["call_id"]) // 2
    columns["channel"] = ["web"] * half + ["phone"] * half
    now, reference = _halves(stored_calls(columns))
    concluded = two_files.holding(now, reference).conclude(InputDrift())
    assert ("feature-moved", "channel") in _facts(concluded)
