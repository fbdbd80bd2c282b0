"""Verification: what holds is said in sentences, what does not is refused with its cause."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from countersign.attest import bundle
from countersign.attest.verdict import NO_SIGNER, NO_WITNESS
from countersign.attest.verify import (
    verify_bundle,
    verify_checkpoint,
    verify_consistency,
    verify_proof,
)
from countersign.errors import VerificationError
from countersign.ledger import checkpoint, merkle, note
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import Algorithm, SigningKey, VerifierKey

FLIPS = int(os.environ.get("COUNTERSIGN_TEST_FLIPS", "1000"))
OTHER = SigningKey("other.example/log", bytes(range(1, 33)))
HEAVY = ("pyhanko", "weasyprint", "pyarrow", "duckdb", "ibis", "pydantic", "numpy", "httpx")

Check = Callable[[Any, bytes, Sequence[VerifierKey]], Any]
TARGETS: dict[str, tuple[str, Check]] = {
    "request bundle": ("request_bundle", lambda _, content, keys: verify_bundle(content, keys)),
    "window bundle": ("window_bundle", lambda _, content, keys: verify_bundle(content, keys)),
    "checkpoint": ("checkpoint", lambda _, content, keys: verify_checkpoint(content, keys)),
    "packet": ("packet", lambda s, content, keys: verify_proof(content, s.packet_proof, keys)),
    "proof": ("packet_proof", lambda s, content, keys: verify_proof(s.packet, content, keys)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_untouched_file_is_valid(scene: Any, name: str) -> None:
    attribute, check = TARGETS[name]
    verdict = check(scene, getattr(scene, attribute), scene.keys)
    assert (verdict.valid, verdict.identified, verdict.summary) == (True, True, "VALID")
    assert NO_SIGNER not in verdict.not_checked
    assert any(scene.keys[0].fingerprint in sentence for sentence in verdict.checked)


@pytest.mark.parametrize("name", TARGETS)
def test_without_a_key_the_signer_is_not_identified(scene: Any, name: str) -> None:
    attribute, check = TARGETS[name]
    verdict = check(scene, getattr(scene, attribute), ())
    assert (verdict.valid, verdict.identified) == (False, False)
    assert verdict.summary == "CONSISTENT, signer NOT identified"
    assert verdict.not_checked[0] == NO_SIGNER
    assert not any("fingerprint" in sentence for sentence in verdict.checked)


@pytest.mark.parametrize("name", TARGETS)
def test_another_key_is_refused(scene: Any, name: str) -> None:
    attribute, check = TARGETS[name]
    with pytest.raises(VerificationError, match="by a trusted key"):
        check(scene, getattr(scene, attribute), [OTHER.key])


@pytest.mark.parametrize("name", TARGETS)
def test_any_flipped_bit_is_refused_with_a_cause(scene: Any, name: str) -> None:
    attribute, check = TARGETS[name]
    content = getattr(scene, attribute)
    positions = random.Random(f"flips {name}")
    for _ in range(FLIPS):
        position = positions.randrange(len(content) * 8)
        changed = bytearray(content)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(VerificationError) as caught:
            check(scene, bytes(changed), scene.keys)
        assert "expected" in str(caught.value), str(caught.value)


@pytest.mark.parametrize("name", ["request_bundle", "window_bundle"])
def test_a_flipped_bit_in_a_member_of_a_well_formed_zip_is_refused(scene: Any, name: str) -> None:
    members = bundle.decode(getattr(scene, name))
    positions = random.Random(f"members {name}")
    for member in [*members, *positions.choices(sorted(members), k=FLIPS // 4)]:
        changed = bytearray(members[member])
        changed[positions.randrange(len(changed))] ^= 1 << positions.randrange(8)
        with pytest.raises(VerificationError, match="expected"):
            verify_bundle(bundle.encode({**members, member: bytes(changed)}), scene.keys)


def test_a_missing_an_added_and_a_renamed_member_are_named(scene: Any) -> None:
    members = bundle.decode(scene.request_bundle)
    without = {name: content for name, content in members.items() if name != "terms.json"}
    for changed, name in (
        (without, "terms.json"),
        ({**members, "more.txt": b"more"}, "more.txt"),
        ({**without, "terms2.json": members["terms.json"]}, "terms.json"),
    ):
        with pytest.raises(VerificationError, match=f"bundle member {name}"):
            verify_bundle(bundle.encode(changed), scene.keys)


@pytest.mark.parametrize("name", TARGETS)
def test_a_cut_or_longer_file_is_refused(scene: Any, name: str) -> None:
    attribute, check = TARGETS[name]
    content = getattr(scene, attribute)
    for changed in (b"", content[:1], content[: len(content) // 2], content[:-1], content + b"\n"):
        for keys in (scene.keys, ()):
            with pytest.raises(VerificationError):
                check(scene, changed, keys)


def test_a_changed_packet_is_named_with_both_digests(scene: Any) -> None:
    with pytest.raises(VerificationError, match=r"file differs from the log: expected sha256 9e0d"):
        verify_proof(scene.packet + b"%", scene.packet_proof, scene.keys)


def test_the_authenticated_document_comes_back(scene: Any) -> None:
    entry = verify_proof(scene.packet, scene.packet_proof, scene.keys).document
    assert (entry["type"], entry["name"]) == ("packet", "CS-2026-W46.pdf")
    predicate = verify_bundle(scene.request_bundle, scene.keys).document
    assert isinstance(predicate["result"], dict)
    assert predicate["result"]["verdict"] == "compliant"


def test_a_later_checkpoint_continues_an_earlier_one(scene: Any) -> None:
    signer = SigningKey("log.example/a", bytes(32))
    trees = {size: merkle.Tree.of([b"%d" % i for i in range(size)]) for size in (5, 9)}
    signed = {
        n: checkpoint.sign(Checkpoint(signer.name, n, t.root), signer) for n, t in trees.items()
    }
    hashes = merkle.prove_consistency(5, 9, trees[9].subtree)
    verdict = verify_consistency(signed[5], signed[9], hashes, [signer.key])
    assert verdict.checked[0].startswith(
        "The first 5 entries of the log log.example/a are unchanged"
    )
    with pytest.raises(VerificationError, match="two of log"):
        verify_consistency(scene.checkpoint, signed[9], hashes, [signer.key, *scene.keys])


def test_a_split_view_alarms() -> None:
    signer = SigningKey("log.example/a", bytes(32))
    views = [
        checkpoint.sign(Checkpoint(signer.name, 5, merkle.leaf_hash(view)), signer)
        for view in (b"shown to you", b"shown to me")
    ]
    with pytest.raises(VerificationError, match="two trees of one size: expected root"):
        verify_consistency(views[0], views[1], [], [signer.key])


def test_a_witness_is_named_and_no_longer_missing(scene: Any) -> None:
    witness = SigningKey("witness.example/w", bytes(range(2, 34)), Algorithm.COSIGNATURE)
    content = note.cosign(scene.checkpoint, witness, 1_700_000_000)
    verdict = verify_checkpoint(content, [*scene.keys, witness.key])
    assert any("cosigned by witness.example/w" in sentence for sentence in verdict.checked)
    assert NO_WITNESS not in verdict.not_checked
    with pytest.raises(VerificationError, match="an unknown signature by witness"):
        verify_checkpoint(content, scene.keys)


COLD = """
import sys
from pathlib import Path
from countersign.attest.verify import verify_bundle
from countersign.attest.trust import trusted
verdict = verify_bundle(Path(sys.argv[1]).read_bytes(), trusted([sys.argv[2]]))
import json
print(json.dumps([verdict.valid, sorted(sys.modules)]))
"""


def test_cold_verification_loads_nothing_heavy(scene: Any, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(scene.request_bundle)
    run = subprocess.run(
        [sys.executable, "-c", COLD, str(tmp_path / "a.zip"), scene.vkey],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    valid, modules = json.loads(run.stdout)
    assert valid
    assert not {module.split(".")[0] for module in modules} & set(HEAVY)
