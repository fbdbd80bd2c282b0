"""What the DAG files share: assets, defaults, and which window a run is about."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset

from countersign.model import Window
from countersign.pipeline.window import decide

DAY_CLOSED = Asset(name="countersign_day_closed", uri="x-countersign://day/closed")
FINDINGS = Asset(name="countersign_findings", uri="x-countersign://window/findings")
UNSIGNED = Asset(name="countersign_unsigned_packet", uri="x-countersign://packet/unsigned")
PUBLISHED = Asset(name="countersign_packet", uri="x-countersign://packet/published")

DEFAULTS = {
    "owner": "countersign",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}
COMMON: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "default_args": DEFAULTS,
    "tags": ["countersign"],
}


def window_of(context: Mapping[str, Any], days: int) -> Window:
    """The window of this run; an upstream asset event says it where one triggered the run."""
    for events in (context.get("triggering_asset_events") or {}).values():
        for event in events:
            if "window" in (event.extra or {}):
                return Window.parse(event.extra["window"])
    run = context["dag_run"]
    return decide(
        form=context["params"],
        partition=getattr(run, "partition_date", None),
        interval=(context.get("data_interval_start"), context.get("data_interval_end")),
        created=run.run_after,
        days=days,
    )
