"""Real traces, and worlds in which nothing changed."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

Trace = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@pytest.fixture(scope="session")
def trace(shared_data: Path) -> Callable[[str], Trace]:
    """Input and output tokens of a real trace, in file order (which is time order)."""

    def read(name: str) -> Trace:
        return (_azure if name in ("conv", "code") else _mooncake)(shared_data, name)

    return read


def _azure(folder: Path, name: str) -> Trace:
    file = folder / "azure_llm_2023" / f"AzureLLMInferenceTrace_{name}.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [(int(r["ContextTokens"]), int(r["GeneratedTokens"])) for r in csv.DictReader(lines)]
    return tuple(np.array(rows, dtype=np.int64).T)


def _mooncake(folder: Path, name: str) -> Trace:
    file = folder / "mooncake_traces" / f"{name}_trace.jsonl"
    lines = map(json.loads, file.read_text("utf-8").splitlines())
    rows = [(line["input_length"], line["output_length"]) for line in lines]
    return tuple(np.array(rows, dtype=np.int64).T)
