"""How long prompts and answers are, and how arrivals cluster.

Log-normal sizes and gamma-modulated arrivals whose moments were fitted to the Azure LLM inference
traces of 2023 (19,366 conversation and 8,819 coding requests; CC BY 4.0): mean and standard
deviation of context and generated tokens, longest values, and variance/mean of requests per
minute. Only these parameters are here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from countersign.world.installation import CODE_LIKE, INTENTS


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A log-normal by its mean and standard deviation, cut at the longest value seen."""

    mean: float
    deviation: float
    longest: int

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return math.sqrt(math.log1p((self.deviation / self.mean) ** 2))

    @property
    def mu(self) -> float:
        """Mean of the logarithm."""
        return math.log(self.mean) - self.sigma**2 / 2


@dataclass(frozen=True, slots=True)
class Trace:
    """The moments of one of the two traces. `minute_shape`: gamma shape of minute intensities."""

    prompt: LogNormal
    answer: LogNormal
    minute_shape: float


CONVERSATION: Final = Trace(LogNormal(1154.7, 1108.8, 14_050), LogNormal(211.1, 162.9, 1_000), 22.0)
CODING: Final = Trace(LogNormal(2047.8, 1973.8, 7_437), LogNormal(27.9, 59.9, 1_899), 0.93)

PROMPT_SHIFT: Final[Mapping[str, float]] = dict(
    zip(INTENTS, (-0.3, -0.2, -0.1, -0.35, -0.2, 0.0, 0.1, 0.3, 0.45, 0.2, 0.0, 0.0), strict=True)
)
NEW_INTENT_SHIFT: Final = -0.3
"""Some intents come with more context than others: shift of the log prompt size."""


def trace_of(intent: str) -> Trace:
    """The trace whose moments an intent follows."""
    return CODING if intent in CODE_LIKE else CONVERSATION


def draw(
    intents: Sequence[str], log_length: npt.NDArray[np.float64], rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Prompt and answer tokens of each request; `log_length` is its person's and week's shift."""
    traces = [trace_of(intent) for intent in intents]
    about = np.array([PROMPT_SHIFT.get(intent, NEW_INTENT_SHIFT) for intent in intents])
    return (
        _lognormal([t.prompt for t in traces], log_length + about, rng),
        _lognormal([t.answer for t in traces], log_length, rng),
    )


def _lognormal(
    laws: Sequence[LogNormal], shift: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    mu, sigma = np.array([law.mu for law in laws]), np.array([law.sigma for law in laws])
    drawn = np.exp(mu + shift + sigma * rng.normal(size=len(laws)))
    longest = np.array([law.longest for law in laws])
    return np.clip(drawn, 6, longest).astype(np.int64)
