"""Admission: what becomes evidence, what is refused and why, and that nothing happens twice."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from countersign.errors import EvidenceError
from countersign.lake import great
from countersign.lake.judge import Counts
from countersign.lake.salts import ORGANISATION, tenant_scope
from countersign.records import CallText, Delivery, GatewayCall, PriceTerm, ProviderUsage, tables

DAY, NEXT = "2026-11-09", "2026-11-10"


def counts(small: Any, source: str, kind: str, day: str = DAY) -> Counts:
    found: Counts = small.lake.admitted().days[source, day].kinds[kind].counts
    return found


def reasons(small: Any) -> list[str]:
    return sorted(row["reason"] for row in small.quarantine())


def test_rows_carry_where_they_came_from(small: Any) -> None:
    manifest = small.keep("gateway", DAY, [small.call(1)])
    small.admit()
    [row] = small.rows(GatewayCall)
    assert row["source"] == "gateway"
    assert row["page_digest"] == manifest.pages[0].digest
    assert (row["window_day"], row["version"]) == (DAY, 1)
    assert row["admitted_at"].isoformat() == "2026-12-01T00:00:00+00:00"


def test_identifiers_are_committed_under_their_scope(small: Any) -> None:
    plain = {
        "tenant": "aster-bank",
        "user_commitment": "u1",
        "session_commitment": "s1",
        "api_key_commitment": "key_eu_prod",
    }
    small.keep("gateway", DAY, [small.call(1, **plain)])
    small.admit()
    [row] = small.rows(GatewayCall)
    salts = small.lake.salts
    scope = tenant_scope("aster-bank")
    assert row["user_commitment"] == salts.commit(scope, "u1")
    assert row["session_commitment"] == salts.commit(scope, "s1")
    assert row["api_key_commitment"] == salts.commit(ORGANISATION, "key_eu_prod")
    assert salts.reveal(row["user_commitment"]) == (scope, "u1")
    stored = b"".join(f.read_bytes() for f in (small.root / "tables").rglob("*.parquet"))
    assert b"key_eu_prod" not in stored


def test_the_bucket_comes_from_user_else_session_else_tenant(small: Any) -> None:
    rows = [
        small.call(1, tenant="t", session_commitment="s", user_commitment="u"),
        small.call(2, tenant="t", session_commitment="s", user_commitment=""),
        small.call(3, tenant="t"),
        small.call(4),
    ]
    small.keep("gateway", DAY, rows)
    small.admit()
    salts, scope = small.lake.salts, tenant_scope("t")
    expected = [int(salts.commit(scope, who)[:2], 16) & 127 for who in ("u", "s", "t")]
    assert [row["cluster_bucket"] for row in small.rows(GatewayCall)] == [*expected, None]


def test_admitting_again_changes_nothing(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1), small.call(2, in_uncached=-1)])
    small.admit()
    before = {f: f.stat().st_mtime_ns for f in small.root.rglob("*") if f.is_file()}
    again = small.admit()
    assert again.days == 0
    assert {f: f.stat().st_mtime_ns for f in small.root.rglob("*") if f.is_file()} == before


def test_a_page_that_differs_replaces_exactly_its_day_and_history_stays(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)])
    small.keep("gateway", NEXT, [small.call(2, NEXT)])
    small.keep("beacons", DAY, [])
    small.admit()
    untouched = small.lake.delta.files("gateway_call", 0, {NEXT})
    small.keep("gateway", DAY, [small.call(1), small.call(3)])
    admission = small.admit()
    assert (admission.days, dict(admission.rows)) == (1, {"gateway_call": 2})
    assert [row["call_id"] for row in small.rows(GatewayCall)] == ["c1", "c2", "c3"]
    assert [row["version"] for row in small.rows(GatewayCall)] == [2, 1, 2]
    assert small.lake.delta.files("gateway_call", 1, {NEXT}) == untouched
    old = DeltaTable(str(small.root / "tables" / "gateway_call"), version=0)
    assert sum(pq.ParquetFile(uri).metadata.num_rows for uri in old.file_uris()) == 2


def test_two_sources_of_one_kind_keep_to_their_own_rows(small: Any) -> None:
    kinds = {"a": (GatewayCall,), "b": (GatewayCall,)}
    for source in kinds:
        small.keep(source, DAY, [small.call(1, tenant=source)])
    conftest_admit(small, kinds)
    small.keep("a", DAY, [small.call(1, tenant="a2")])
    conftest_admit(small, kinds)
    assert sorted(row["tenant"] for row in small.rows(GatewayCall)) == ["a2", "b"]


def conftest_admit(small: Any, kinds: Any) -> None:
    def parse(_source: str, page: bytes) -> Any:
        rows = json.loads(page)
        return tables(GatewayCall(**{k: v for k, v in r.items() if k != "kind"}) for r in rows)

    folder = Path(__file__).resolve().parents[2] / "expectations"
    small.lake.admit(
        parse, lambda s: kinds[s], expectations=[folder], now_us=0, second_opinion=False
    )


def test_every_reason_of_a_refusal_is_given(small: Any) -> None:
    bad = small.call(1, in_uncached=-5, out_visible=10**9 + 1, status="fine", ended_at=0)
    small.keep("gateway", DAY, [bad, small.call(2, in_uncached=0, out_visible=None)])
    small.admit()
    [row] = small.quarantine()
    assert row["rules"] == [
        "ended_at and started_at: pair_values_a_to_be_greater_than_b",
        "in_uncached: values_to_be_between",
        "out_visible: values_to_be_between",
        "status: values_to_be_in_set",
    ]
    assert "in_uncached is a count of tokens" in row["reason"]
    assert json.loads(row["row"])["call_id"] == "c1"
    assert [r["call_id"] for r in small.rows(GatewayCall)] == ["c2"]
    assert (counts(small, "gateway", "gateway_call").rows,) == (1,)
    assert counts(small, "gateway", "gateway_call").refused == 1


def test_a_corrected_row_leaves_quarantine(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1, in_uncached=-5)])
    small.admit()
    small.keep("gateway", DAY, [small.call(1, in_uncached=5)])
    small.admit()
    assert small.quarantine() == []
    assert len(small.rows(GatewayCall)) == 1


def test_repeats_are_dropped_and_contradictions_refused(small: Any) -> None:
    first, other = small.call(1, in_uncached=5), small.call(1, in_uncached=6)
    small.keep("gateway", DAY, [first, small.call(2)], [first, other])
    small.admit()
    assert [row["in_uncached"] for row in small.rows(GatewayCall)] == [5, None]
    found = counts(small, "gateway", "gateway_call")
    assert (found.rows, found.repeated, found.refused) == (2, 1, 1)
    [refused] = small.quarantine()
    assert refused["rules"] == ["occurrence: values_to_be_between"]


def test_duplicates_do_not_depend_on_the_days_admitted_together(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)])
    small.keep("gateway", NEXT, [small.call(1, NEXT)])
    small.admit()
    assert len(small.rows(GatewayCall)) == 2


def test_a_null_in_the_identity_is_a_value(small: Any) -> None:
    bucket = {"kind": "provider_usage", "provider": "openai", "model": "m"}
    bucket |= {"bucket_start": small.at(DAY), "bucket_end": small.at(DAY, 3600)}
    small.keep("usage", DAY, [{**bucket, "in_uncached": 1}, {**bucket, "in_uncached": 2}])
    small.admit()
    found = counts(small, "usage", "provider_usage")
    assert (found.rows, found.refused) == (1, 1)
    [row] = small.rows(ProviderUsage)
    assert row["fetched_at"].isoformat() == "2026-11-10T01:00:00+00:00"


def test_rows_of_other_days_are_counted_and_left_to_their_own_page(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1), small.call(9, NEXT)])
    small.admit()
    assert counts(small, "gateway", "gateway_call").elsewhere == 1
    assert [row["call_id"] for row in small.rows(GatewayCall)] == ["c1"]
    assert small.quarantine() == []


def test_a_page_of_many_days_is_parsed_once_and_nothing_is_elsewhere(small: Any) -> None:
    page = [small.call(1), small.call(2, NEXT)]
    for day in (DAY, NEXT):
        small.keep("gateway", day, page)
    small.admit()
    assert [row["window_day"] for row in small.rows(GatewayCall)] == [DAY, NEXT]
    assert counts(small, "gateway", "gateway_call").elsewhere == 0


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"started_at": None}, "started_at must be given"),
        ({"started_at": 0}, "a clock that was never set"),
        ({"started_at": 1_900_000_000_000_000}, "a clock that runs ahead"),
    ],
)
def test_a_time_that_cannot_be_true_is_refused_and_not_elsewhere(
    small: Any, values: dict[str, Any], reason: str
) -> None:
    small.keep("gateway", DAY, [small.call(1, **values)])
    small.admit()
    assert small.rows(GatewayCall) == []
    assert counts(small, "gateway", "gateway_call").elsewhere == 0
    assert reason in reasons(small)[0]


def test_a_clock_slightly_ahead_is_borne(small: Any) -> None:
    fetched = small.at(DAY, 3600)
    rows = [small.call(1, started_at=fetched + 299_000_000)]
    rows.append(small.call(2, started_at=fetched + 301_000_000))
    small.keep("gateway", DAY, rows, fetched_at=fetched)
    small.admit()
    assert [row["call_id"] for row in small.rows(GatewayCall)] == ["c1"]


def test_a_truncated_page_refuses_its_day_and_the_others_go_on(small: Any) -> None:
    good = [small.call(1)]
    small.keep("gateway", DAY, good, b'[{"kind": "gateway_c')
    small.keep("gateway", NEXT, [small.call(2, NEXT)])
    admission = small.admit()
    [(source, day, why)] = admission.refusals
    assert (source, day) == ("gateway", DAY)
    assert "source gateway, page 1: page truncated" in why
    assert [row["call_id"] for row in small.rows(GatewayCall)] == ["c2"]
    assert small.lake.admitted().days["gateway", DAY].status == "page truncated"
    small.keep("gateway", DAY, good)
    small.admit()
    assert [row["call_id"] for row in small.rows(GatewayCall)] == ["c1", "c2"]


@pytest.mark.parametrize("values", [{"in_uncached": "many"}, {"in_uncached": 2**70}])
def test_a_value_that_fits_no_column_makes_the_page_malformed(
    small: Any, values: dict[str, Any]
) -> None:
    small.keep("gateway", DAY, [small.call(1, **values)])
    [(_, _, why)] = small.admit().refusals
    assert "page malformed" in why


def test_a_reading_that_broke_off_admits_nothing(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)], status="throttled", note="429 on page 2")
    [(_, _, why)] = small.admit().refusals
    assert why == "429 on page 2"
    assert small.rows(GatewayCall) == []


def test_an_altered_page_refuses_its_day(small: Any) -> None:
    manifest = small.keep("gateway", DAY, [small.call(1)])
    small.lake.store.replace(f"raw/gateway/{DAY}/{manifest.pages[0].digest}", b"[]")
    [(_, _, why)] = small.admit().refusals
    assert "expected bytes with SHA-256" in why


def test_an_empty_day_is_admitted_as_empty_and_is_no_success(small: Any) -> None:
    small.keep("gateway", DAY, [])
    small.admit()
    found = counts(small, "gateway", "gateway_call")
    assert (found.rows, found.evaluated[0], found.unexpected[0]) == (0, 0, 1)
    assert small.rows(GatewayCall) == []


def test_dated_knowledge_is_replaced_as_a_whole(small: Any) -> None:
    def price(model: str) -> dict[str, Any]:
        row = {"kind": "price_term", "provider": "openai", "model": model, "unit_usd_pico": 750_000}
        return {**row, "token_type": "in_uncached", "valid_from": small.at("2026-01-01")}

    small.keep("prices", "dated", [price("a"), price("b")])
    small.admit()
    small.keep("prices", "dated", [price("c")])
    small.admit()
    [row] = small.rows(PriceTerm)
    assert (row["model"], row["window_day"]) == ("c", "dated")


def test_hostile_text_is_data(small: Any) -> None:
    texts = [
        "<script>alert(1)</script>",
        "nul \x00 bell \x07",
        "\u202eright to left\u202c שלום",
        "half a pair \ud800",
        "long " * 200_000,
        "'; DROP TABLE batch; --",
    ]
    small.keep("gateway", DAY, [small.call(n) for n in range(len(texts))])
    said = [small.said(n, text) for n, text in enumerate(texts)]
    small.keep("texts", DAY, said)
    admission = small.admit()
    assert admission.refusals == ()
    rows = {row["call_id"]: row for row in small.rows(CallText)}
    assert rows["c2"]["text"] == texts[2]
    assert rows["c3"]["text"] == "half a pair ?"
    calls = small.rows(GatewayCall)
    assert [row["prompt_characters"] for row in calls] == [len(text) for text in texts]
    assert all(len(row["prompt_commitment"]) == 64 for row in calls)


def test_text_beyond_the_limit_is_refused_without_being_copied(small: Any) -> None:
    small.keep("texts", DAY, [small.said(1, "x" * 2_000_001)])
    small.admit()
    [row] = small.quarantine()
    assert "2 000 000 characters" in row["reason"]
    assert len(row["row"]) < 1_000


def test_kinds_that_are_not_taken_from_a_source_are_left_out(small: Any) -> None:
    shown = {"kind": "delivery", "request_id": "r1", "started_at": small.at(DAY), "ended": "error"}
    small.keep("gateway", DAY, [small.call(1), shown])
    small.admit()
    assert len(small.rows(GatewayCall)) == 1
    assert small.rows(Delivery) == []


def test_a_source_taken_out_of_the_configuration_keeps_its_rows(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)])
    small.admit()
    folder = [Path(__file__).resolve().parents[2] / "expectations"]
    again = small.lake.admit(lambda _s, _p: {}, lambda _s: (), expectations=folder, now_us=0)
    assert again.days == 0
    assert len(small.rows(GatewayCall)) == 1


@pytest.mark.platform
def test_great_expectations_agrees_and_is_named(small: Any) -> None:
    pytest.importorskip("great_expectations")
    rows = [small.call(n, in_uncached=n - 3, tenant="t") for n in range(9)]
    small.keep("gateway", DAY, [*rows, rows[8], {**rows[7], "status": "lost"}])
    small.keep("texts", DAY, [small.said(n, "text") for n in range(9)])
    small.admit(second_opinion=True)
    entry = small.lake.admitted().days["gateway", DAY].kinds["gateway_call"]
    assert entry.judged_by == great.version()
    assert "Great Expectations 1." in entry.judged_by
    assert (entry.counts.rows, entry.counts.refused, entry.counts.repeated) == (6, 4, 1)


def test_a_disagreement_admits_nothing(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(suite: Any, _batch: Any) -> list[great.Judged]:
        return [great.Judged(rule.type, rule.kwargs, 1, 1) for rule in suite.rules]

    monkeypatch.setattr(great, "validate", wrong)
    small.keep("gateway", DAY, [small.call(1)])
    with pytest.raises(EvidenceError, match="as Great Expectations counts"):
        small.admit(second_opinion=True)
    assert small.rows(GatewayCall) == []
