"""Weeks of traffic that change on purpose, and what is read off a finding about them."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from countersign.controls.input_drift import InputDrift
from countersign.controls.interface import Conclusion
from countersign.model import Window
from countersign.records import GatewayCall

FEW = ("intent", "language", "prompt_tokens", "unseen_term")
"""Most tests look at these: stating a relation costs more than running it."""
FIRST_GROWTH = 56
"""Day on which a new intent begins: after eight of thirteen weeks."""

Columns = dict[str, list[Any]]


@pytest.fixture(scope="module")
def conclude(memory_tables: Any) -> Callable[..., Conclusion]:
    """Conclude on stored calls of one window."""

    def run(calls: pa.Table, window: Window, **settings: Any) -> Conclusion:
        tables = memory_tables.holding(window, {GatewayCall: calls})
        concluded: Conclusion = tables.conclude(InputDrift(**{"features": FEW, **settings}))
        return concluded

    return run


def growing(final_share: float) -> Callable[[int, Columns, Any], None]:
    def change(day: int, rows: Columns, rng: Any) -> None:
        if day < FIRST_GROWTH:
            return
        share = final_share * (day - FIRST_GROWTH + 1) / 35
        for row in range(len(rows["intent"])):
            if rng.random() < share:
                rows["intent"][row] = "passkey"
                rows["unseen_term_ppm"][row] = int(rng.integers(3, 9))

    return change


@pytest.fixture(scope="session", name="growing")
def _growing() -> Any:
    """A new intent that grows to a share."""
    return growing


def last_week(edit: Callable[[int, Columns, Any], None]) -> Callable[[int, Columns, Any], None]:
    return lambda day, rows, rng: edit(day, rows, rng) if day >= 84 else None


@pytest.fixture(scope="session", name="last_week")
def _last_week() -> Any:
    """An edit of the last week only."""
    return last_week


def facts(concluded: Conclusion) -> set[tuple[str, str]]:
    return {(seen.fact, seen.subject) for seen in concluded.observations if seen.holds is False}


@pytest.fixture(scope="session", name="facts")
def _facts() -> Any:
    """What does not hold, as fact and subject."""
    return facts


def feature(concluded: Conclusion, name: str) -> Any:
    rows: Any = concluded.tables["features"]
    return next(row for row in rows if row["feature"] == name)


@pytest.fixture(scope="session", name="feature")
def _feature() -> Any:
    """The row of a feature in the table of features."""
    return feature
