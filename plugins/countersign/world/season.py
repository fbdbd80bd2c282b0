"""When people ask: weekdays, hours, bursts, and the shocks that whole weeks have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from countersign.world.installation import INTENTS
from countersign.world.sizes import trace_of

_WEEKDAYS: Final = np.array([1.19, 1.24, 1.22, 1.16, 1.03, 0.61, 0.55])
_HOURS: Final = np.array(
    [2, 1, 1, 1, 1, 2, 6, 14, 30, 46, 52, 50, 42, 44, 50, 50, 46, 40, 32, 26, 22, 16, 9, 4],
    dtype=np.float64,
)
_MINUTE_US: Final = 60_000_000
_VOLUME_SHOCK: Final = 0.015
_LENGTH_SHOCK: Final = 0.01


@dataclass(frozen=True, slots=True)
class Week:
    """What is peculiar to one whole week: normal life, not drift."""

    volume: float
    intent_odds: npt.NDArray[np.float64]
    log_length: float


def shock(rng: np.random.Generator, odds_deviation: float) -> Week:
    """Draw one week's shocks; `odds_deviation` is on the log-odds of every intent."""
    return Week(
        float(np.exp(rng.normal(0.0, _VOLUME_SHOCK))),
        np.exp(rng.normal(0.0, odds_deviation, size=len(INTENTS))),
        float(rng.normal(0.0, _LENGTH_SHOCK)),
    )


def volume(weekday: int) -> float:
    """A weekday's share of an average day."""
    return float(_WEEKDAYS[weekday] * 7 / _WEEKDAYS.sum())


def arrivals(rng: np.random.Generator, intents: Sequence[str]) -> npt.NDArray[np.int64]:
    """Microseconds since midnight for each request, in the given order.

    Minutes are gamma-modulated as in the traces: conversations mildly, coding in bursts.
    """
    times = np.zeros(len(intents), dtype=np.int64)
    shapes = np.array([trace_of(intent).minute_shape for intent in intents])
    for shape in np.unique(shapes):
        rows = np.flatnonzero(shapes == shape)
        weights = np.repeat(_HOURS, 60) * rng.gamma(shape, 1 / shape, size=1440)
        minutes = rng.choice(1440, size=rows.size, p=weights / weights.sum())
        times[rows] = minutes * _MINUTE_US + rng.integers(0, _MINUTE_US, size=rows.size)
    return times
