"""Which request meets which fate: rates for what is common, chosen places for what is rare.

Billed retries and double-logged rows are planted alone in their hour and key (no other retry, no
broken or unread stream there), early enough in the week that their usage is final, so that the
truth can be told from the sources.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Final

from countersign.model import US_PER_SECOND, Window
from countersign.world import fate
from countersign.world.call import PPM, Call, Request
from countersign.world.fate import Fate
from countersign.world.installation import OPENAI
from countersign.world.scenario import STOP_CLASSES, BrokenStreams, Scenario, Stops, day_of

_HOUR_US: Final = 3_600 * US_PER_SECOND
_RARE_WEEKDAYS: Final = 4
_SHORTEST_STOPPED: Final = 24

Cell = tuple[int, str]
"""Hour and provider key: the bucket in which usage is compared."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The fates of a scenario, as a function of day and requests."""

    scenario: Scenario
    span: Window

    def play(self, day: date, requests: Sequence[Request], rng: Random) -> list[Call]:
        """What becomes of a day's requests, in their order."""
        rare = dict(self._rare(day, requests, rng))
        reserved = {_cell(requests[row]) for row in rare}
        calls = []
        for row, request in enumerate(requests):
            chosen = rare.get(row)
            if chosen is None:
                chosen = self._ordinary(day, request, _cell(request) in reserved, rng)
            calls.append(chosen(request, rng))
        return calls

    def _rare(
        self, day: date, requests: Sequence[Request], rng: Random
    ) -> Iterator[tuple[int, Fate]]:
        wanted = [fate.retried_after_loss] * self._due(day, "billed")
        wanted += [fate.double_logged] * self._due(day, "double")
        rows = [row for row, request in enumerate(requests) if _is_clear(request)]
        rng.shuffle(rows)
        taken: set[Cell] = set()
        for row in rows:
            if not wanted:
                return
            if (cell := _cell(requests[row])) not in taken:
                taken.add(cell)
                yield row, wanted.pop()

    def _due(self, day: date, what: str) -> int:
        """How many of a week's rare faults fall on a day: Mondays to Thursdays share them."""
        retries, double = self.scenario.retries, self.scenario.double_logged
        if day.weekday() >= _RARE_WEEKDAYS or (self.span.end - day).days < _RARE_WEEKDAYS:
            return 0
        if what == "billed":
            weekly, turn = (0 if retries is None else retries.billed_per_week), day.weekday()
        else:
            weekly, turn = (0 if double is None else double.per_week), 3 - day.weekday()
        return len(range(turn, weekly, _RARE_WEEKDAYS))

    def _ordinary(self, day: date, request: Request, is_reserved: bool, rng: Random) -> Fate:
        if request.failed_over or len(request.prompt) > PPM // 2:
            return fate.complete
        stop = self._stop(day, request, rng)
        if stop is None:
            return fate.complete if is_reserved else self._upstream(day, request, rng)
        if is_reserved and stop == STOP_CLASSES[3]:
            return fate.complete
        return fate.stop_fate(stop, self._stops().on_close)

    def _upstream(self, day: date, request: Request, rng: Random) -> Fate:
        """What the provider may do to a request that nobody stops."""
        draw, retries = rng.random() * PPM, self.scenario.retries
        if draw < self._broken_ppm(day, request):
            return fate.broken
        if retries is not None and draw > PPM - retries.plain_share_ppm and _minute(request) < 59:
            return fate.retried
        return fate.complete

    def _stop(self, day: date, request: Request, rng: Random) -> str | None:
        if self.scenario.stops is None or not self._has_begun(day, self._stops()):
            return None
        if rng.random() * PPM >= self._stops().share_ppm:
            return None
        if not request.stream:
            return STOP_CLASSES[4]
        weights = [self._stops().weights.get(name, 0) for name in STOP_CLASSES[:4]]
        if not any(weights):
            return None
        chosen = rng.choices(STOP_CLASSES[:4], weights)[0]
        if chosen in STOP_CLASSES[:2]:
            chosen = STOP_CLASSES[0] if request.asks_usage else STOP_CLASSES[1]
        is_short = request.answer.tokens < _SHORTEST_STOPPED
        return None if is_short and chosen != STOP_CLASSES[3] else chosen

    def _stops(self) -> Stops:
        return self.scenario.stops or Stops(0, {}, {})

    def _broken_ppm(self, day: date, request: Request) -> int:
        broken = self.scenario.broken_streams
        if broken is None or not request.stream or request.reasoning:
            return 0
        if request.answer.tokens < _SHORTEST_STOPPED or not self._has_begun(day, broken):
            return 0
        return broken.share_ppm

    def _has_begun(self, day: date, fault: Stops | BrokenStreams) -> bool:
        first = day_of(fault.first_day, self.span.start, (self.span.end - self.span.start).days)
        return day >= first


def _cell(request: Request) -> Cell:
    return request.at_us // _HOUR_US, request.deployment.key


def _minute(request: Request) -> int:
    return request.at_us % _HOUR_US // (60 * US_PER_SECOND)


def _is_clear(request: Request) -> bool:
    """Whether a rare fault can be told here: exact counts, a request count, within one hour."""
    return (
        request.deployment.model.provider == OPENAI
        and not request.failed_over
        and 3 <= _minute(request) < 54
        and 12 <= request.answer.tokens <= 600
        and len(request.prompt) < 10_000
    )
