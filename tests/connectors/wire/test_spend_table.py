"""Which columns are asked for, of which days, and what a table that does not fit is told.

The rows themselves come from a real proxy's table in `tests/meters/test_litellm_proxy.py`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from countersign.connectors.litellm import LiteLLM
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.records import GatewayCall

DAY = Window.parse("2026-11-09/2026-11-10")
OLD = ("request_id", "startTime", "endTime", "metadata", "spend", "messages", "response")
ROW = {
    "request_id": "chatcmpl-1",
    "startTime": "2026-11-09T10:00:00.12",
    "endTime": "2026-11-09T10:00:02",
    "metadata": {"usage_object": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}},
    "spend": 7.2e-06,
}


@dataclass
class Table:
    """A database with one table: it answers with its columns, then with its rows."""

    columns: Sequence[str]
    asked: list[tuple[str, Sequence[object]]] = field(default_factory=list)

    def __call__(self, statement: str, values: Sequence[object] = ()) -> Iterator[bytes]:
        self.asked.append((statement, values))
        rows: list[dict[str, Any]] = [ROW]
        if "information_schema" in statement:
            rows = [{"column_name": name} for name in self.columns]
        yield "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def test_row_is_a_call_at_utc_without_a_zone() -> None:
    connector = LiteLLM()
    [page] = connector.select(Table(OLD), DAY)
    [call] = [r for r in connector.parse(page) if isinstance(r, GatewayCall)]
    assert call.started_at == 1_794_218_400_120_000
    assert (call.in_uncached, call.out_visible, call.cost_logged_usd_micros) == (5, 3, 7)


def test_only_columns_that_the_table_has_are_asked_for() -> None:
    table = Table(OLD)
    list(LiteLLM().select(table, DAY))
    statement = table.asked[1][0]
    assert '"spend"' in statement
    assert "litellm_call_id" not in statement
    assert "created_at" not in statement


def test_day_is_half_open_in_the_tables_own_zone() -> None:
    table = Table(OLD)
    list(LiteLLM().select(table, DAY))
    assert table.asked[1][1] == ("2026-11-09 00:00:00", "2026-11-10 00:00:00")
    assert '"startTime" >= %s::timestamp AND "startTime" < %s::timestamp' in table.asked[1][0]


@pytest.mark.parametrize(
    ("records", "is_asked"),
    [(None, True), (("call_text",), True), (("gateway_call",), False)],
)
def test_text_is_read_only_where_it_is_wanted(
    records: tuple[str, ...] | None, is_asked: bool
) -> None:
    table = Table(OLD)
    list(LiteLLM(records=records).select(table, DAY))
    assert ('"messages"' in table.asked[1][0]) is is_asked


@pytest.mark.parametrize(
    ("columns", "observed"), [((), "no such table"), (("request_id", "endTime"), "no startTime")]
)
def test_other_database_is_refused_by_name(columns: tuple[str, ...], observed: str) -> None:
    with pytest.raises(SourceError, match=observed) as caught:
        list(LiteLLM().select(Table(columns), DAY))
    assert caught.value.fault is Fault.REFUSED
    assert caught.value.page == "LiteLLM_SpendLogs"
