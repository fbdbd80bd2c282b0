"""The unlogged key: someone uses the provider directly, past the gateway."""

from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Final

from countersign.model import US_PER_SECOND, Window
from countersign.world.books import Group
from countersign.world.call import Counts
from countersign.world.installation import GPT
from countersign.world.scenario import UnloggedKey

_WORKDAY_S: Final = (8 * 3_600, 20 * 3_600)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One billed call that no gateway saw."""

    start_us: int
    end_us: int
    counts: Counts


def attempts(key: UnloggedKey, day: date, rng: Random) -> list[Attempt]:
    """What the key used on a day, in order of time."""
    count = max(1, round(rng.gauss(key.requests_per_day, key.requests_per_day**0.5)))
    midnight_us = Window.day(day).start_us
    starts = sorted(midnight_us + rng.randrange(*_WORKDAY_S) * US_PER_SECOND for _ in range(count))
    return [_attempt(start_us, rng) for start_us in starts]


def under(key: UnloggedKey) -> Group:
    """What its usage is booked under."""
    return Group(GPT.provider, key.project, key.key, GPT.name)


def _attempt(start_us: int, rng: Random) -> Attempt:
    prompt = min(14_000, int(rng.lognormvariate(6.9, 0.8)))
    output = min(2_000, int(rng.lognormvariate(5.4, 0.7)))
    lasting_us = output * US_PER_SECOND // GPT.tokens_per_second
    return Attempt(start_us, start_us + lasting_us, (prompt, 0, 0, 0, output))
