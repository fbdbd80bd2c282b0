"""Build a world: weeks of traffic, what every source says of them, and the truth."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Final

from countersign.errors import ConfigError
from countersign.model import US_PER_SECOND, Window, instant, rfc3339
from countersign.world import (
    books,
    configuration,
    export,
    row_files,
    shadow,
    terms,
    truth,
    wire_beacon,
    wire_litellm,
)
from countersign.world.call import Call
from countersign.world.growth import Growth
from countersign.world.incident import Incident
from countersign.world.installation import PriceList
from countersign.world.plan import Plan
from countersign.world.scenario import Day, Scenario, day_of, read
from countersign.world.traffic import Demand
from countersign.world.truth import Truth

_NOW_AFTER: Final = timedelta(hours=6)
_OWN: Final = ("traffic", "books", "export", "terms")
"""Folders that a build replaces."""


def build(
    folder: Path,
    *,
    seed: int,
    start: date,
    weeks: int,
    requests_per_day: int,
    scenario: Path | None,
    progress: Callable[[str], None],
    port: int = 8731,
) -> None:
    """Write a world of whole weeks into a folder, with its configuration and its truth.

    The same arguments give the same bytes. `scenario` is a file, or the name of a shipped
    scenario; None is the demonstration.

    Raises:
        ConfigError: fewer than one week or request, or a scenario that cannot be read.
    """
    if weeks < 1 or requests_per_day < 1:
        raise ConfigError(
            "world",
            expected="at least one week and one request a day",
            observed=f"{weeks} weeks of {requests_per_day} requests",
        )
    span = Window(start, start + timedelta(weeks=weeks))
    world = _World.of(folder, seed, span, requests_per_day, scenario)
    world.clear()
    for number, day in enumerate(span.days()):
        world.write_day(day)
        if number % 7 == 6:
            progress(f"world week {number // 7 + 1} of {weeks} written")
    world.write_rest(port)
    progress(f"world {folder}: {world.calls} calls, {len(world.truth.entries())} facts planted")


@dataclass
class _World:
    """A world while it is written."""

    folder: Path
    seed: int
    span: Window
    scenario: Scenario
    prices: PriceList
    demand: Demand
    plan: Plan
    truth: Truth
    shadows: list[shadow.Attempt]
    calls: int = 0

    @classmethod
    def of(
        cls, folder: Path, seed: int, span: Window, requests_per_day: int, file: Path | None
    ) -> "_World":
        chosen = read(file)
        growth, incident = _growth(chosen, span), _incident(chosen, span)
        prices = PriceList(span.start)
        return cls(
            folder=folder,
            seed=seed,
            span=span,
            scenario=chosen,
            prices=prices,
            demand=Demand(seed, span, requests_per_day, chosen.weather, growth, incident),
            plan=Plan(chosen, span),
            truth=Truth(span, prices, incident, growth),
            shadows=[],
        )

    @property
    def now(self) -> datetime:
        """When the world's own clock stands: some hours after its last day."""
        return datetime.combine(self.span.end, time(), UTC) + _NOW_AFTER

    def clear(self) -> None:
        for name in _OWN:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in ("traffic/litellm", "traffic/beacons", "books", "export", "terms"):
            (self.folder / name).mkdir(parents=True)

    def write_day(self, day: date) -> None:
        rng = Random(f"{self.seed} fate {day}")
        calls = self.plan.play(day, self.demand.day(day), rng)
        for call in calls:
            self.truth.call(call)
        self.calls += len(calls)
        self._write_books(day, calls)
        traffic = self.folder / "traffic"
        logged = [wire_litellm.forms(call, self.prices) for call in calls]
        rows = [row for forms in logged for row in forms.rows]
        row_files.write(traffic / "litellm" / f"{day}.rows", rows)
        beacons = [wire_beacon.row(call) for call in calls]
        row_files.write(traffic / "beacons" / f"{day}.rows", beacons)
        export.calls(self.folder / "export", day, [p for f in logged for p in f.payloads])
        export.beacons(self.folder / "export", day, beacons)

    def _write_books(self, day: date, calls: list[Call]) -> None:
        clerk = books.Clerk(self.seed, Random(f"{self.seed} books {day}"))
        entries = [entry for call in calls for entry in clerk.call(call)]
        key = self.scenario.unlogged_key
        if key is not None and day >= self._day(key.first_day):
            rng = Random(f"{self.seed} shadow {day}")
            for used in shadow.attempts(key, day, rng):
                self.shadows.append(used)
                group = shadow.under(key)
                entries.append(clerk.attempt(used.start_us, used.end_us, group, used.counts))
        books.write(self.folder / "books" / f"{day}.json", entries)

    def write_rest(self, port: int) -> None:
        if self.scenario.unlogged_key is not None:
            self.truth.unlogged(self.scenario.unlogged_key, self.shadows)
        now_us = instant(self.now)
        for day in self.span.days():
            export.reports(self.folder, day, now_us, self.prices)
        _write(self.folder / "terms/prices/list.toml", terms.prices(self.prices) + "\n")
        _write(self.folder / "terms/surfaces/chat.toml", terms.surfaces(self.prices) + "\n")
        url = f"http://127.0.0.1:{port}"
        text = configuration.document(self.span, url, self.now)
        _write(self.folder / "countersign.toml", text)
        facts = {
            "seed": self.seed,
            "scenario": self.scenario.name,
            "start": self.span.start.isoformat(),
            "end": self.span.end.isoformat(),
            "now": rfc3339(now_us),
        }
        _write(self.folder / "world.json", json.dumps(facts, indent=1) + "\n")
        document = truth.document(
            self.truth.entries(),
            seed=self.seed,
            scenario=self.scenario.name,
            span=self.span,
            now=rfc3339(now_us),
        )
        _write(self.folder / "truth.json", json.dumps(document, indent=1) + "\n")

    def _day(self, day: Day) -> date:
        return _day(day, self.span)


def _growth(chosen: Scenario, span: Window) -> Growth | None:
    new = chosen.new_intent
    if new is None:
        return None
    return Growth(new.name, _day(new.first_day, span), span.end, new.final_share_ppm / 1_000_000)


def _incident(chosen: Scenario, span: Window) -> Incident | None:
    failover = chosen.failover
    if failover is None:
        return None
    at = time.fromisoformat(failover.at)
    start = datetime.combine(_day(failover.day, span), at, UTC)
    start_us, lasting_us = instant(start), failover.minutes * 60 * US_PER_SECOND
    return Incident(
        failover.tenant,
        failover.to_group,
        start_us,
        start_us + lasting_us,
        failover.at_least_requests,
    )


def _day(day: Day, span: Window) -> date:
    return day_of(day, span.start, (span.end - span.start).days)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
