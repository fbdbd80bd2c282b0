"""What the DAG files share: assets, forms, defaults, and how a task opens the installation."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, BaseHook, Param

from countersign import config as settings
from countersign import controls
from countersign.errors import ConfigError
from countersign.model import Window
from countersign.pipeline.window import decide
from countersign.registry import plugin_ids

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


def form(**more: Param) -> dict[str, Param]:
    """The trigger form: the window, and what the DAG adds."""
    day = {"type": ["null", "string"], "format": "date"}
    return {
        "start": Param(
            None, **day, title="First day",
            description="UTC. Leave both days empty for the last complete day or week.",
        ),
        "end": Param(
            None, **day, title="Day after the last",
            description="Not part of the window: one week is Monday to the next Monday.",
        ),
        **more,
    }  # fmt: skip


def choices(what: str, known: Sequence[str]) -> Param:
    """A multi-select; nothing chosen means all."""
    return Param(
        [], type=["null", "array"], items={"type": "string"}, examples=sorted(known), title=what,
        description="Nothing chosen: all.",
    )  # fmt: skip


def source_ids() -> Sequence[str]:
    """The configured sources; none where nothing is configured yet, so that the DAGs still load."""
    try:
        return tuple(settings.load(settings.find(None)).sources)
    except ConfigError:
        return ()


def control_ids() -> Sequence[str]:
    """Every control, found without importing one: Airflow parses DAG files often."""
    return plugin_ids(controls)


def workspace() -> Any:
    """The installation, with credentials from Airflow connections; imported inside tasks only."""
    from countersign.pipeline.workspace import open_workspace

    return open_workspace(secret=credential, progress=logging.getLogger("countersign").info)


def credential(reference: str) -> str:
    """The secret behind `airflow:CONNECTION_ID` (its password) or `env:NAME`."""
    scheme, _, name = reference.partition(":")
    if scheme != "airflow":
        return settings.secret(reference)
    return str(BaseHook.get_connection(name).password)


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
