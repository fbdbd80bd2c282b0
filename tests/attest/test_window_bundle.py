"""Attestations over many requests: every hour proved or a gap, and counts that foot."""

from collections.abc import Mapping
from datetime import date
from types import ModuleType
from typing import Any

import pytest

from countersign import canonical
from countersign.attest import attestation, bundle, document
from countersign.attest.request_bundle import attest_request
from countersign.attest.residency import Policy
from countersign.attest.verify import verify_bundle
from countersign.attest.window_bundle import WINDOW, Scope, attest_window
from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import proof
from countersign.ledger.key import SigningKey
from countersign.ledger.log import Log
from countersign.model import Window

KEY = SigningKey("countersign.example/log", bytes(range(32)))
SCOPE = Scope(window=Window.day(date(2026, 11, 9)), policy=Policy(name="EU only"))
TENANT = Scope(window=SCOPE.window, policy=SCOPE.policy, tenant="aster-bank")


@pytest.fixture(scope="module")
def proofs(scene: Any) -> list[bytes]:
    return [scene.log.prove(index) for index in range(24)]


def attest(scope: Scope, proofs: list[bytes], **requests: int) -> bytes:
    return attest_window(scope, requests, proofs, terms={}, signer=KEY)


def test_an_hour_that_is_not_sealed_becomes_a_gap(proofs: list[bytes]) -> None:
    verdict = verify_bundle(attest(SCOPE, proofs[:3] + proofs[4:], compliant=33), [KEY.key])
    assert verdict.valid
    assert "23 sealed, 1 missing" in verdict.checked[2]
    assert verdict.document["gaps"] == [
        {"part": "hour 2026-11-09T03:00:00Z", "reason": "not sealed in the log"}
    ]


def test_the_order_of_the_proofs_does_not_matter(proofs: list[bytes]) -> None:
    assert attest(SCOPE, proofs, compliant=36) == attest(SCOPE, proofs[::-1], compliant=36)


def test_a_tenant_has_at_most_what_the_hours_hold(proofs: list[bytes]) -> None:
    verdict = verify_bundle(attest(TENANT, proofs, compliant=20, violating=1), [KEY.key])
    assert "The 21 requests are the sum of their verdicts." in verdict.checked
    with pytest.raises(EvidenceError, match="the 36 that the hours hold, observed 37"):
        attest(TENANT, proofs, compliant=37)


def test_what_would_be_refused_is_not_signed(scene: Any, proofs: list[bytes]) -> None:
    with pytest.raises(EvidenceError, match="the 36 that the hours hold, observed 35"):
        attest(SCOPE, proofs, compliant=35)
    with pytest.raises(EvidenceError, match="one proof for each hour"):
        attest(SCOPE, [*proofs, proofs[0]], compliant=36)
    with pytest.raises(EvidenceError, match="a sealed hour"):
        attest(SCOPE, [])
    with pytest.raises(VerificationError, match="type hour, observed packet"):
        attest(SCOPE, [*proofs, scene.packet_proof], compliant=36)
    other = Scope(window=Window.day(date(2026, 11, 10)), policy=SCOPE.policy)
    with pytest.raises(EvidenceError, match="hours of it, once and in order"):
        attest(other, proofs, compliant=36)


def test_proofs_under_two_checkpoints_are_refused(
    proofs: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = Log.writer(tmp_path_factory.mktemp("grown") / "log", KEY)
    log.append([proof.decode(content).entry or b"" for content in proofs])
    with pytest.raises(EvidenceError, match="under one checkpoint"):
        attest(SCOPE, [log.prove(0), *proofs[1:]], compliant=36)


def resigned(members: Mapping[str, bytes], facts: Mapping[str, Any]) -> bytes:
    """The bundle as its own signer would forge it."""
    kept = {name: content for name, content in members.items() if name != bundle.STATEMENT}
    kept[WINDOW] = canonical.encode(dict(facts))
    return attestation.seal(kept, (WINDOW, "forged"), facts, KEY)


def test_even_the_signer_cannot_hide_an_hour_or_move_a_count(
    scene: Any, offline: ModuleType
) -> None:
    members = bundle.decode(scene.window_bundle)
    facts: dict[str, Any] = document.decode(members[WINDOW], WINDOW)
    counts = facts["requests"]
    forgeries: dict[str, dict[str, Any]] = {
        "each hour proved, or named as a gap": {"hours": facts["hours"][:-1]},
        "each in order|once and in order": {"hours": [*facts["hours"][:-1], facts["hours"][0]]},
        "hour that window.json lists": {
            "hours": [*facts["hours"][:-1], {**facts["hours"][-1], "count": 4}]
        },
        "a sum of 36": {"requests": {**counts, "compliant": 35, "total": 36}},
        "the 36 that the hours hold": {"requests": {**counts, "compliant": 0, "total": 0}},
        "field window": {"scope": {**facts["scope"], "window": "20261109/20261110"}},
        "START/END": {"scope": {**facts["scope"], "window": "today"}},
        "field hours": {"hours": None},
        "field total": {"requests": {**counts, "total": -1}},
    }  # fmt: skip
    assert verify_bundle(resigned(members, facts), [KEY.key]).valid
    for cause, change in forgeries.items():
        with pytest.raises(VerificationError, match=cause):
            verify_bundle(resigned(members, {**facts, **change}), [KEY.key])
        with pytest.raises(offline.Refused):
            content = resigned(members, {**facts, **change})
            offline.verify(content, None, [offline.Key(scene.vkey)], True)


def test_a_statement_that_says_something_else_than_its_record_is_refused(
    scene: Any, offline: ModuleType
) -> None:
    members = bundle.decode(scene.request_bundle)
    kept = {name: content for name, content in members.items() if name != bundle.STATEMENT}
    predicate: dict[str, Any] = dict(verify_bundle(scene.request_bundle, scene.keys).document)
    changes: dict[str, Any] = {
        "result": {"verdict": "violating"},
        "more": 1,
        "scope": {"kind": "request"},
    }
    for name, value in changes.items():
        forged = attestation.seal(kept, ("record.json", "x"), {**predicate, name: value}, KEY)
        with pytest.raises(VerificationError, match=f"predicate field {name}"):
            verify_bundle(forged, scene.keys)
        with pytest.raises(offline.Refused, match="statement predicate"):
            offline.verify(forged, None, [offline.Key(scene.vkey)], True)
    forged = attestation.seal(kept, ("terms.json", "x"), predicate, KEY)
    with pytest.raises(VerificationError, match="field subject"):
        verify_bundle(forged, scene.keys)


def test_a_proof_of_another_hour_is_not_bundled(scene: Any, proofs: list[bytes]) -> None:
    request = scene.hours[3].records[0].request
    with pytest.raises(EvidenceError, match="proof of hour 2026-11-09T03"):
        attest_request(scene.hours[3], request, hour_proof=proofs[2], terms={}, signer=KEY)
