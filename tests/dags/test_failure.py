"""What fails stays where it failed: the day is closed, the packet comes, both name the gap."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import demo_airflow
import pytest

from countersign.model import Window
from countersign.pipeline import assess, publish
from countersign.pipeline.collect import close

pytestmark = pytest.mark.platform

DAY = Window.parse("2026-11-02/2026-11-03")
LAST = Window.parse("2026-11-02/2026-11-09")
FAULTS = {"down": "unreachable", "unauthorized": "credential refused"}
States = Callable[[Any], dict[str, str]]


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_source_that_fails_fails_its_own_task_and_the_day_is_closed(
    fault: str, built: Any, dags: demo_airflow.Dags, states: States, tmp_path: Path
) -> None:
    installation = built.copy(tmp_path / "copy")
    chosen = ["litellm", "openai-usage", "prices"]
    with installation.used(), installation.served(openai_usage=fault):
        run = dags.attempt("countersign_collect", DAY, sources=chosen)
    assert states(run) == {
        "sources": "success", "litellm": "success", "openai-usage": "failed", "prices": "success",
        "admit": "success", "close": "success",
    }  # fmt: skip
    gaps = close(installation.open(), DAY).gaps
    assert [g for g in gaps if not g.endswith("never collected")] == [
        f"openai-usage 2026-11-02: {FAULTS[fault]}"
    ]


def test_a_control_that_crashes_fails_its_own_task_and_the_packet_says_not_run(
    collected: tuple[Any, Any], dags: demo_airflow.Dags, states: States, tmp_path: Path
) -> None:
    installation = collected[0].copy(tmp_path / "copy")
    for file in (installation.folder / "lake" / "tables" / "provider_usage").rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-64])  # the footer is gone
    with installation.used():
        run = dags.attempt("countersign_assess", LAST)
        packet = dags.attempt("countersign_packet", LAST)
    assert states(run) == {
        "controls": "success", "data-residency": "success", "input-drift": "success",
        "token-reconciliation": "failed", "seal": "success",
    }  # fmt: skip
    assert packet.state == "success"
    ws = installation.open()
    assert assess.findings(ws).not_run(LAST, "token-reconciliation") is not None
    facts = publish.question(ws, LAST).facts
    (row,) = [line for line in facts.splitlines() if line.startswith("| Token reconciliation")]
    assert row.split("|")[2].strip() == "Not run"
