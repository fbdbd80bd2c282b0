"""Admitted rows as relations, and what the lake says about them."""

from typing import Any

import pytest

from countersign.canonical import digest, encode
from countersign.errors import EvidenceError
from countersign.model import Window
from countersign.records import (
    KINDS,
    Delivery,
    GatewayCall,
    PriceTerm,
    ProviderUsage,
    Record,
    stored_schema,
)

DAY, NEXT = "2026-11-09", "2026-11-10"
WEEK = Window.parse("2026-11-09/2026-11-16")


@pytest.mark.parametrize("kind", KINDS.values())
def test_an_absent_kind_is_an_empty_relation_with_its_columns(
    small: Any, kind: type[Record]
) -> None:
    tables = small.lake.tables(WEEK)
    result = tables.run(tables.table(kind))
    assert result.num_rows == 0
    assert result.column_names == stored_schema(kind).names


def test_columns_have_the_stored_types(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1, embedding=[0.5, 1.0], batch=True)])
    small.admit()
    tables = small.lake.tables(WEEK)
    result = tables.run(tables.table(GatewayCall))
    assert result.schema.names == stored_schema(GatewayCall).names
    assert result.schema.types == stored_schema(GatewayCall).types


def test_only_the_windows_days_are_opened(small: Any) -> None:
    for day in (DAY, NEXT):
        small.keep("gateway", day, [small.call(1, day)])
    small.admit()
    state = small.lake.admitted()
    files = small.lake.delta.files("gateway_call", state.tables["gateway_call"], {NEXT})
    assert len(files) == 1
    assert len(small.rows(GatewayCall, f"{NEXT}/2026-11-11")) == 1


def test_history_reaches_as_far_as_declared(small: Any) -> None:
    for day in ("2026-11-01", "2026-11-02", DAY):
        small.keep("gateway", day, [small.call(1, day)])
    small.admit()
    tables = small.lake.tables(WEEK, history_weeks=1)
    past = tables.over(WEEK.history(1))
    assert tables.run(past.table(GatewayCall)).num_rows == 1
    assert past.window == Window.parse("2026-11-02/2026-11-09")
    assert past.over(WEEK).window == WEEK
    for beyond in (WEEK.history(2), Window.parse("2026-11-09/2026-11-17")):
        with pytest.raises(EvidenceError, match="1 weeks of history"):
            past.over(beyond)


def test_relations_of_two_windows_can_be_joined(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)])
    small.admit()
    tables = small.lake.tables(WEEK, history_weeks=1)
    both = tables.table(GatewayCall).union(tables.over(WEEK.history(1)).table(GatewayCall))
    assert tables.run(both.join(tables.table(Delivery), "request_id", how="left")).num_rows == 1


def test_readers_stay_at_the_state_they_opened(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)])
    small.admit()
    tables = small.lake.tables(WEEK)
    small.keep("gateway", DAY, [small.call(1), small.call(2)])
    small.admit()
    assert tables.run(tables.table(GatewayCall)).num_rows == 1
    assert len(small.rows(GatewayCall)) == 2


def test_evidence_names_pages_rows_and_standing(small: Any) -> None:
    window = Window.parse(f"{DAY}/2026-11-11")
    pages = []
    for number, day in enumerate((DAY, NEXT)):
        rows = [small.call(number, day), small.call(number + 5, day, in_uncached=-1)]
        pages += small.keep("gateway", day, rows, final=True).pages
    small.admit()
    [found] = small.lake.evidence([GatewayCall], window)
    assert found.document() == {
        "kind": "gateway_call",
        "source": "gateway",
        "digest": digest(encode([page.digest for page in pages])),
        "bytes": sum(page.bytes for page in pages),
        "rows": 2,
        "refused": 2,
        "status": "complete",
        "version": 1,
        "final": True,
    }


def test_a_declared_source_that_gave_nothing_is_missing(small: Any) -> None:
    [found] = small.lake.evidence([ProviderUsage], WEEK, {"usage": (ProviderUsage,)})
    assert (found.source, found.status, found.rows, found.final) == ("usage", "missing", 0, False)
    population = small.lake.population([ProviderUsage], WEEK, {"usage": (ProviderUsage,)})
    assert population["provider_usage"]["missing_days"] == 7


def test_statuses_tell_faults_gaps_and_what_is_not_yet_admitted(small: Any) -> None:
    window = Window.parse(f"{DAY}/2026-11-10")
    declared = {"gateway": (GatewayCall,)}

    def status() -> str:
        [found] = small.lake.evidence([GatewayCall], window, declared)
        return str(found.status)

    small.keep("gateway", DAY, [], status="throttled")
    assert status() == "throttled"
    small.keep("gateway", DAY, [small.call(1)])
    assert status() == "late"
    small.admit()
    assert status() == "complete"
    small.keep("gateway", DAY, [], status="unreachable")
    assert status() == "late"
    small.keep("gateway", DAY, [small.call(1)], b"{")
    small.admit()
    assert status() == "page truncated"


def test_the_population_counts_every_way_a_row_can_go(small: Any) -> None:
    rows = [small.call(1), small.call(1), small.call(2, in_uncached=-1), small.call(3, NEXT)]
    small.keep("gateway", DAY, rows)
    small.admit()
    population = small.lake.population([GatewayCall], WEEK)["gateway_call"]
    assert population == {
        "rows": 1,
        "refused": 1,
        "repeated": 1,
        "elsewhere": 1,
        "late_days": 0,
        "missing_days": 6,
        "sources": ["gateway"],
        "late": [],
        "missing": [
            {"source": "gateway", "day": day.isoformat(), "status": "missing"}
            for day in WEEK.days()
            if day.isoformat() != DAY
        ],
    }


def test_the_projection_does_not_depend_on_what_was_admitted_together(
    small: Any, tmp_path: Any
) -> None:
    other = type(small)(tmp_path / "other")
    for lake in (small, other):
        for number, day in enumerate((DAY, NEXT)):
            lake.keep("gateway", day, [lake.call(number, day, in_uncached=number - 1)])
            if lake is other:
                lake.admit()
        lake.admit()
    first = small.lake.admission([GatewayCall], WEEK)
    assert first == other.lake.admission([GatewayCall], WEEK)
    [kind] = first
    by_column = {e["kwargs"].get("column"): e for e in kind["expectations"]}
    assert (by_column["in_uncached"]["evaluated"], by_column["in_uncached"]["unexpected"]) == (2, 1)
    assert kind["judged_by"] == [
        "compiled rules alone (Great Expectations is not installed, or not asked)"
    ]


def test_dated_knowledge_is_in_every_window(small: Any) -> None:
    row = {"kind": "price_term", "provider": "openai", "model": "m", "unit_usd_pico": 1}
    row |= {"token_type": "in_uncached", "valid_from": small.at("2026-01-01")}
    small.keep("prices", "dated", [row])
    small.admit()
    assert len(small.rows(PriceTerm, "2020-01-01/2020-01-02")) == 1
    [found] = small.lake.evidence([PriceTerm], WEEK)
    assert (found.rows, found.status) == (1, "complete")
