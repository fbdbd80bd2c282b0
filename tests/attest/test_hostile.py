"""Hostile signers: whatever a bundle says, both verifiers refuse it, or both accept it."""

import copy
import random
from types import ModuleType
from typing import Any

import pytest

from countersign import canonical
from countersign.attest import attestation, bundle, document
from countersign.attest.hours import Hour, Record
from countersign.attest.request_bundle import predicate_of
from countersign.attest.verify import verify_bundle
from countersign.errors import VerificationError
from countersign.ledger import checkpoint, merkle, proof
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import SigningKey, encode_vkey
from countersign.ledger.proof import Proof

KEY = SigningKey("countersign.example/log", bytes(range(32)))
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**53 - 1,
    "",
    "R0",
    "R5",
    "compliant",
    "x",
    [],
    {},
    [1],
)
ROUNDS = 160


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON document."""
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        return [(value, key) for key in keys] + [p for key in keys for p in places(value[key])]
    return []


def mutated(value: dict[str, Any], choices: random.Random) -> dict[str, Any]:
    changed = copy.deepcopy(value)
    for _ in range(choices.choice((1, 1, 2))):
        container, key = choices.choice(places(changed))
        if choices.random() < 0.2:
            del container[key]
        else:
            container[key] = copy.deepcopy(choices.choice(JUNK))
    return changed


def agreed(offline: ModuleType, content: bytes) -> bool:
    """Whether both verifiers accept; the test fails when they differ or break."""
    try:
        accepted = verify_bundle(content, [KEY.key]).valid
    except VerificationError:
        accepted = False
    try:
        assert offline.verify(content, None, [offline.Key(encode_vkey(KEY.key))], True)[2]
        also = True
    except offline.Refused:
        also = False
    assert also == accepted
    return accepted


def test_a_window_that_says_anything(scene: Any, offline: ModuleType) -> None:
    members = bundle.decode(scene.window_bundle)
    kept = {name: content for name, content in members.items() if name != bundle.STATEMENT}
    facts = document.decode(members["window.json"], "window")
    choices = random.Random(1)
    for _ in range(ROUNDS // 2):
        said = mutated(dict(facts), choices)
        kept["window.json"] = canonical.encode(said)
        agreed(offline, attestation.seal(kept, ("window.json", "x"), said, KEY))


def test_a_request_that_says_anything(scene: Any, offline: ModuleType) -> None:
    record = scene.hours[3].records[0]
    facts = document.decode(record.content, "record")
    choices = random.Random(2)
    accepted = 0
    for _ in range(ROUNDS):
        accepted += agreed(offline, sealed(canonical.encode(mutated(dict(facts), choices)), record))
    assert 0 < accepted < ROUNDS


def sealed(content: bytes, place: Record) -> bytes:
    """A bundle with this record, as a signer would make it who checks nothing."""
    tree = merkle.Tree.of([content])
    hour = Hour("2026-11-09T03:00:00Z", 1, None, (Record(*place[:3], content),), tree)
    head = Checkpoint(KEY.name, 1, merkle.leaf_hash(hour.entry()))
    log_proof = Proof(0, (), checkpoint.sign(head, KEY), hour.entry())
    members = {
        "record.json": content,
        "record.proof": hour.prove(0),
        "hour.json": hour.entry(),
        "hour.tlog-proof": proof.encode(log_proof),
    }
    try:
        predicate = predicate_of(content)
    except VerificationError:
        predicate = {"scope": {"kind": "request"}}
    return attestation.seal(members, ("record.json", "x"), predicate, KEY)


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_a_predicate_of_any_shape(scene: Any, offline: ModuleType, junk: Any) -> None:
    members = bundle.decode(scene.request_bundle)
    kept = {name: content for name, content in members.items() if name != bundle.STATEMENT}
    said = predicate_of(members["record.json"])
    for name in ("scope", "hops", "result", "policy", "gaps"):
        predicate: dict[str, Any] = {**said, name: junk}
        content = attestation.seal(kept, ("record.json", "x"), predicate, KEY)
        assert agreed(offline, content) == (said[name] == junk)
