"""Run: every verb in order over one window, without Airflow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from countersign.model import Window, rfc3339
from countersign.pipeline import admit, assess, collect, publish, render, seal, sign
from countersign.pipeline.assess import Assessed
from countersign.pipeline.collect import Collected
from countersign.pipeline.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did and where it left it."""

    window: Window
    collected: list[Collected]
    assessed: list[Assessed]
    files: tuple[Path, ...]

    @property
    def table(self) -> str:
        """The findings, a line each, and the files."""
        lines = [f"Findings, {self.window}"]
        for a in self.assessed:
            state = a.kept.finding["state"] if a.kept else "not-run"
            reason = a.kept.finding["reason"] if a.kept else a.sentence
            lines.append(f"  {a.control:<22} {state:<14} {reason}")
        return "\n".join([*lines, "Files", *(f"  {file}" for file in self.files)])

    @property
    def document(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "window": str(self.window),
            "findings": [a.kept.finding for a in self.assessed if a.kept],
            "not_run": [a.control for a in self.assessed if a.kept is None],
            "failed_sources": sorted({c.source for c in self.collected if c.failed}),
            "files": [str(file) for file in self.files],
        }


def run(ws: Workspace, window: Window, *, approved_by: str = "") -> Run:
    """Collect with the history that controls declare, then every verb to the packet.

    Without an approver the packet stays unsigned: a machine does not approve by itself.
    """
    weeks = max((control.history_weeks for control in ws.controls.values()), default=0)
    collected = collect.collect(ws, window.with_history(weeks))
    admit.admit(ws)
    assessed = assess.assess(ws, window)
    ws.progress(seal.seal(ws, window).sentence)
    render.render(ws, window)
    unsigned = render.check(ws, window)
    ws.progress(unsigned.sentence)
    if not approved_by:
        return Run(window, collected, assessed, (unsigned.file,))
    approval = sign.Approval(approved_by, rfc3339(ws.now_us()))
    ws.progress(sign.sign(ws, window, approval).sentence)
    published = publish.publish(ws, window)
    ws.progress(published.sentence)
    return Run(window, collected, assessed, published.files)
