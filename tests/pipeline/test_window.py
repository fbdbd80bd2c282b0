"""One rule decides the window of a run, whatever started it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from countersign.errors import ConfigError
from countersign.model import Window
from countersign.pipeline.window import decide

CREATED = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
NOTHING = {"form": {}, "partition": None, "interval": (None, None), "created": CREATED}


def test_the_form_comes_before_everything():
    window = decide(
        **{**NOTHING, "form": {"start": "2026-01-05", "end": "2026-01-12"}, "partition": CREATED},
        days=7,
    )
    assert str(window) == "2026-01-05/2026-01-12"


def test_half_a_form_is_refused():
    with pytest.raises(ConfigError, match="start and end, or neither"):
        decide(**{**NOTHING, "form": {"start": "2026-01-05", "end": None}}, days=7)


def test_a_partition_is_the_first_day():
    monday = datetime(2026, 11, 16, tzinfo=UTC)
    assert str(decide(**{**NOTHING, "partition": monday}, days=7)) == "2026-11-16/2026-11-23"
    assert str(decide(**{**NOTHING, "partition": monday}, days=1)) == "2026-11-16/2026-11-17"


def test_a_data_interval_must_be_whole_days():
    start = datetime(2026, 11, 16, tzinfo=UTC)
    whole = (start, start + timedelta(days=7))
    assert str(decide(**{**NOTHING, "interval": whole}, days=7)) == "2026-11-16/2026-11-23"
    with pytest.raises(ConfigError, match="whole UTC days"):
        decide(**{**NOTHING, "interval": (start, start + timedelta(hours=150))}, days=7)


def test_berlin_midnight_is_not_a_utc_day():
    berlin = datetime(2026, 11, 16, tzinfo=timezone(timedelta(hours=1)))
    with pytest.raises(ConfigError, match="whole UTC days"):
        decide(**{**NOTHING, "partition": berlin}, days=7)


def test_a_manual_run_takes_the_last_complete_week_before_it_was_created():
    assert decide(**NOTHING, days=7).label == "2026-W47"
    assert str(decide(**NOTHING, days=1)) == "2026-11-22/2026-11-23"
    sunday_night = {**NOTHING, "created": datetime(2026, 11, 22, 23, 59, tzinfo=UTC)}
    assert decide(**sunday_night, days=7).label == "2026-W46"


@pytest.mark.parametrize("created", ["2026-12-31", "2027-01-01", "2027-01-03", "2027-01-04"])
def test_the_year_end_has_no_gap(created):
    moment = datetime.fromisoformat(created).replace(tzinfo=UTC)
    window = decide(**{**NOTHING, "created": moment}, days=7)
    assert window.start.weekday() == 0
    assert window.end <= moment.date() < window.end + timedelta(days=7)


def test_the_clock_change_does_not_move_days():
    october = Window.parse("2026-10-19/2026-10-26")  # summer time ends in Europe on the 25th
    assert len(list(october.days())) == 7
    assert october.end_us - october.start_us == 7 * 86_400 * 1_000_000


@pytest.mark.parametrize(
    "text", ["2026-11-09", "2026-11-09/2026-11-09", "x/y", "2026-11-16/2026-11-09"]
)
def test_what_is_no_window_is_refused(text):
    with pytest.raises(ConfigError):
        Window.parse(text)
