"""### Packet: the findings of a window as one PDF, not yet signed

Runs when a window's findings are sealed. Renders the packet, checks its structure, and keeps it
until a person approves it (`countersign_publish`).
"""

from airflow.sdk import dag, get_current_context

from countersign_edge import step, workspace
from countersign_form import form
from countersign_wiring import COMMON, FINDINGS, UNSIGNED, window_of


@dag(schedule=[FINDINGS], doc_md=__doc__, params=form(), **COMMON)
def countersign_packet() -> None:
    """Findings -> unsigned PDF."""

    @step()
    def render() -> str:
        """Findings and proofs to a deterministic PDF/A."""
        from countersign.pipeline import render as verb

        return verb.render(workspace(), window_of(get_current_context(), 7)).sentence

    @step(outlets=[UNSIGNED])
    def check(*, outlet_events=None) -> str:  # type: ignore[no-untyped-def]
        """The file that was written is the one that was rendered, and is sound."""
        from countersign.pipeline import render as verb

        window = window_of(get_current_context(), 7)
        rendered = verb.check(workspace(), window)
        outlet_events[UNSIGNED].extra = {"window": str(window), "sha256": rendered.digest}
        return rendered.sentence

    render() >> check()


countersign_packet()
