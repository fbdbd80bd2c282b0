"""Residency facts: the weakest link is derived again, and a contradiction is refused."""

import copy
import json
from typing import Any

import pytest

from countersign.attest import grade
from countersign.attest.residency import Derived, Hop, Policy, Request, Resource
from countersign.errors import EvidenceError, VerificationError
from countersign.model import Strength

POLICY = Policy(name="EU only")


def request(*hops: Hop, verdict: str = "unproven", derived: tuple[Derived, ...] = ()) -> Request:
    return Request(
        tenant="aster-bank",
        at_us=1_794_218_400_000_000,
        request="ab" * 32,
        policy=POLICY,
        verdict=verdict,
        hops=hops,
        derived=derived,
    )


GATEWAY = Hop(role="gateway", strength=Strength.R3, jurisdiction="DE")
INFERENCE = Hop(role="inference", strength=Strength.R2, jurisdiction="EU")
DECLARED = Hop(role="vector store", strength=Strength.R1, jurisdiction="EU")
UNKNOWN = Hop(role="trace store", strength=Strength.R0)
CACHE = Derived(kind="prompt cache", strength=Strength.R1)


def facts_of(found: Request) -> dict[str, Any]:
    record = found.record()
    facts: dict[str, Any] = json.loads(record.content)
    assert (record.tenant, record.at, record.request) == (
        facts["tenant"], facts["at"], facts["request"],
    )  # fmt: skip
    return facts


def test_a_grade_is_its_weakest_part_and_names_it() -> None:
    facts = facts_of(request(GATEWAY, INFERENCE, DECLARED, derived=(CACHE,)))
    assert facts["result"]["path"] == {"strength": "R1", "setBy": "hop 2 (vector store)"}
    assert facts["result"]["derivedState"] == {"strength": "R1", "setBy": "prompt cache"}
    assert grade.check(facts) == (
        "unproven",
        "R1, set by hop 2 (vector store)",
        "R1, set by prompt cache",
    )


def test_no_derived_state_is_ungraded_and_said_so() -> None:
    facts = facts_of(request(GATEWAY, INFERENCE, verdict="compliant"))
    assert facts["result"]["derivedState"] == {"strength": None, "setBy": "nothing recorded"}


def test_an_unknown_place_is_a_gap_without_being_asked() -> None:
    facts = facts_of(request(GATEWAY, UNKNOWN))
    assert facts["gaps"] == [{"part": "hop 1 (trace store)", "reason": "nothing says where it is"}]
    del facts["gaps"][0]
    with pytest.raises(VerificationError, match=r"hop 1 \(trace store\), whose place is unknown"):
        grade.check(facts)


@pytest.mark.parametrize("hop", [DECLARED, UNKNOWN])
def test_compliant_below_the_required_strength_cannot_be_sealed(hop: Hop) -> None:
    with pytest.raises(EvidenceError, match="evidence of strength R2 or more"):
        request(GATEWAY, hop, verdict="compliant").record()


def test_compliant_without_any_hop_cannot_be_sealed() -> None:
    with pytest.raises(EvidenceError, match="observed None, set by nothing recorded"):
        request(verdict="compliant").record()


def test_compliant_with_derived_state_of_unknown_place_cannot_be_sealed() -> None:
    lost = Derived(kind="backup", strength=Strength.R0)
    with pytest.raises(EvidenceError, match="derivedState: expected evidence of strength R1"):
        request(INFERENCE, verdict="compliant", derived=(CACHE, lost)).record()


@pytest.mark.parametrize(
    ("path", "value", "cause"),
    [
        (("result", "verdict"), "fine", "compliant or violating"),
        (("result", "path", "strength"), "R3", "result, path"),
        (("result", "path", "setBy"), "hop 0 (gateway)", "result, path"),
        (("hops", 1, "strength"), "R9", "R0 to R5"),
        (("hops", 1, "strength"), None, "a string"),
        (("hops", 1, "seq"), True, "an integer"),
        (("hops",), {}, "a list"),
        (("hops", 0), 1, "a list of objects"),
        (("gaps",), None, "a list"),
        (("result",), [], "an object"),
    ],
)
def test_facts_that_contradict_themselves_are_refused(
    path: tuple[Any, ...], value: object, cause: str
) -> None:
    facts = copy.deepcopy(facts_of(request(GATEWAY, INFERENCE)))
    place: Any = facts
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(VerificationError, match=cause):
        grade.check(facts)


def test_a_resource_rests_on_a_digest_or_an_address() -> None:
    assert Resource("terms", uri="urn:terms").document() == {"name": "terms", "uri": "urn:terms"}
    with pytest.raises(EvidenceError, match="a digest or a URI"):
        Resource("terms").document()
