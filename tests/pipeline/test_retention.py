"""What has had its time goes, unless it is held; the log and every check say so."""

import json
from dataclasses import replace
from typing import Any

import pytest

from countersign.attest import entries
from countersign.errors import ConfigError
from countersign.lake.subject import Named
from countersign.lake.tombstone import Tombstones
from countersign.model import Window
from countersign.pipeline import admit, assess, erase, evidence, expiry, hold, retention
from countersign.records import CallText, Delivery, GatewayCall

NOW = "now = 2026-11-16T06:00:00Z"
DAYS = 7


def configure(site: Any, text: str) -> Any:
    """Give the installation rules of retention."""
    site.edit("[text]", f"{text}\n\n[text]")
    return site.open()


def counted(site: Any, kind: Any, tenant: str | None = None) -> dict[str, int]:
    """Rows of a kind by day."""
    tables = site.open().lake.tables(site.week)
    found: dict[str, int] = {}
    for row in tables.run(tables.table(kind)).to_pylist():
        if tenant is None or row["tenant"] == tenant:
            found[row["window_day"]] = found.get(row["window_day"], 0) + 1
    return found


def pages(site: Any) -> dict[str, set[str]]:
    """Sources by day of every page on disk."""
    found: dict[str, set[str]] = {}
    for name in site.open().lake.store.names("raw"):
        _, source, day, _ = name.split("/")
        found.setdefault(day, set()).add(source)
    return found


def test_showing_changes_nothing_and_names_rule_and_count(fresh_week: Any) -> None:
    ws = configure(fresh_week, '[retention]\nraw_pages = "5d"\ndelivery = "4d"')
    before = (counted(fresh_week, Delivery), pages(fresh_week), ws.log.size)
    plan = expiry.plan(ws)
    assert [part.rule.text for part in plan] == ["delivery = 4d", "raw_pages = 5d", "delivery = 4d"]
    assert plan[2].rows == sum(n for day, n in before[0].items() if day < "2026-11-12")
    assert "2026-11-09 to 2026-11-11" in plan[2].sentence
    assert (counted(fresh_week, Delivery), pages(fresh_week), ws.log.size) == before


def test_rows_pages_and_keys_go_and_manifests_stay(fresh_week: Any) -> None:
    before = counted(fresh_week, Delivery)
    calls = counted(fresh_week, GatewayCall)
    ws = configure(fresh_week, '[retention]\nraw_pages = "5d"\ndelivery = "4d"')
    retention.apply(ws, "records office")
    assert counted(fresh_week, Delivery) == {d: n for d, n in before.items() if d >= "2026-11-12"}
    assert counted(fresh_week, GatewayCall) == calls
    left = pages(fresh_week)
    assert min(day for day in left if day != "dated") == "2026-11-11"
    assert "beacons" not in left["2026-11-11"]  # a page goes with the first kind taken from it
    keys = {name.split("/", 1)[1] for name in ws.lake.store.names("page_keys")}
    assert keys == {name.split("/", 1)[1] for name in ws.lake.store.names("raw")}
    assert ws.lake.raw.manifest("litellm", "2026-11-09").pages
    assert expiry.plan(fresh_week.open()) == []


def test_the_log_says_what_went_by_which_rule_and_whose_word(fresh_week: Any) -> None:
    ws = configure(fresh_week, '[retention]\ndelivery = "4d"\nauthority = "policy 7"')
    names = ws.lake.store.names("raw/beacons")
    over = sum(name.split("/")[2] < "2026-11-12" for name in names)
    done = retention.apply(ws)
    said = [entries.decode(ws.log.entry(part.entry)) for part in done]
    assert {(e["type"], e["rule"], e["authority"]) for e in said} == {
        ("retention", "delivery = 4d", "policy 7")
    }
    assert sum(int(str(e["pages"])) for e in said) == over > 0
    content = ws.lake.store.get(f"tombstones/{said[0]['sha256']}.json")
    assert all(page["new"] is None for page in json.loads(content)["pages"])
    ws.log.check()
    assert evidence.check(fresh_week.open()).pages["past retention"] == over


