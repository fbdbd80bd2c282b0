"""### Assess: what each control concludes about a week

Runs when the seven days of an ISO week are closed. One task per control states its claim,
compares at least two independent records, and writes a finding: satisfied, not satisfied, or
inconclusive with the reason. A control that crashes fails only its own task; its page says so.
Then the findings are sealed in the append-only log.
"""

from airflow.sdk import (
    PartitionedAssetTimetable,
    RollupMapper,
    StartOfWeekMapper,
    WeekWindow,
    dag,
    get_current_context,
)

from countersign_edge import step, workspace
from countersign_form import choices, control_ids, form
from countersign_wiring import COMMON, DAY_CLOSED, FINDINGS, window_of

WEEK = RollupMapper(upstream_mapper=StartOfWeekMapper(), window=WeekWindow())


@dag(
    schedule=PartitionedAssetTimetable(
        assets=DAY_CLOSED, partition_mapper_config={DAY_CLOSED: WEEK}
    ),
    doc_md=__doc__,
    params=form(controls=choices("Controls", control_ids())),
    **COMMON,
)
def countersign_assess() -> None:
    """Lake -> findings, one week."""

    @step()
    def controls() -> list[str]:
        """The controls of this run."""
        ws, asked = workspace(), get_current_context()["params"]["controls"]
        return ws.chosen(ws.controls, asked or (), "control")

    @step(map_index_template="{{ control_name }}", retries=0)
    def assess(control: str) -> str:
        """One control's finding."""
        from countersign.pipeline import assess as verb

        context = get_current_context()
        context["control_name"] = control
        return verb.assess_one(workspace(), window_of(context, 7), control).sentence

    @step(trigger_rule="all_done", outlets=[FINDINGS])
    def seal(*, outlet_events=None) -> str:  # type: ignore[no-untyped-def]
        """Append the findings and the hourly manifests to the log."""
        from countersign.pipeline import seal as verb

        window = window_of(get_current_context(), 7)
        sealed = verb.seal(workspace(), window)
        outlet_events[FINDINGS].extra = {"window": str(window), "log_size": sealed.size}
        return sealed.sentence

    assess.expand(control=controls()) >> seal()


countersign_assess()
