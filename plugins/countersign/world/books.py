"""The providers' own books: every billed attempt, and when it shows in their reports.

Most attempts are reported within minutes, some a day later; some buckets are revised up to three
days later. What a report shows depends on when it is asked.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final
from zlib import crc32

from countersign.model import US_PER_SECOND, Window
from countersign.world.call import Call, Counts, Request

_HOUR_US: Final = 3_600 * US_PER_SECOND
FINAL_AFTER_US: Final = 72 * _HOUR_US
"""After so long nothing changes."""
_LATE_SHARE: Final = 0.12
_REVISED_BUCKETS: Final = 12
"""One bucket of so many is revised."""
_REVISED_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """What usage is booked under. `project` is a project or a workspace."""

    provider: str
    project: str
    key: str
    model: str


@dataclass(frozen=True, slots=True)
class Line:
    """Booked usage of one hour and group."""

    hour_us: int
    group: Group
    counts: Counts
    requests: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One billed attempt; it is reported from `posted_us` on."""

    posted_us: int
    hour_us: int
    group: Group
    counts: Counts


@dataclass(frozen=True, slots=True)
class Clerk:
    """Books attempts of one day; decides when each is reported."""

    seed: int
    rng: Random

    def call(self, call: Call) -> Iterator[Entry]:
        """The attempts that a gateway call cost: one, or two when an answer was lost."""
        if call.lost is not None:
            yield self.attempt(call.request.at_us, call.started_us, group(call.request), call.lost)
        yield self.attempt(call.started_us, call.ended_us, group(call.request), call.billed)

    def attempt(self, start_us: int, end_us: int, under: Group, counts: Counts) -> Entry:
        """One attempt, booked in the hour in which it began."""
        hour_us = start_us // _HOUR_US * _HOUR_US
        return Entry(end_us + self._delay_us(hour_us, under), hour_us, under, counts)

    def _delay_us(self, hour_us: int, under: Group) -> int:
        is_revised = crc32(f"{self.seed} {hour_us} {under.key}".encode()) % _REVISED_BUCKETS == 0
        if is_revised and self.rng.random() < _REVISED_SHARE:
            return int(self.rng.uniform(30, 66) * _HOUR_US)
        if self.rng.random() < _LATE_SHARE:
            return int(self.rng.uniform(1, 26) * _HOUR_US)
        return int(self.rng.uniform(0.05, 0.25) * _HOUR_US)


def group(request: Request) -> Group:
    """What a request of the gateway is booked under."""
    deployment = request.deployment
    model = deployment.model
    return Group(model.provider, deployment.project, deployment.key, model.name)


def write(file: Path, entries: Iterable[Entry]) -> None:
    """Write one day's entries."""
    kept = sorted(entries, key=lambda e: (e.hour_us, e.group, e.posted_us, e.counts))
    groups = sorted({entry.group for entry in kept})
    place = {g: number for number, g in enumerate(groups)}
    document = {
        "groups": [[g.provider, g.project, g.key, g.model] for g in groups],
        "entries": [[e.posted_us, e.hour_us, place[e.group], *e.counts] for e in kept],
    }
    file.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


@dataclass(frozen=True)
class Books:
    """The books of a world, read as of `now_us`."""

    folder: Path
    now_us: int

    def lines(self, provider: str, day: date) -> tuple[Line, ...]:
        """What the provider's report of a day shows now: one line per hour and group."""
        file = self.folder / f"{day}.json"
        if not file.exists():
            return ()
        settled = Window.day(day).end_us + FINAL_AFTER_US
        lines = _posted(file, file.stat().st_mtime_ns, min(self.now_us, settled))
        return tuple(line for line in lines if line.group.provider == provider)


@lru_cache(maxsize=64)
def _posted(file: Path, written: int, now_us: int) -> tuple[Line, ...]:  # noqa: ARG001 - a key
    document = json.loads(file.read_text(encoding="utf-8"))
    groups = [Group(*names) for names in document["groups"]]
    sums: dict[tuple[int, int], list[int]] = {}
    for posted_us, hour_us, place, *counts in document["entries"]:
        if posted_us <= now_us:
            total = sums.setdefault((hour_us, place), [0, 0, 0, 0, 0, 0])
            for at, tokens in enumerate((*counts, 1)):
                total[at] += tokens
    return tuple(
        Line(hour_us, groups[place], (t[0], t[1], t[2], t[3], t[4]), t[5])
        for (hour_us, place), t in sorted(sums.items())
    )
