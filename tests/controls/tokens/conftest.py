"""A small world for token reconciliation, told call by call, and what is read off a finding."""

from collections.abc import Mapping
from typing import Any

import pytest

from countersign.controls.interface import Conclusion
from countersign.controls.token_reconciliation import TokenReconciliation
from countersign.model import US_PER_SECOND as SECOND
from countersign.model import Window
from countersign.records import (
    Delivery,
    GatewayCall,
    PriceTerm,
    ProviderCharge,
    ProviderUsage,
    Record,
)

WEEK = Window.parse("2026-11-09/2026-11-16")
HOUR = 3_600 * SECOND
T0 = WEEK.start_us
MODEL = "gpt-5.4-mini-2026-03-17"
PICO = {"in_uncached": 750_000, "in_cache_read": 75_000, "out_visible": 4_500_000,
        "out_reasoning": 4_500_000, "in_cache_write_5m": 937_500}  # fmt: skip

Rows = dict[type[Record], list[dict[str, Any]]]


class Story:
    """A small world, told call by call; billed and logged are written apart."""

    def __init__(self, *, requests: bool = True) -> None:
        self.rows: Rows = {GatewayCall: [], Delivery: [], ProviderUsage: [], PriceTerm: []}
        self.rows[ProviderCharge] = []
        self._requests = requests
        for name, pico in PICO.items():
            self.rows[PriceTerm].append({
                "provider": "openai", "model": MODEL, "token_type": name,
                "unit_usd_pico": pico, "valid_from": T0 - 365 * 24 * HOUR,
            })  # fmt: skip

    def call(self, name: str, at: int, counters: Mapping[str, int] | None, **more: Any) -> None:
        """One row of the log."""
        self.rows[GatewayCall].append({
            "call_id": f"c-{name}", "request_id": f"r-{name}", "started_at": at,
            "ended_at": at + SECOND, "provider": "openai", "model_resolved": MODEL,
            "api_key_commitment": "key", "tenant": "aster-bank", "status": "ok", "attempt": 1,
            "usage_quality": "exact" if counters else "missing", **(counters or {}), **more,
        })  # fmt: skip

    def shown(self, name: str, at: int, tokens: int | None, ended: str = "completed",
              **more: Any) -> None:  # fmt: skip
        """What the reader's meter said."""
        self.rows[Delivery].append({
            "request_id": f"r-{name}", "started_at": at, "ended": ended, "meter": "browser",
            "rendered_tokens": tokens, **more,
        })  # fmt: skip

    def bill(self, at: int, counters: Mapping[str, int], requests: int, **more: Any) -> None:
        """One usage bucket."""
        hour = at - at % HOUR
        self.rows[ProviderUsage].append({
            "provider": "openai", "bucket_start": hour, "bucket_end": hour + HOUR,
            "model": MODEL, "api_key_commitment": "key", "final": True,
            "requests": requests if self._requests else None, **counters, **more,
        })  # fmt: skip

    def plain(self, name: str, at: int, tokens: int = 100, out: int = 50, **more: Any) -> None:
        """A call that was logged, billed elsewhere by the teller, and read to the end."""
        self.call(name, at, {"in_uncached": tokens, "out_visible": out}, **more)
        self.shown(name, at, out)


@pytest.fixture(scope="session")
def tell() -> type[Story]:
    """Begins a story."""
    return Story


@pytest.fixture
def conclude(memory_tables: Any) -> Any:
    """Run the control over a story."""

    def run(story: Story, **settings: Any) -> Conclusion:
        control = TokenReconciliation(**settings)
        found: Conclusion = memory_tables.of(WEEK, story.rows).conclude(control)
        assert_foots(found)
        return found

    return run


def assert_foots(found: Conclusion) -> None:
    for table in ("statement", "bridge"):
        rows: Any = found.tables[table]
        for unit in ("tokens", "usd_micros"):
            amounts = [row[unit] for row in rows]
            if None not in amounts:
                assert amounts[0] - sum(amounts[1:-1]) == amounts[-1], (table, unit, rows)
    assert found.examined == found.holding + found.not_holding + found.undecided


@pytest.fixture(scope="session", name="assert_foots")
def _assert_foots() -> Any:
    """Refuses a finding whose parts do not foot."""
    return assert_foots


def classes(found: Conclusion, table: str = "statement") -> dict[str, int]:
    rows: Any = found.tables[table]
    return {row["id"]: row["tokens"] for row in rows if row["role"] == "class" and row["tokens"]}


@pytest.fixture(scope="session", name="classes")
def _classes() -> Any:
    """Tokens by class of a table, those that are not zero."""
    return classes


def facts(found: Conclusion) -> dict[tuple[str, str], Mapping[str, int]]:
    return {(seen.fact, seen.subject): seen.measures for seen in found.observations}


@pytest.fixture(scope="session", name="facts")
def _facts() -> Any:
    """Measures by fact and subject."""
    return facts


def tokens(found: Conclusion) -> dict[tuple[str, str], int]:
    return {name: measures["tokens"] for name, measures in facts(found).items()}


@pytest.fixture(scope="session", name="tokens")
def _tokens() -> Any:
    """Tokens by fact and subject."""
    return tokens