def test_what_was_deleted_is_not_admitted_away_and_a_new_finding_says_so(fresh_week: Any) -> None:
    ws = configure(fresh_week, '[retention]\ndelivery = "4d"')
    retention.apply(ws)
    after = counted(fresh_week, Delivery)
    assert admit.admit(fresh_week.open()).days == 0
    assert counted(fresh_week, Delivery) == after
    (judged,) = assess.assess(fresh_week.open(), fresh_week.week, ("token-reconciliation",))
    assert judged.kept is not None
    parts = {(p["source"], p["kind"]): p["status"] for p in judged.kept.finding["evidence"]}
    assert parts["beacons", "delivery"] == "deleted after its retention"
    assert judged.kept.finding["state"] != "satisfied"


def test_a_class_of_calls_has_its_own_time(fresh_week: Any) -> None:
    own, all_calls = (
        counted(fresh_week, GatewayCall, "aster-bank"),
        counted(fresh_week, GatewayCall),
    )
    tables = fresh_week.open().lake.tables(fresh_week.week)
    tenants = {r["call_id"]: r["tenant"] for r in tables.run(tables.table(GatewayCall)).to_pylist()}
    text = tables.run(tables.table(CallText)).to_pylist()
    rules = '[[retention.classes]]\nname = "bank"\ntenant = "aster-bank"\n'
    ws = configure(fresh_week, rules + 'gateway_call = "3d"\ncall_text = "2d"')
    retention.apply(ws)
    gone = {day for day in all_calls if day < "2026-11-13"}
    assert counted(fresh_week, GatewayCall) == {
        day: n - (own[day] if day in gone else 0) for day, n in all_calls.items()
    }
    expected: dict[str, int] = {}
    for row in text:
        if row["window_day"] >= "2026-11-14" or tenants[row["call_id"]] != "aster-bank":
            expected[row["window_day"]] = expected.get(row["window_day"], 0) + 1
    assert counted(fresh_week, CallText) == expected
    assert sum(expected.values()) < len(text)


def test_salts_and_names_go_with_the_last_call(fresh_week: Any) -> None:
    ws = configure(fresh_week, '[retention]\ngateway_call = "4d"')
    before = ws.lake.salts.pseudonyms().num_rows
    retention.apply(ws)
    ws = fresh_week.open()
    assert ws.lake.salts.known_request_salts("2026-11-09") == {}
    assert ws.lake.salts.known_request_salts("2026-11-15") != {}
    assert 0 < ws.lake.salts.pseudonyms().num_rows < before


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        (hold.Scope(source="beacons"), {"2026-11-09", "2026-11-10", "2026-11-11"}),
        (hold.Scope(window=Window.parse("2026-11-10/2026-11-11")), {"2026-11-10"}),
        (hold.Scope(named=Named(tenant="aster-bank")), {"2026-11-09", "2026-11-10", "2026-11-11"}),
        (hold.Scope(source="litellm"), set()),
    ],
)
def test_a_hold_beats_retention(fresh_week: Any, scope: hold.Scope, kept: set[str]) -> None:
    before = counted(fresh_week, Delivery)
    ws = configure(fresh_week, '[retention]\ndelivery = "4d"')
    hold.place(ws, "case-1", scope, reason="audit", authority="legal")
    done = retention.apply(fresh_week.open())
    late = {day for day in before if day >= "2026-11-12"}
    assert counted(fresh_week, Delivery) == {day: before[day] for day in late | kept}
    assert {
        day for day, sources in pages(fresh_week).items() if "beacons" in sources
    } == late | kept
    held = {name: n for part in done for name, n in part.held.items()}
    assert held == ({"case-1": len(kept)} if kept else {})
    hold.lift(ws, "case-1", reason="closed", authority="legal")
    retention.apply(fresh_week.open())
    assert counted(fresh_week, Delivery) == {day: before[day] for day in late}


