from datetime import date
from pathlib import Path

import pytest

from countersign.errors import ConfigError
from countersign.world.scenario import Scenario, Weather, day_of, read


def test_the_quiet_scenario_plants_nothing() -> None:
    assert read(Path("quiet")) == Scenario(name="quiet", weather=Weather())


def test_the_demonstration_plants_every_fault() -> None:
    demo = read(None)
    faults = (demo.stops, demo.broken_streams, demo.retries, demo.double_logged,
              demo.unlogged_key, demo.failover, demo.new_intent)  # fmt: skip
    assert all(fault is not None for fault in faults)


@pytest.mark.parametrize(
    ("day", "expected"),
    [(0, date(2026, 9, 7)), (3, date(2026, 9, 10)), (-7, date(2026, 9, 14)),
     ("2026-09-09", date(2026, 9, 9)), (date(2026, 9, 8), date(2026, 9, 8))],
)  # fmt: skip
def test_days_count_from_the_start_or_the_end(day: int | str | date, expected: date) -> None:
    assert day_of(day, date(2026, 9, 7), 14) == expected


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[earthquakes]\nsize = 7", "earthquakes"),
        ("[double_logged]\nper_wek = 4", "per_wek"),
        ("[failover]\ntenant = 'aster-bank'", "missing"),
        ("[stops]\nshare_ppm = 1\non_close = {}\nweights = { sneezed = 1 }", "sneezed"),
        ("[stops]\nshare_ppm = 1\nweights = {}\non_close = { dep-x = 'burns' }", "burns"),
        ("not toml at all", "TOML"),
    ],
)
def test_a_wrong_scenario_is_refused_by_name(tmp_path: Path, content: str, named: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=named):
        read(file)
