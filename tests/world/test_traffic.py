from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from countersign.model import Window
from countersign.world.growth import Growth
from countersign.world.installation import ANTHROPIC
from countersign.world.scenario import Weather
from countersign.world.season import arrivals
from countersign.world.sizes import CODING, CONVERSATION, draw
from countersign.world.traffic import Demand

MONDAY = date(2026, 9, 7)
SPAN = Window(MONDAY - timedelta(weeks=2), MONDAY + timedelta(weeks=1))
DEMAND = Demand(5, SPAN, 600, Weather(), None, None)


def test_sizes_have_the_fitted_moments() -> None:
    rng = np.random.default_rng(1)
    for intent, trace in (("report-draft", CONVERSATION), ("code-change", CODING)):
        _, answers = draw([intent] * 40_000, np.zeros(40_000), rng)
        assert abs(answers.mean() / trace.answer.mean - 1) < 0.15
        assert answers.max() <= trace.answer.longest


def test_a_day_is_a_function_of_seed_and_day() -> None:
    other = replace(DEMAND)
    other.day(MONDAY + timedelta(days=1))
    assert other.day(MONDAY) == DEMAND.day(MONDAY)
    assert replace(DEMAND, seed=6).day(MONDAY) != DEMAND.day(MONDAY)


def test_weekends_are_quieter_than_weekdays() -> None:
    saturday = MONDAY + timedelta(days=5)
    assert len(DEMAND.day(saturday)) < 0.7 * len(DEMAND.day(MONDAY))


def test_people_persist_and_some_ask_much_more() -> None:
    first = Counter(r.user for r in DEMAND.day(MONDAY))
    second = Counter(r.user for r in DEMAND.day(MONDAY + timedelta(days=1)))
    assert len(set(first) & set(second)) > 100
    assert max(first.values()) >= 6


def test_prompt_cache_parts_stay_inside_the_prompt() -> None:
    requests = DEMAND.day(MONDAY)
    cached = [r for r in requests if r.reads or r.writes_5m or r.writes_1h]
    assert 0.05 < len(cached) / len(requests) < 0.5
    assert all(min(r.counts(1)) >= 0 for r in requests)
    assert any(r.writes_5m for r in cached)
    assert any(r.reads for r in cached if r.deployment.model.provider != ANTHROPIC)


def test_anthropic_bills_8_to_15_percent_more_tokens() -> None:
    requests = [r for r in DEMAND.day(MONDAY) if r.deployment.model.provider == ANTHROPIC]
    ratios = [r.visible(10_000) / 10_000 for r in requests]
    assert min(ratios) >= 1.08
    assert max(ratios) <= 1.15
    assert len(set(ratios)) > 50


def test_coding_arrives_in_bursts() -> None:
    spread = {}
    for intent in ("code-change", "refund"):
        times = arrivals(np.random.default_rng(4), [intent] * 20_000)
        busy = np.bincount(times // 60_000_000, minlength=1440)[600:660]
        spread[intent] = busy.var() / busy.mean()
    assert spread["code-change"] > 5 * spread["refund"]


def test_a_new_intent_begins_on_its_day_and_spreads_over_people() -> None:
    begin = MONDAY - timedelta(days=7)
    growing = replace(DEMAND, growth=Growth("passkey-migration", begin, SPAN.end, 0.10))
    asked = {d: [r for r in growing.day(d) if r.intent == "passkey-migration"] for d in SPAN.days()}
    assert not any(asked[day] for day in asked if day < begin)
    assert len(asked[SPAN.end - timedelta(days=3)]) > len(asked[begin + timedelta(days=1)])
    last = [r for day, found in asked.items() if day >= MONDAY for r in found]
    people = Counter(user for _, user in {(r.tenant.name, r.user) for r in last})
    assert len(people) > len(last) / 2
