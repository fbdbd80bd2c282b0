"""Hourly manifests: order, versions, proofs, and neighbours with nothing between."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign import canonical
from countersign.attest import hours
from countersign.attest.hours import Hour, Record
from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import merkle

HOUR = "2026-11-09T10:00:00Z"


def record(tenant: str, minute: int, request: str) -> Record:
    at = f"2026-11-09T10:{minute:02d}:00.000000Z"
    content = canonical.encode({"tenant": tenant, "at": at, "request": request})
    return Record(tenant, at, request, content)


RECORDS = [record(t, m, f"{t}-{m}") for t in ("borealis", "aster") for m in (30, 5, 59)]


def test_records_are_sorted_by_tenant_time_and_request() -> None:
    hour = Hour.of(HOUR, RECORDS)
    assert [r.request for r in hour.records] == [
        "aster-5", "aster-30", "aster-59", "borealis-5", "borealis-30", "borealis-59",
    ]  # fmt: skip
    assert hour.entry() == Hour.of(HOUR, reversed(RECORDS)).entry()


def test_the_entry_names_ends_by_hash_and_carries_no_record() -> None:
    hour = Hour.of(HOUR, RECORDS, version=2, supersedes="ab" * 32)
    assert json.loads(hour.entry()) == {
        "type": "hour",
        "hour": HOUR,
        "version": 2,
        "supersedes": "ab" * 32,
        "count": 6,
        "first": merkle.leaf_hash(hour.records[0].content).hex(),
        "last": merkle.leaf_hash(hour.records[-1].content).hex(),
        "root": hour.tree.root.hex(),
    }
    assert b"aster" not in hour.entry()


def test_an_hour_without_requests_is_sealed_as_empty() -> None:
    entry = json.loads(Hour.of(HOUR, []).entry())
    assert (entry["count"], entry["first"], entry["root"]) == (0, None, merkle.EMPTY_ROOT.hex())


@given(st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 59)), min_size=1))
def test_every_record_is_proved_and_no_other(keys: set[tuple[str, int]]) -> None:
    hour = Hour.of(HOUR, [record(t, m, f"{t}{m}") for t, m in keys])
    for index, found in enumerate(hour.records):
        assert hour.find(found.request) == index
        assert hours.check_record(found.content, hour.prove(index), hour.entry()).index == index
    stranger = record("d", 0, "d0").content
    with pytest.raises(VerificationError, match="inclusion proof"):
        hours.check_record(stranger, hour.prove(0), hour.entry())


def test_neighbours_show_that_nothing_lies_between() -> None:
    hour = Hour.of(HOUR, RECORDS)
    proved = [(r.content, hour.prove(i)) for i, r in enumerate(hour.records)]
    assert hours.check_neighbours(proved[2], proved[3], hour.entry()) == (2, 3)
    for left, right in ((proved[1], proved[3]), (proved[3], proved[2]), (proved[2], proved[2])):
        with pytest.raises(VerificationError, match="neighbours: expected leaf"):
            hours.check_neighbours(left, right, hour.entry())


def test_neighbours_out_of_order_are_refused() -> None:
    ordered = Hour.of(HOUR, RECORDS[:2])
    turned = Hour(HOUR, 1, None, ordered.records[::-1],
                  merkle.Tree.of(r.content for r in ordered.records[::-1]))  # fmt: skip
    proved = [(r.content, turned.prove(i)) for i, r in enumerate(turned.records)]
    with pytest.raises(VerificationError, match="the later record first"):
        hours.check_neighbours(proved[0], proved[1], turned.entry())


def test_a_proof_for_another_version_is_refused() -> None:
    first, second = Hour.of(HOUR, RECORDS[:5]), Hour.of(HOUR, RECORDS, version=2)
    with pytest.raises(VerificationError, match="with 6 records, as the log entry says"):
        hours.check_record(first.records[0].content, first.prove(0), second.entry())


def test_a_record_that_says_another_hour_is_refused() -> None:
    tree = merkle.Tree.of([RECORDS[0].content])
    hour = Hour("2026-11-09T11:00:00Z", 1, None, (RECORDS[0],), tree)
    with pytest.raises(VerificationError, match="for a record of 2026-11-09T10:30"):
        hours.check_record(RECORDS[0].content, hour.prove(0), hour.entry())


def test_records_that_do_not_belong_are_refused() -> None:
    with pytest.raises(EvidenceError, match="expected 2026-11-09T11:00:00Z"):
        Hour.of("2026-11-09T11:00:00Z", RECORDS)
    with pytest.raises(EvidenceError, match="two for aster-5"):
        Hour.of(HOUR, [*RECORDS, record("aster", 5, "aster-5")])
    with pytest.raises(EvidenceError, match="request nobody"):
        Hour.of(HOUR, RECORDS).find("nobody")


def test_timestamps_sort_as_time_does() -> None:
    instants = [0, 1, 999_999, 1_000_000, 1_000_001, 60_000_000]
    assert sorted(map(hours.timestamp, instants)) == list(map(hours.timestamp, instants))
    assert hours.timestamp(1) == "1970-01-01T00:00:00.000001Z"


PROOF = Hour.of(HOUR, RECORDS).prove(2).decode()


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ("", "line 1|newline"),
        (PROOF.replace("@v1", "@v2"), "line 1"),
        (PROOF.replace("index 2", "index 02"), "line 3: expected a decimal"),
        (PROOF.replace("count 6", "size 6"), "line 4: expected 'count '"),
        (PROOF[:-1], "newline at the end"),
        (PROOF.replace("=\n", "\n", 1), "line 5: expected canonical base64"),
    ],
)
def test_a_malformed_proof_is_refused_with_its_line(changed: str, cause: str) -> None:
    with pytest.raises(VerificationError, match=cause):
        hours.decode(changed.encode())
    assert hours.encode(hours.decode(PROOF.encode())) == PROOF.encode()


@pytest.mark.parametrize(
    "entry", [b"{}", b'{"type":"packet"}', b'{"type": "hour"}', b'{"type":"hour"}', b"1"]
)
def test_what_is_no_hour_entry_is_refused(entry: bytes) -> None:
    with pytest.raises(VerificationError):
        hours.decode_entry(entry)
