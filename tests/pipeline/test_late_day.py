"""A day that a source revises: read again within its lag, replaced alone, named where it counts."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from countersign.model import Window
from countersign.pipeline import admit, assess, compose
from countersign.pipeline.assess import findings
from countersign.pipeline.collect import collect_one

LAST, AFTER = "2026-11-15", Window.parse("2026-11-16/2026-11-17")
SOURCE = "litellm"
CONTROL = "data-residency"


def clock(site: Any, old: str, new: str) -> None:
    site.edit(f"now = {old}T06:00:00Z", f"now = {new}T06:00:00Z")


def files_of(site: Any, day: str) -> dict[str, str]:
    """The table files of a day, by digest."""
    return {
        file.relative_to(site.folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (site.folder / "lake" / "tables").rglob("*.parquet")
        if f"window_day={day}" in file.as_posix()
    }


def current(site: Any, day: str) -> set[str]:
    lake = site.open().lake
    version = lake.admitted().tables["gateway_call"]
    return set(lake.delta.files("gateway_call", version, [day]))


def count(site: Any, day: str, version: int) -> int:
    rows = site.open().lake.delta.read("gateway_call", version, [day])
    return 0 if rows is None else int(rows.num_rows)


@pytest.fixture(scope="module")
def revised(calm: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A week without the last ten calls of its last day, assessed; then they come, a day late."""
    site = calm.copy(tmp_path_factory.mktemp("revised") / "site")
    site.read_files()
    (file,) = (site.folder / "export" / SOURCE / LAST).iterdir()
    lines = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:-10]), "utf-8")
    for source in site.open().sources:
        collect_one(site.open(), site.week, source)
    admit.admit(site.open())
    assess.assess(site.open(), site.week, (CONTROL,))
    before = {day.isoformat(): files_of(site, day.isoformat()) for day in site.week.days()}
    held = site.open().lake.admitted()
    file.write_text("".join(lines), "utf-8")
    clock(site, "2026-11-16", "2026-11-17")
    collected = collect_one(site.open(), AFTER, SOURCE, reread=True)
    admission = admit.admit(site.open())
    assess.assess(site.open(), site.week, (CONTROL,))
    site_of = type("Revised", (), {"site": site, "before": before, "held": held,
                                   "collected": collected, "admission": admission})  # fmt: skip
    yield site_of


def test_the_night_after_reads_the_open_day_again_and_no_other(revised: Any) -> None:
    assert revised.collected.days == 2, "the day itself, and the one that is within the lag"
    raw = revised.site.open().lake.raw
    assert [raw.manifest(SOURCE, day.isoformat()).version for day in revised.site.week.days()] == [
        1, 1, 1, 1, 1, 1, 2
    ]  # fmt: skip


def test_exactly_that_day_is_replaced_and_the_old_one_stays_readable(revised: Any) -> None:
    site, now = revised.site, revised.site.open().lake.admitted()
    for day in site.week.days():
        held, found = revised.before[day.isoformat()], files_of(site, day.isoformat())
        assert held.items() <= found.items(), "no byte that was there has changed"
        if day.isoformat() != LAST:
            assert held == found
            assert now.days[SOURCE, day.isoformat()] == revised.held.days[SOURCE, day.isoformat()]
    old, new = revised.held.tables["gateway_call"], now.tables["gateway_call"]
    assert count(site, LAST, new) - count(site, LAST, old) == 10
    assert count(site, "2026-11-14", new) == count(site, "2026-11-14", old)
    untouched = {n for n, v in revised.held.tables.items() if now.tables[n] == v}
    assert {"delivery", "provider_usage", "price_term", "surface_term"} <= untouched


def test_both_versions_of_the_raw_day_stay_readable(revised: Any) -> None:
    raw = revised.site.open().lake.raw
    first, second = (raw.manifest(SOURCE, LAST, version) for version in (1, 2))
    assert first.pages != second.pages
    for manifest in (first, second):
        for page in manifest.pages:
            assert raw.page(SOURCE, LAST, page.digest)


def test_the_finding_names_source_day_and_version_of_what_came_late(revised: Any) -> None:
    kept = findings(revised.site.open()).latest(revised.site.week, CONTROL)
    assert kept is not None
    assert kept.finding["version"] == 2
    population = kept.finding["population"]["gateway_call"]
    assert population["late_days"] == 1
    assert population["late"] == [
        {"source": SOURCE, "day": LAST, "version": 2, "read": 2, "newer": None}
    ]
    (part,) = (e for e in kept.finding["evidence"]
               if (e["kind"], e["source"]) == ("gateway_call", SOURCE))  # fmt: skip
    assert (part["version"], part["final"]) == (2, True)
    first = json.loads((kept.folder.parent / "v1" / "finding.json").read_bytes())
    assert first["population"]["gateway_call"]["late"] == []
    (was,) = (e for e in first["evidence"]
              if (e["kind"], e["source"]) == ("gateway_call", SOURCE))  # fmt: skip
    assert (was["version"], was["final"]) == (1, False), "provisional until the lag had passed"


def test_the_packet_names_it_too(revised: Any) -> None:
    kept = findings(revised.site.open()).latest(revised.site.week, CONTROL)
    assert kept is not None
    (sheet,) = (p for p in compose._populations((kept.finding,)) if p.kind == "gateway_call")
    assert sheet.late_days == (f"{LAST} {SOURCE}, version 2 of 2 readings",)


def test_money_is_read_again_when_it_is_billed_and_is_final_then(calm: Any, tmp_path: Path) -> None:
    site = calm.copy(tmp_path / "site")
    site.read_files()

    def night(today: str, source: str) -> int:
        end = date.fromisoformat(today)
        window = Window(date.fromordinal(end.toordinal() - 1), end)
        return int(collect_one(site.open(), window, source, reread=True).days)

    assert collect_one(site.open(), site.week, "openai-costs").days == 7
    clock(site, "2026-11-16", "2026-11-17")
    assert night("2026-11-17", "openai-costs") == 1 + 3
    clock(site, "2026-11-17", "2026-11-25")
    assert night("2026-11-25", "openai-costs") == 1, "between its lag and the bill nothing is asked"
    clock(site, "2026-11-25", "2026-12-06")
    billed = night("2026-12-06", "openai-costs")
    assert billed >= 1 + 7
    raw = site.open().lake.raw
    assert all(raw.manifest("openai-costs", str(day)).final for day in site.week.days())
    clock(site, "2026-12-06", "2026-12-07")
    assert night("2026-12-07", "openai-costs") <= 2, "what is final is not asked about again"
