"""### Collect: keep what every source said about a day

Runs each night for the day that ended. One task per source fetches its pages and keeps them
verbatim, hashed and logged, before anything is parsed. Days that a source may still revise are
read again. One task then admits rows as evidence; refused rows go to quarantine with the reason.
A source that is down fails its own task and nothing else: the day is closed and says so.
"""

from airflow.sdk import CronPartitionTimetable, dag, get_current_context

from countersign_edge import step, workspace
from countersign_form import choices, form, source_ids
from countersign_wiring import COMMON, DAY_CLOSED, window_of


@dag(
    schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1),
    doc_md=__doc__,
    params=form(sources=choices("Sources", source_ids())),
    **COMMON,
)
def countersign_collect() -> None:
    """Sources -> lake, one day."""

    @step()
    def sources() -> list[str]:
        """The sources of this run."""
        ws, asked = workspace(), get_current_context()["params"]["sources"]
        return ws.chosen(ws.config.sources, asked or (), "source")

    @step(map_index_template="{{ source_name }}")
    def collect(source: str) -> str:
        """Fetch one source's pages, keep them verbatim, log their digests."""
        from countersign.pipeline import collect as verb

        context = get_current_context()
        context["source_name"] = source
        return verb.collect_one(workspace(), window_of(context, 1), source, reread=True).sentence

    @step(trigger_rule="all_done")
    def admit() -> str:
        """Parse what changed; admit rows or quarantine them with every reason."""
        from countersign.pipeline import admit as verb

        return verb.admit(workspace()).sentence

    @step(trigger_rule="all_done", outlets=[DAY_CLOSED], retries=0)
    def close(*, outlet_events=None) -> str:  # type: ignore[no-untyped-def]
        """Say which sources failed or are late; the day is closed all the same."""
        from countersign.pipeline import collect as verb

        window = window_of(get_current_context(), 1)
        closed = verb.close(workspace(), window)
        outlet_events[DAY_CLOSED].extra = {"day": str(window), "gaps": list(closed.gaps)}
        return closed.sentence

    collect.expand(source=sources()) >> admit() >> close()


countersign_collect()
