"""Which days came late, as the population of a window names them."""

from typing import Any

from countersign.model import Window
from countersign.records import GatewayCall, PriceTerm

DAY, NEXT = "2026-11-09", "2026-11-10"
WEEK = Window.parse("2026-11-09/2026-11-16")


def late(small: Any, kind: Any = GatewayCall) -> list[tuple[str, str, int, int, int | None]]:
    found = small.lake.population([kind], WEEK)[kind_of(kind)]["late"]
    return [(e["source"], e["day"], e["version"], e["read"], e["newer"]) for e in found]


def kind_of(kind: Any) -> str:
    return {GatewayCall: "gateway_call", PriceTerm: "price_term"}[kind]


def days(small: Any) -> int:
    return int(small.lake.population([GatewayCall], WEEK)["gateway_call"]["late_days"])


def test_a_day_that_was_read_once_is_not_late(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)])
    small.admit()
    small.keep("gateway", DAY, [small.call(1)], fetched_at=small.at(NEXT, 80_000))
    assert (late(small), days(small)) == ([], 0), "read again with the same pages it is as it was"


def test_a_day_that_was_read_again_with_other_pages_is_named_with_its_version(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)])
    small.keep("gateway", NEXT, [small.call(2, NEXT)])
    small.admit()
    small.keep("gateway", DAY, [small.call(1), small.call(3)], fetched_at=small.at(NEXT, 80_000))
    assert late(small) == [("gateway", DAY, 1, 1, 2)], "the newer one is had, and not admitted"
    small.admit()
    assert (late(small), days(small)) == ([("gateway", DAY, 2, 2, None)], 1)


def test_a_reading_that_failed_beside_what_was_admitted_is_named(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)])
    small.admit()
    small.keep("gateway", DAY, status="unreachable", fetched_at=small.at(NEXT, 80_000))
    assert (late(small), days(small)) == ([("gateway", DAY, 1, 1, 0)], 1)


def test_pages_without_somebody_who_was_erased_did_not_come_late(small: Any) -> None:
    manifest = small.keep("gateway", DAY, [small.call(1)], [small.call(2)])
    small.admit()
    small.lake.raw.rewrite("gateway", DAY, {manifest.pages[0].digest: None})
    small.admit()
    assert small.lake.raw.manifest("gateway", DAY).version == 2
    assert late(small) == []


def test_knowledge_that_a_person_edited_did_not_come_late(small: Any) -> None:
    small.keep("prices", "dated", [])
    small.admit()
    small.keep("prices", "dated", [], [], fetched_at=small.at("2026-11-12"))
    small.admit()
    assert late(small, PriceTerm) == []
