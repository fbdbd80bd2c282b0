"""The trigger forms of the DAGs: their fields, and what there is to choose from."""

from collections.abc import Sequence

from airflow.sdk import Param

from countersign import config as settings
from countersign import controls
from countersign.errors import ConfigError
from countersign.registry import plugin_ids


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
