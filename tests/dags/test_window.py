"""Which window a run is about, in the order of what says so."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from countersign.errors import ConfigError
from countersign.model import Window

pytestmark = pytest.mark.platform

EMPTY = {"start": None, "end": None}
SUNDAY_NIGHT = datetime(2026, 11, 15, 23, 59, tzinfo=UTC)


def context(**more: Any) -> dict[str, Any]:
    """What Airflow hands to a task, as far as the window is concerned."""
    run = SimpleNamespace(run_after=SUNDAY_NIGHT, partition_date=more.pop("partition", None))
    return {"params": EMPTY, "dag_run": run, **more}


def window_of(given: dict[str, Any], days: int) -> Window:
    window: Window = pytest.importorskip("countersign_wiring").window_of(given, days)
    return window


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_form_comes_before_the_schedule() -> None:
    given = context(
        params={"start": "2026-11-02", "end": "2026-11-04"},
        partition=at("2026-10-01"),
        data_interval_start=at("2026-10-01"),
        data_interval_end=at("2026-10-02"),
    )
    assert str(window_of(given, 1)) == "2026-11-02/2026-11-04"


def test_half_a_form_is_refused() -> None:
    with pytest.raises(ConfigError, match="start and end, or neither"):
        window_of(context(params={"start": "2026-11-02", "end": None}), 7)


def test_a_form_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ConfigError, match="an end after the start"):
        window_of(context(params={"start": "2026-11-09", "end": "2026-11-02"}), 7)


@pytest.mark.parametrize(
    ("days", "window"), [(1, "2026-11-02/2026-11-03"), (7, "2026-11-02/2026-11-09")]
)
def test_a_partition_is_the_first_day(days: int, window: str) -> None:
    assert str(window_of(context(partition=at("2026-11-02")), days)) == window


def test_a_partition_that_is_no_midnight_is_refused() -> None:
    with pytest.raises(ConfigError, match="whole UTC days"):
        window_of(context(partition=at("2026-11-02T06:00:00")), 7)


def test_a_data_interval_is_taken_as_it_is() -> None:
    given = context(data_interval_start=at("2026-11-02"), data_interval_end=at("2026-11-09"))
    assert str(window_of(given, 7)) == "2026-11-02/2026-11-09"


def test_an_upstream_event_says_its_window() -> None:
    event = SimpleNamespace(extra={"window": "2026-10-19/2026-10-26", "sha256": "0" * 64})
    given = context(triggering_asset_events={"countersign_findings": [event]})
    assert window_of(given, 7) == Window(date(2026, 10, 19), date(2026, 10, 26))


def test_an_upstream_event_without_a_window_decides_nothing() -> None:
    """Seven closed days start an assessment; the partition says which week."""
    event = SimpleNamespace(extra={"day": "2026-11-08/2026-11-09", "gaps": []})
    given = context(
        triggering_asset_events={"countersign_day_closed": [event]}, partition=at("2026-11-02")
    )
    assert str(window_of(given, 7)) == "2026-11-02/2026-11-09"


@pytest.mark.parametrize(
    ("days", "window"), [(1, "2026-11-14/2026-11-15"), (7, "2026-11-02/2026-11-09")]
)
def test_otherwise_the_last_complete_one_before_the_run_was_created(days: int, window: str) -> None:
    assert str(window_of(context(), days)) == window


def test_the_nightly_run_is_about_the_day_that_ended(dags: Any) -> None:
    encoders = pytest.importorskip("airflow.serialization.encoders")
    base = pytest.importorskip("airflow.timetables.base")
    timetable = encoders.coerce_to_core_timetable(dags.known["countersign_collect"].timetable)
    info = timetable.next_dagrun_info_v2(
        last_dagrun_info=None,
        restriction=base.TimeRestriction(at("2026-11-09"), at("2026-11-10"), catchup=True),
    )
    assert info.partition_date == at("2026-11-08")
