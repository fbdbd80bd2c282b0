"""Legal reach is judged apart from place, by what was in force at that time."""

from datetime import UTC, datetime
from typing import Any

import pytest

from countersign.controls._residency_basis import custody, parties, sovereignty
from countersign.controls._residency_promise import promises

PROMISES = promises([{"tenant": "bank", "jurisdictions": ["EU"]}])


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def touch(era: str, **more: Any) -> dict[str, Any]:
    return {
        "tenant_key": "bank",
        "era_start": day(era),
        "surface": "inference",
        "provider": "openai",
        "operator": "OpenAI Ireland",
        "operator_parent_jurisdiction": "US",
        "key_custody": "provider",
        "transfer_mechanism": None,
        "jurisdiction": "DE",
        "requests": 3,
        **more,
    }


def adequacy(since: str, until: str | None, mechanism: str = "DPF") -> dict[str, Any]:
    return {
        "from_jurisdiction": "EU",
        "to_jurisdiction": "US",
        "mechanism": mechanism,
        "valid_from": day(since),
        "valid_to": None if until is None else day(until),
    }


@pytest.mark.parametrize(
    ("era", "expected"),
    [("2023-07-09", "needs-basis"), ("2023-07-10", "satisfied"), ("2026-09-01", "needs-basis")],
)
def test_verdict_follows_the_dated_adequacy(era: str, expected: str) -> None:
    dated = [adequacy("2023-07-10", "2026-09-01")]
    assert sovereignty(parties([touch(era)], dated, PROMISES)) == expected


def test_mechanism_of_the_term_holds_until_dated_terms_say_otherwise() -> None:
    named = touch("2026-11-09", transfer_mechanism="DPF")
    assert sovereignty(parties([named], [], PROMISES)) == "satisfied"
    revoked = [adequacy("2023-07-10", "2026-09-01")]
    assert sovereignty(parties([named], revoked, PROMISES)) == "needs-basis"


def test_parent_inside_the_promise_needs_no_basis() -> None:
    own = touch("2026-11-09", operator_parent_jurisdiction="FR")
    assert sovereignty(parties([own], [], PROMISES)) == "satisfied"


def test_unknown_parent_is_not_a_pass() -> None:
    own = touch("2026-11-09", operator_parent_jurisdiction=None)
    assert sovereignty(parties([own], [], PROMISES)) == "inconclusive"
    assert sovereignty([]) == "inconclusive"


def test_tenant_without_promise_has_no_parties() -> None:
    assert parties([touch("2026-11-09", tenant_key="")], [], PROMISES) == []


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["provider", "provider"], "provider"),
        (["provider", "customer"], "mixed: customer, provider"),
        (["provider", None], "not stated"),
    ],
)
def test_custody_is_one_answer_or_says_why_not(keys: list[str | None], expected: str) -> None:
    rows = [
        touch("2026-11-09", key_custody=key, surface=surface)
        for key, surface in zip(keys, ("inference", "gateway"), strict=True)
    ]
    assert custody(parties(rows, [], PROMISES)) == expected
