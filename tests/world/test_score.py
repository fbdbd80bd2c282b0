from typing import Any

from countersign.model import Window
from countersign.world import score

WEEK = Window.parse("2026-09-07/2026-09-14")
DURING, BEFORE = "2026-09-10T10:00:00Z", "2026-09-01T10:00:00Z"


def planted(fact: str, subject: str, **more: Any) -> dict[str, Any]:
    control = {"new-level": "input-drift", "out-of-region": "data-residency"}
    entry = {
        "id": f"{fact}/{subject}",
        "control": control.get(fact, "token-reconciliation"),
        "fact": fact,
        "subjects": [subject],
        "from": DURING,
        "to": DURING,
        "measures": {},
        "consequences": [],
    }
    return {**entry, **more}


def seen(fact: str, subject: str, *, holds: bool | None) -> dict[str, Any]:
    return {"fact": fact, "subject": subject, "holds": holds}


def finding(control: str, state: str) -> dict[str, Any]:
    return {"control": control, "state": state, "exceptions": []}


def judge(entries: list[dict[str, Any]], seen_by: dict[str, Any], *findings: Any) -> Any:
    return score({"planted": entries}, findings, seen_by, WEEK, lambda key: f"commitment-of-{key}")


def test_an_observation_of_the_planted_fact_and_subject_is_found() -> None:
    result = judge(
        [planted("cancelled-tail", "r1"), planted("cancelled-tail", "r2")],
        {"token-reconciliation": [seen("cancelled-tail", "r1", holds=True)]},
    )
    assert result.missed == ("cancelled-tail r2",)
    assert result.spurious == ()


def test_an_observation_with_the_wrong_outcome_finds_nothing() -> None:
    undecided = seen("cancelled-tail", "r1", holds=None)
    result = judge([planted("cancelled-tail", "r1")], {"token-reconciliation": [undecided]})
    assert result.missed == ("cancelled-tail r1",)


def test_an_explained_fact_that_was_not_planted_is_spurious() -> None:
    entries = [planted("cancelled-tail", "r1")]
    observed = [seen("cancelled-tail", s, holds=True) for s in ("r1", "r9")]
    result = judge(entries, {"token-reconciliation": observed})
    assert result.spurious == ("cancelled-tail r9",)


def test_what_merely_holds_or_is_undecided_is_not_spurious() -> None:
    observed = [seen("extreme-value", "x", holds=True), seen("unproven", "r1", holds=None)]
    assert judge([planted("out-of-region", "r1")], {"data-residency": observed}).spurious == ()


def test_the_unlogged_key_is_matched_by_its_commitment() -> None:
    observed = [seen("unlogged-key", "commitment-of-key_x", holds=False)]
    result = judge([planted("unlogged-key", "key_x")], {"token-reconciliation": observed})
    assert (result.missed, result.spurious) == ((), ())


def test_consequences_of_what_is_planted_are_not_spurious() -> None:
    follows = [
        {"fact": "feature-moved", "subject": "unseen_term"},
        {"fact": "new-level", "subject": "cluster=*"},
    ]
    entries = [planted("new-level", "intent=passkey", consequences=follows)]
    observed = [
        seen("new-level", "intent=passkey", holds=False),
        seen("feature-moved", "unseen_term", holds=False),
        seen("new-level", "cluster=7", holds=False),
        seen("feature-moved", "hour", holds=False),
    ]
    result = judge(entries, {"input-drift": observed})
    assert result.missed == ()
    assert result.spurious == ("feature-moved hour",)


def test_only_facts_of_the_window_count() -> None:
    entries = [planted("cancelled-tail", "old", **{"from": BEFORE, "to": BEFORE})]
    assert judge(entries, {"token-reconciliation": []}).missed == ()


def test_with_nothing_planted_a_failed_finding_is_spurious() -> None:
    result = judge([], {"input-drift": []}, finding("input-drift", "not-satisfied"))
    assert result.spurious == ("not-satisfied finding",)
    satisfied = judge([], {"input-drift": []}, finding("input-drift", "satisfied"))
    assert satisfied.spurious == ()


def test_a_control_that_said_nothing_misses_everything_planted_for_it() -> None:
    result = judge([planted("out-of-region", "r1")], {})
    assert result.missed == ("out-of-region r1",)
    assert "data-residency" in result.table()
    assert result.document()["controls"]["data-residency"]["planted"] == 1
