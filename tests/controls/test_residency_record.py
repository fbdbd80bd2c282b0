"""The record of a request is canonical, complete, and says nothing about a person."""

import random
from typing import Any

from countersign.canonical import encode
from countersign.controls._residency_record import request_record, window_record
from countersign.model import Window

WINDOW = Window.parse("2026-11-09/2026-11-16")


def hop(seq: int, surface: str, strength: str, **more: Any) -> dict[str, Any]:
    return {
        "request_id": "req-1",
        "tenant": "bank",
        "at": WINDOW.start_us + seq,
        "seq": seq,
        "surface": surface,
        "provider": "openai",
        "operator": None,
        "operator_parent_jurisdiction": "US",
        "region": "eu",
        "jurisdiction": "EU",
        "strength": strength,
        "evidence": "host",
        "status": "ok",
        "call_id": "chatcmpl-1",
        "derived": False,
        "page_digest": "ab" * 32,
        "key_custody": "provider",
        "lifetime_days": None,
        **more,
    }


HOPS = [
    hop(1, "gateway", "R2"),
    hop(2, "inference", "R1", evidence="surface_term", status="error"),
    hop(3, "inference", "R2"),
    hop(4, "log_store", "R1", derived=True, lifetime_days=90, status=None),
    hop(5, "backup", "R0", derived=True, evidence=None, region=None, jurisdiction=None),
]


def test_record_does_not_depend_on_the_order_of_rows() -> None:
    shuffled = random.Random(3).sample(HOPS, len(HOPS))
    assert encode(request_record("c0", shuffled, "unproven")) == encode(
        request_record("c0", HOPS, "unproven")
    )


def test_record_keeps_both_attempts_and_names_the_weakest() -> None:
    record: Any = request_record("c0", HOPS, "unproven")
    assert [h["status"] for h in record["hops"]] == ["ok", "error", "ok"]
    assert record["result"] == {
        "verdict": "unproven",
        "path": {"strength": "R1", "setBy": 2},
        "derivedState": {"strength": "R0", "setBy": 5},
    }


def test_hop_without_evidence_is_a_gap_and_stays_in_the_record() -> None:
    record: Any = request_record("c0", HOPS, "unproven")
    assert record["gaps"] == [{"seq": 5, "role": "backup", "reason": "no region is stated"}]
    assert record["derivedState"][1]["evidence"] == []


def test_state_expires_when_its_lifetime_ends() -> None:
    record: Any = request_record("c0", HOPS, "unproven")
    log, backup = record["derivedState"]
    assert log["createdAt"].startswith("2026-11-09T00:00:00")
    assert log["expiresAt"].startswith("2027-02-07T00:00:00")
    assert backup["expiresAt"] is None


def test_record_holds_no_id_of_the_request_or_its_calls() -> None:
    text = encode(request_record("c0", HOPS, "unproven")).decode()
    assert "req-1" not in text
    assert "chatcmpl" not in text


def test_window_record_counts_one_tenant_or_all() -> None:
    rows = [
        {"tenant": "bank", "verdict": v, "path_strength": p, "derived_strength": "R1"}
        for v, p in (("compliant", "R2"), ("unproven", "R0"))
    ] + [
        {"tenant": "shop", "verdict": "violating", "path_strength": "R2", "derived_strength": None}
    ]
    bank: Any = window_record("bank", WINDOW, rows)
    assert (bank["requests"], bank["compliant"], bank["unproven"]) == (2, 1, 1)
    assert bank["result"] == {"verdict": "unproven", "path": "R0", "derivedState": "R1"}
    every: Any = window_record(None, WINDOW, rows)
    assert (every["requests"], every["result"]["verdict"]) == (3, "violating")
