"""Violating requests become intervals with exact bounds and shares."""

from collections.abc import Sequence

import pyarrow as pa
import pytest

from countersign.controls._residency_interval import Interval, intervals
from countersign.model import US_PER_SECOND

MINUTE = 60 * US_PER_SECOND
LETTERS = {"c": "compliant", "v": "violating", "u": "unproven", "-": "unrestricted"}


def week(verdicts: str, *, tenant: str = "bank", step: int = MINUTE) -> pa.Table:
    """One request a step, in the order of the letters."""
    count = len(verdicts)
    hit = [letter == "v" for letter in verdicts]
    return pa.table(
        {
            "request_id": [f"{tenant}-{n:05d}" for n in range(count)],
            "tenant": pa.array([tenant] * count, pa.string()),
            "at": pa.array([n * step for n in range(count)], pa.timestamp("us", tz="UTC")),
            "verdict": pa.array([LETTERS[letter] for letter in verdicts], pa.string()),
            "set_by": ["inference attempt 2"] * count,
            "configured": pa.array(["eu" if h else None for h in hit], pa.string()),
            "ran": pa.array(["us" if h else None for h in hit], pa.string()),
            "asked": pa.array(["chat-eu" if h else None for h in hit], pa.string()),
            "used": pa.array(["chat-us" if h else None for h in hit], pa.string()),
        }
    )


def found(*tables: pa.Table, gap_s: int = 0) -> Sequence[Interval]:
    return intervals(pa.concat_tables(tables), gap_s)


def test_compliant_request_between_ends_an_interval() -> None:
    first, second = found(week("cvvvcvvc"))
    assert (first.requests, first.start, first.end) == (3, MINUTE, 3 * MINUTE)
    assert (second.requests, second.duration_s) == (2, 60)
    assert first.interval_share_ppm == 1_000_000
    assert first.week_share_ppm == 375_000


def test_unproven_request_between_does_not_end_it_but_counts() -> None:
    (one,) = found(week("cvuvc"))
    assert (one.requests, one.interval_requests, one.interval_share_ppm) == (2, 3, 666_666)


def test_four_percent_inside_one_forty_minute_window() -> None:
    """Every 25th of 1,001 requests in 40 minutes leaves: one interval when hits lie close."""
    inside = "".join("v" if n % 25 == 0 else "c" for n in range(1001))
    (one,) = found(week("c" * 500 + inside + "c" * 500, step=2_400_000), gap_s=600)
    assert one.duration_s == 40 * 60
    assert (one.requests, one.interval_requests) == (41, 1001)
    assert one.interval_share_ppm == 40_959
    assert one.week_share_ppm == 41 * 1_000_000 // 2001


def test_without_a_gap_each_of_them_stands_alone() -> None:
    assert len(found(week("vcvcv"))) == 3


def test_tenants_do_not_share_an_interval() -> None:
    both = found(week("cv", tenant="a"), week("vc", tenant="b"), gap_s=600)
    assert [(one.tenant, one.requests) for one in both] == [("a", 1), ("b", 1)]


@pytest.mark.parametrize("verdicts", ["", "c", "cu-"])
def test_no_violation_is_no_interval(verdicts: str) -> None:
    assert list(found(week(verdicts))) == []


def test_cause_names_configuration_place_and_fallback() -> None:
    (one,) = found(week("cvc"))
    assert one.cause == "configured eu, ran in us: fallback from chat-eu"
    assert one.observation("EU").measures["requests"] == 1