def test_a_held_request_keeps_its_day(fresh_week: Any) -> None:
    ws = fresh_week.open()
    tables = ws.lake.tables(Window.parse("2026-11-10/2026-11-11"))
    request = tables.run(tables.table(Delivery)).to_pylist()[0]["request_id"]
    ws = configure(fresh_week, '[retention]\ndelivery = "4d"')
    hold.place(ws, "r", hold.Scope(named=Named(request=request)), reason="x", authority="y")
    retention.apply(ws)
    days = set(counted(fresh_week, Delivery))
    assert "2026-11-10" in days
    assert "2026-11-09" not in days


def test_every_hold_is_an_entry_without_the_name(fresh_week: Any) -> None:
    ws = fresh_week.open()
    scope = hold.Scope(named=Named("aster-u0001", "aster-bank"))
    hold.place(ws, "case-2", scope, reason="audit", authority="legal")
    hold.lift(ws, "case-2", reason="closed", authority="legal")
    hold.lift(ws, "case-2", reason="closed", authority="legal")
    said = [json.loads(ws.log.entry(i)) for i in range(ws.log.size)]
    holds = [e for e in said if e["type"] == "hold"]
    assert [e["action"] for e in holds] == ["placed", "lifted"]
    contents = b"".join(ws.lake.store.get(f"duties/{e['sha256']}.json") for e in holds)
    assert b"aster-u0001" not in contents + json.dumps(said).encode()
    assert b'"reason":"audit"' in contents


def test_a_run_that_was_killed_is_finished_and_logged_once(fresh_week: Any) -> None:
    ws = configure(fresh_week, '[retention]\nraw_pages = "5d"')
    size = ws.log.size
    (part,) = expiry.plan(ws)
    begun = retention._tombstone(ws, part, "office", None)  # a kill, just after it was kept
    Tombstones(ws.lake.store).keep(begun)
    first, *_ = part.pages
    ws.lake.raw.destroy(first.source, first.day, first.old)
    (done,) = retention.apply(fresh_week.open(), "office")
    assert len(done.pages) == len(part.pages) - 1
    assert ws.log.size == size + 1
    assert json.loads(ws.log.entry(size))["pages"] == len(part.pages)
    assert evidence.check(fresh_week.open()).pages["past retention"] == len(part.pages)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[retention]\nraw_pages = "soon"', "like 30d"),
        ("[retention]\nraw_pages = 30", "like 30d"),
        ('[retention]\nraw_page = "30d"', "raw_page"),
        ('[retention.at_least]\nprice_term = "30d"', "price_term"),
        ('[[retention.classes]]\nname = "x"\ndelivery = "3d"', "tenant or pipeline"),
        ('[[retention.classes]]\nname = "x"\ntenant = "t"\nraw_pages = "3d"', "every class"),
    ],
)
def test_a_rule_that_is_none_is_refused(fresh_week: Any, text: str, said: str) -> None:
    ws = configure(fresh_week, text)
    with pytest.raises(ConfigError, match=said):
        expiry.plan(ws)
    with pytest.raises(ConfigError, match=said):
        erase.erase(ws, Named("nobody"), "office")


def test_refused_rows_go_with_their_kind(fresh_week: Any) -> None:
    ws = fresh_week.open()
    page = json.dumps({"data": [{"request_id": "r-bad", "started_at": "2019-01-01T00:00:00Z",
                                 "ended": "completed"}]}).encode()  # fmt: skip
    held = ws.lake.raw.manifest("beacons", "2026-11-09")
    extra = ws.lake.raw.keep("beacons", "2026-11-09", page)
    ws.lake.raw.record(replace(held, pages=(*held.pages, extra)))
    admit.admit(fresh_week.open())
    ws = configure(fresh_week, '[retention]\ndelivery = "4d"')
    said = [part.sentence for part in expiry.plan(ws)]
    assert "delivery = 4d: 1 refused rows of 2026-11-09 to 2026-11-09" in said
    retention.apply(ws)
    state = fresh_week.open().lake.admitted()
    left = fresh_week.open().lake.delta.read(
        "quarantine", state.tables["quarantine"], ["2026-11-09"]
    )
    assert left is None or "r-bad" not in str(left.to_pylist())
    assert state.days["beacons", "2026-11-09"].kinds["delivery"].counts.refused == 0
