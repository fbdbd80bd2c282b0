"""Two files and no history: real traces."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from countersign.controls.input_drift import InputDrift
from countersign.model import State


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


def halves(calls: pa.Table) -> tuple[pa.Table, pa.Table]:
    half = calls.num_rows // 2
    return calls.slice(half), calls.slice(0, half)


def test_burst_inside_a_trace_is_no_drift(feature: Any, real: Any, two_files: Any) -> None:
    concluded = two_files.holding(*halves(real("conv"))).conclude(InputDrift())
    row = feature(concluded, "prompt_tokens")
    assert row["state"] == "holds"
    assert row["p_bootstrap_ppm"] == pytest.approx(104_000, abs=40_000)
    assert feature(concluded, "output_tokens")["p_bootstrap_ppm"] == pytest.approx(
        14_000, abs=14_000
    )
    assert concluded.grade.value == "two samples, no history"


def test_textbook_distances_of_a_trace_are_in_the_tables(real: Any, two_files: Any) -> None:
    concluded = two_files.holding(*halves(real("conv"))).conclude(InputDrift())
    rows = {(r["feature"], r["bins"]): r for r in concluded.tables["distances"]}
    octave, decile = rows["prompt_tokens", "octave"], rows["prompt_tokens", "decile"]
    assert octave["js_microbits"] == pytest.approx(9_032, abs=1)
    assert octave["psi_ppm"] == pytest.approx(50_440, abs=1)
    assert octave["expected_js_microbits"] == pytest.approx(410, abs=1)
    assert decile["psi_ppm"] == pytest.approx(133_729, abs=1)
    assert decile["js_microbits"] == pytest.approx(23_880, abs=1)
    assert octave["ks_ppm"] == pytest.approx(82_619, abs=1)


@pytest.mark.parametrize("name", ["code", "conversation"])
def test_quiet_traces_hold(feature: Any, real: Any, two_files: Any, name: str) -> None:
    concluded = two_files.holding(*halves(real(name))).conclude(InputDrift())
    if name == "code":
        assert concluded.state is State.SATISFIED
    assert feature(concluded, "output_tokens")["state"] != "moved"


def test_shifted_trace_is_drift(facts: Any, real: Any, two_files: Any) -> None:
    concluded = two_files.holding(*halves(real("synthetic"))).conclude(InputDrift())
    assert facts(concluded) == {
        ("feature-moved", "prompt_tokens"),
        ("feature-moved", "output_tokens"),
    }


def test_other_trace_is_drift_even_with_one_extreme_row(
    feature: Any, real: Any, two_files: Any
) -> None:
    now = real("code")
    sizes = now["in_uncached"].to_pylist()
    column = now.schema.get_field_index("in_uncached")
    extreme = now.set_column(column, "in_uncached", pa.array([2_000_000, *sizes[1:]]))
    for table in (now, extreme):
        concluded = two_files.holding(table, real("conv")).conclude(InputDrift())
        assert concluded.state is State.NOT_SATISFIED
        assert feature(concluded, "prompt_tokens")["state"] == "moved"
        assert feature(concluded, "output_tokens")["state"] == "moved"
    assert any(seen.fact == "extreme-value" for seen in concluded.observations)


def test_two_short_files_are_inconclusive(real: Any, two_files: Any) -> None:
    concluded = two_files.holding(*halves(real("code").slice(0, 800))).conclude(InputDrift())
    assert concluded.state is State.INCONCLUSIVE
    assert "400 and 400 rows, 500 are needed" in concluded.reason


def test_own_columns_of_two_files_are_features(
    facts: Any, traffic: Any, stored_calls: Any, two_files: Any
) -> None:
    world = traffic(seed=16, weeks=2)
    columns = world.columns()
    half = len(columns["call_id"]) // 2
    columns["channel"] = ["web"] * half + ["phone"] * half
    now, reference = halves(stored_calls(columns))
    concluded = two_files.holding(now, reference).conclude(InputDrift())
    assert ("feature-moved", "channel") in facts(concluded)
