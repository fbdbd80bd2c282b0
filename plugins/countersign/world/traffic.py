"""The demand: who asks what and when, day by day, before anything goes wrong."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from random import Random
from typing import Any

import numpy as np

from countersign.model import Window
from countersign.world import people, season, sizes, text
from countersign.world.call import PPM, Request
from countersign.world.growth import Growth
from countersign.world.incident import Incident
from countersign.world.installation import (
    ANTHROPIC,
    CODE_LIKE,
    DEPLOYMENTS,
    INTENTS,
    TENANTS,
    Deployment,
    Tenant,
)
from countersign.world.people import People
from countersign.world.scenario import Weather
from countersign.world.season import Week

_STREAMED = 0.88
_ASKS_USAGE = 0.75
_ID_SIGNS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True)
class Demand:
    """All requests of a world, as a function of the seed and the day."""

    seed: int
    span: Window
    requests_per_day: int
    weather: Weather
    growth: Growth | None
    incident: Incident | None

    def day(self, day: date) -> list[Request]:
        """The requests of one day, in order of time."""
        week = self._week(day)
        rng = self._rng("day", day.toordinal())
        words = Random(f"{self.seed} words {day}")
        requests = [
            request
            for group in self._crowd
            for request in self._of_tenant(group, day, week, rng, words)
        ]
        requests.sort(key=lambda r: (r.at_us, r.call_id))
        if self.weather.giant_prompt_bytes and day == self.span.end - timedelta(days=5):
            _grow_one(requests, self.weather.giant_prompt_bytes)
        return requests

    @cached_property
    def _crowd(self) -> tuple[People, ...]:
        return tuple(people.settle(t, self._rng("people", n)) for n, t in enumerate(TENANTS))

    def _week(self, day: date) -> Week:
        number = (day - self.span.start).days // 7
        return season.shock(self._rng("week", number), self.weather.week_shock_milli / 1000)

    def _rng(self, purpose: str, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *purpose.encode(), number])

    def _of_tenant(
        self, group: People, day: date, week: Week, rng: np.random.Generator, words: Random
    ) -> Iterator[Request]:
        users, intents = self._askers(group, day, week, rng)
        times = season.arrivals(rng, intents) + Window.day(day).start_us
        if self.incident is not None and self.incident.concerns(group.tenant.name, day):
            extra = self.incident.extra_times(times, rng)
            more = rng.choice(len(group.ids), size=extra.size, p=group.activity)
            users, times = np.concatenate([users, more]), np.concatenate([times, extra])
            intents += _intents(group, more, week, rng)
        prompts, answers = sizes.draw(intents, group.log_length[users] + week.log_length, rng)
        writer = _Writer(group, self.weather.hostile_ppm, words, {})
        columns = (times.tolist(), users.tolist(), intents, prompts.tolist(), answers.tolist())
        for row in zip(*columns, strict=True):
            request = writer.write(*row)
            yield request if self.incident is None else self.incident.reroute(request)

    def _askers(
        self, group: People, day: date, week: Week, rng: np.random.Generator
    ) -> tuple[Any, list[str]]:
        share = group.tenant.share / sum(t.share for t in TENANTS)
        mean = self.requests_per_day * share * season.volume(day.weekday()) * week.volume
        users = rng.choice(len(group.ids), size=int(rng.poisson(mean)), p=group.activity)
        intents = _intents(group, users, week, rng)
        if self.growth is not None:
            for row in self.growth.rows(day, users.tolist(), len(group.ids)):
                intents[row] = self.growth.name
        return users, intents


def _intents(group: People, users: Any, week: Week, rng: np.random.Generator) -> list[str]:
    odds = group.mixes * week.intent_odds
    cumulative = np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)[users]
    chosen = (cumulative < rng.random((len(users), 1))).sum(axis=1)
    return [INTENTS[min(level, len(INTENTS) - 1)] for level in chosen.tolist()]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Turns drawn numbers of one tenant's day into requests with text."""

    group: People
    hostile_ppm: int
    rng: Random
    sessions: dict[tuple[int, int], str]

    def write(self, at_us: int, user: int, intent: str, size: int, target: int) -> Request:
        rng, tenant = self.rng, self.group.tenant
        language = self.group.languages[user] if rng.random() < 0.96 else "en"
        prompt = text.prompt(rng, tenant.name, language, intent)
        if rng.random() * PPM < self.hostile_ppm:
            prompt = text.hostile(rng, prompt)
        deployment = _deployment(tenant, rng)
        billed_ppm = _billed_ppm(deployment, rng)
        answer = text.answer(rng, language, intent, max(1, target * PPM // billed_ppm))
        prompt_tokens = _at_least(size, prompt, billed_ppm)
        reads, writes_5m, writes_1h = _cached(deployment, prompt_tokens, rng)
        stream = rng.random() < _STREAMED
        model = deployment.model
        return Request(
            at_us=at_us,
            tenant=tenant,
            user=self.group.ids[user],
            session=self._session(user, at_us),
            intent=intent,
            language=language,
            deployment=deployment,
            stream=stream,
            asks_usage=stream and rng.random() < _ASKS_USAGE,
            prompt=prompt,
            prompt_tokens=prompt_tokens,
            reads=reads,
            writes_5m=writes_5m,
            writes_1h=writes_1h,
            answer=answer,
            reasoning=_reasoning(deployment, intent, rng),
            billed_ppm=billed_ppm,
            call_id=_uuid(rng),
            provider_id=_provider_id(deployment, rng),
            first_token_us=int(model.first_token_ms * 1000 * rng.lognormvariate(0, 0.35))
            + prompt_tokens * 60,
        )

    def _session(self, user: int, at_us: int) -> str:
        key = (user, at_us // (6 * 3_600_000_000))
        if key not in self.sessions:
            self.sessions[key] = _uuid(self.rng)
        return self.sessions[key]


def _deployment(tenant: Tenant, rng: Random) -> Deployment:
    groups = tuple(tenant.groups)
    return DEPLOYMENTS[rng.choices(groups, tuple(tenant.groups.values()))[0]]


def _billed_ppm(deployment: Deployment, rng: Random) -> int:
    """No exact tokenizer exists for Anthropic: 8 to 15 % more tokens than o200k, by call."""
    if deployment.model.provider == ANTHROPIC:
        return rng.randrange(1_080_000, 1_150_000)
    return PPM


def _at_least(size: int, prompt: str, billed_ppm: int) -> int:
    """The drawn prompt size, or what the typed text alone needs with its two messages."""
    if size > len(prompt) and prompt.isascii():
        return size
    typed: int = text.tokenizer().count(prompt)
    return max(size, (typed + 40) * billed_ppm // PPM)


def _cached(deployment: Deployment, prompt_tokens: int, rng: Random) -> tuple[int, int, int]:
    """Prompt-cache reads, 5-minute writes and 1-hour writes, by the provider's rules."""
    draw, share = rng.random(), rng.uniform(0.4, 0.95)
    if prompt_tokens < 1024 or draw > 0.42:
        return 0, 0, 0
    part = max(1024, int(prompt_tokens * share) // 128 * 128)
    part = min(part, prompt_tokens - 1)
    if deployment.model.provider != ANTHROPIC:
        return part, 0, 0
    if draw > 0.32:
        return (0, part, 0) if draw > 0.34 else (0, 0, part)
    return part, 0, 0


def _reasoning(deployment: Deployment, intent: str, rng: Random) -> int:
    likely = 0.5 if intent in CODE_LIKE else 0.08
    if deployment.model.provider == ANTHROPIC or rng.random() > likely:
        return 0
    return min(2_000, int(rng.lognormvariate(4.6, 0.7)) // 64 * 64)


def _uuid(rng: Random) -> str:
    h = f"{rng.getrandbits(128):032x}"
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def _provider_id(deployment: Deployment, rng: Random) -> str:
    prefix, length = ("msg_01", 22) if deployment.model.provider == ANTHROPIC else ("chatcmpl-", 29)
    return prefix + "".join(rng.choices(_ID_SIGNS, k=length))


def _grow_one(requests: list[Request], size: int) -> None:
    """Make one prompt of the day enormous; only on the o200k model, whose count is exact."""
    plain = (
        n
        for n, r in enumerate(requests)
        if r.billed_ppm == PPM and r.stream and not r.failed_over and not r.reads
    )
    row = next(plain, None)
    if row is None:
        return
    prompt = text.giant(requests[row].prompt, size)
    requests[row] = replace(
        requests[row], prompt=prompt, prompt_tokens=text.tokenizer().count(prompt) + 40
    )
