"""How long each source may revise a day, and when its money is final (wire-formats.md, 4)."""

from datetime import date, timedelta

import pytest
from pydantic import TypeAdapter

import countersign.connectors
from countersign.connectors.interface import Connector
from countersign.connectors.wire.closing import invoiced
from countersign.model import moment
from countersign.records import ProviderCharge, is_dated
from countersign.registry import discover

CONNECTORS = discover(countersign.connectors, Connector)  # type: ignore[type-abstract]
LAGS = {
    "litellm": timedelta(days=1),
    "langfuse": timedelta(hours=72),
    "helicone": timedelta(hours=24),
    "portkey": timedelta(hours=24),
    "otlp": timedelta(hours=24),
    "openai-usage": timedelta(days=3),
    "openai-costs": timedelta(days=3),
    "anthropic-usage": timedelta(days=3),
    "anthropic-cost": timedelta(days=3),
    "bedrock-invocation-log": timedelta(hours=48),
    "bedrock-cloudtrail": timedelta(hours=48),
    "openrouter": timedelta(days=3),
}
"""The table's re-read windows; what it does not list has the interface's day, or says why not."""


@pytest.mark.parametrize("connector_id", LAGS)
def test_the_reread_window_is_that_of_the_table(connector_id: str) -> None:
    assert CONNECTORS[connector_id].lag == LAGS[connector_id]


@pytest.mark.parametrize(
    ("connector_id", "day", "settled"),
    [
        ("openai-usage", "2026-11-15", "2026-11-19"),
        ("litellm", "2026-11-15", "2026-11-17"),
        ("openai-costs", "2026-11-01", "2026-12-06"),
        ("openai-costs", "2026-11-30", "2026-12-06"),
        ("anthropic-cost", "2026-12-01", "2027-01-06"),
        ("focus-export", "2026-11-15", "2027-01-06"),
        ("focus-export", "2026-12-31", "2027-02-06"),
        ("vertex-usage", "2028-01-31", "2028-03-06"),
        ("price-list", "2026-11-15", "2026-11-16"),
    ],
)
def test_a_day_settles_after_its_lag_and_money_at_the_invoice(
    connector_id: str, day: str, settled: str
) -> None:
    connector: Connector = TypeAdapter(CONNECTORS[connector_id]).validate_python({})
    assert moment(connector.settled(date.fromisoformat(day))).isoformat()[:10] == settled
    assert moment(connector.settled(date.fromisoformat(day))).hour == 0


def test_an_installation_knows_its_own_invoice_day() -> None:
    late: Connector = TypeAdapter(CONNECTORS["openai-costs"]).validate_python({"invoice_days": 12})
    assert moment(late.settled(date(2026, 11, 2))).date() == date(2026, 12, 13)


def test_a_log_beside_a_bill_settles_without_the_bill() -> None:
    kind = CONNECTORS["vertex-usage"]
    logs: Connector = TypeAdapter(kind).validate_python({"records": ["gateway_call"]})
    assert moment(logs.settled(date(2026, 11, 2))).date() == date(2026, 11, 5)


def test_every_source_of_money_settles_with_a_month_and_never_after_days_alone() -> None:
    of_money = {
        name for name, kind in CONNECTORS.items()
        if ProviderCharge in kind.kinds and not all(map(is_dated, kind.kinds))
    }  # fmt: skip
    assert of_money == {"openai-costs", "anthropic-cost", "focus-export", "vertex-usage"}
    for name in of_money:
        connector: Connector = TypeAdapter(CONNECTORS[name]).validate_python({})
        assert connector.settled(date(2026, 11, 1)) == connector.settled(date(2026, 11, 30))


@pytest.mark.parametrize(
    ("day", "open_periods", "ended"),
    [("2026-12-31", 0, "2027-01-01"), ("2028-02-29", 0, "2028-03-01"),
     ("2026-12-01", 1, "2027-02-01")],
)  # fmt: skip
def test_a_month_ends_where_the_next_begins(day: str, open_periods: int, ended: str) -> None:
    at = invoiced(date.fromisoformat(day), 0, open_periods=open_periods)
    assert moment(at).date() == date.fromisoformat(ended)
