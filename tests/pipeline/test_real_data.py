"""Real traces and exported folders, without a world and without a server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

AZURE = ("--map", "ContextTokens=in_uncached", "--map", "GeneratedTokens=out_visible")
KNOWN = {
    # (feature, bins): JS, PSI and KS of Azure 2023 conversation -> code, as measured elsewhere
    ("prompt_tokens", "octave"): (115_485, 689_783, 346_024),
    ("prompt_tokens", "decile"): (149_317, 925_049, 346_024),
    ("output_tokens", "octave"): (619_927, 5_229_001, 809_686),
    ("output_tokens", "decile"): (552_894, 4_083_463, 809_686),
}
Drift = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def drift(countersign: Callable[..., Any]) -> Drift:
    """`countersign assess` of input drift between two files."""

    def assess(now: Path, reference: Path, *words: str) -> tuple[int, dict[str, Any]]:
        said = countersign(
            *("assess", "--only", "input-drift", "--table", f"gateway_call={now}"),
            *("--reference", str(reference), "--json", *words),
        )
        return said.code, json.loads(said.out)

    return assess


@pytest.fixture
def azure(shared_data: Path) -> Path:
    return shared_data / "azure_llm_2023"


def halves(file: Path, folder: Path) -> tuple[Path, Path]:
    """Two files: rows [0, n//2) and the rest, each under the header where there is one."""
    lines = file.read_text("utf-8").splitlines(keepends=True)
    header = [] if file.suffix == ".jsonl" else [lines.pop(0)]
    middle = len(lines) // 2
    parts = (folder / f"first{file.suffix}", folder / f"second{file.suffix}")
    for part, rows in zip(parts, (lines[:middle], lines[middle:]), strict=True):
        part.write_text("".join([*header, *rows]), "utf-8")
    return parts


def test_conversations_and_code_differ_by_the_published_distances(
    drift: Drift, azure: Path
) -> None:
    code, said = drift(
        azure / "AzureLLMInferenceTrace_code.csv",
        azure / "AzureLLMInferenceTrace_conv.csv",
        *("--time", "TIMESTAMP", *AZURE),
    )
    assert (code, said["state"]) == (1, "not-satisfied")
    distances = {(row["feature"], row["bins"]): row for row in said["tables"]["distances"]}
    for key, expected in KNOWN.items():
        row = distances[key]
        assert (row["js_microbits"], row["psi_ppm"], row["ks_ppm"]) == expected, key
    moved = {o["subject"] for o in said["observations"] if o["fact"] == "feature-moved"}
    assert moved == {"prompt_tokens", "output_tokens"}


def test_a_burst_within_an_hour_of_conversations_is_no_drift_of_input(
    drift: Drift, azure: Path, tmp_path: Path
) -> None:
    """Row by row the halves differ with p = 0; by blocks of time the input does not."""
    first, second = halves(azure / "AzureLLMInferenceTrace_conv.csv", tmp_path)
    for file in (first, second):
        rows = [line.split(",")[:2] for line in file.read_text("utf-8").splitlines()]
        file.write_text("".join(",".join(row) + "\n" for row in rows), "utf-8")
    code, said = drift(second, first, "--time", "TIMESTAMP", "--map", "ContextTokens=in_uncached")
    assert (code, said["state"]) == (0, "satisfied")
    (row,) = said["tables"]["features"]
    assert 50_000 < row["p_feature_ppm"] < 160_000  # .104 with 500 permutations of 40 blocks
    (octave,) = [r for r in said["tables"]["distances"] if r["bins"] == "octave"]
    assert (octave["js_microbits"], octave["psi_ppm"], octave["ks_ppm"]) == (9_032, 50_440, 82_619)


def test_output_of_the_same_hour_moved_by_blocks_too(
    drift: Drift, azure: Path, tmp_path: Path
) -> None:
    first, second = halves(azure / "AzureLLMInferenceTrace_conv.csv", tmp_path)
    code, said = drift(second, first, "--time", "TIMESTAMP", *AZURE)
    states = {row["feature"]: row["state"] for row in said["tables"]["features"]}
    assert (code, states) == (1, {"prompt_tokens": "holds", "output_tokens": "moved"})


def test_halves_of_the_code_trace_do_not_differ(drift: Drift, azure: Path, tmp_path: Path) -> None:
    first, second = halves(azure / "AzureLLMInferenceTrace_code.csv", tmp_path)
    code, said = drift(second, first, "--time", "TIMESTAMP", *AZURE)
    assert (code, said["state"]) == (0, "satisfied")


def test_halves_of_a_trace_that_was_glued_together_differ(
    drift: Drift, shared_data: Path, tmp_path: Path
) -> None:
    (trace,) = (shared_data / "mooncake_traces").glob("*synthetic*.jsonl")
    first, second = halves(trace, tmp_path)
    words = ("--map", "input_length=in_uncached", "--map", "output_length=out_visible")
    code, said = drift(second, first, *words)
    assert (code, said["state"]) == (1, "not-satisfied")
    (row,) = [
        r for r in said["tables"]["distances"]
        if (r["feature"], r["bins"]) == ("prompt_tokens", "octave")
    ]  # fmt: skip
    assert row["js_microbits"] == 86_499


def test_one_extreme_row_changes_no_verdict_and_is_reported(
    drift: Drift, azure: Path, tmp_path: Path
) -> None:
    original = (azure / "AzureLLMInferenceTrace_code.csv").read_text("utf-8").splitlines()
    when, _, generated = original[4_000].split(",")
    original[4_000] = f"{when},2000000,{generated}"
    spoilt = tmp_path / "code.csv"
    spoilt.write_text("\n".join(original) + "\n", "utf-8")
    code, said = drift(
        spoilt, azure / "AzureLLMInferenceTrace_conv.csv", "--time", "TIMESTAMP", *AZURE
    )
    assert (code, said["state"]) == (1, "not-satisfied")
    assert "extreme-value" in {o["fact"] for o in said["observations"]}


def test_a_run_over_exported_folders_needs_no_server(
    calm: Any, countersign: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = calm.copy(tmp_path / "site", "traffic", "books", "truth.json", "world.json")
    site.read_files()
    for name in ("LITELLM_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_ADMIN_KEY", "BEACON_KEY"):
        monkeypatch.delenv(f"COUNTERSIGN_{name}", raising=False)
    words = ("--window", str(site.week), "--config", str(site.config))
    said = countersign("run", *words, "--approved-by", "Ada Byron", "--json")
    assert said.code == 0, said.err[-2_000:]
    document = json.loads(said.out)
    states = {finding["control"]: finding["state"] for finding in document["findings"]}
    assert states["token-reconciliation"] == "satisfied"
    assert states["data-residency"] == "satisfied"
    assert document["not_run"] == []
    key = str(site.folder / "out" / "log.vkey")
    published = [file for file in document["files"] if file.endswith((".pdf", ".zip"))]
    assert len(published) == 2
    assert countersign("verify", *published, "--key", key).code == 0
