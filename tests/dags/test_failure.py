"""What fails stays where it failed: the day is closed, the packet comes, both name the gap."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import demo_airflow
import pytest

from countersign import world
from countersign.model import Window
from countersign.pipeline import assess, publish
from countersign.pipeline.collect import close

pytestmark = pytest.mark.platform

DAY = Window.parse("2026-11-02/2026-11-03")
LAST = Window.parse("2026-11-02/2026-11-09")
States = Callable[[Any], dict[str, str]]


@pytest.mark.parametrize("fault", ["down", "unauthorized"])
def test_a_source_that_fails_fails_its_own_task_and_the_day_is_closed(
    fault: str, built: Any, dags: demo_airflow.Dags, states: States, tmp_path: Path
) -> None:
    installation = built.copy(tmp_path / "copy")
    port = demo_airflow.free_port()
    installation.move_to(port)
    faults = {"openai-usage": fault}
    with installation.used(), world.serve(installation.folder, port, faults=faults):
        run = dags.attempt("countersign_collect", DAY)
    assert {task for task, state in states(run).items() if state != "success"} == {"openai-usage"}
    gaps = close(installation.open(), DAY).gaps
    (gap,) = [gap for gap in gaps if "2026-11-02" in gap]
    assert gap.startswith("openai-usage 2026-11-02: ")


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
