"""Proof files: the published malformed ones, and what ties entry, tree and signature together."""

import json
from pathlib import Path

import pytest

from countersign.errors import VerificationError
from countersign.ledger import checkpoint, merkle, proof
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import SigningKey
from countersign.ledger.proof import Proof

LOG = SigningKey("log.example/a", bytes(range(32)))
ENTRIES = [f"entry {i}".encode() for i in range(11)]
TREE = merkle.Tree.of(ENTRIES)
SIGNED = checkpoint.sign(Checkpoint(LOG.name, TREE.size, TREE.root), LOG)


def prove(index: int, entry: bytes | None) -> Proof:
    hashes = merkle.prove_inclusion(index, TREE.size, TREE.subtree)
    return Proof(index, tuple(hashes), SIGNED, entry)


@pytest.mark.parametrize("index", range(11))
def test_every_entry_is_proved(index: int) -> None:
    content = proof.encode(prove(index, ENTRIES[index]))
    found, entry, head, signers = proof.verify(content, [LOG.key])
    assert (found.index, entry, head.size, signers) == (index, ENTRIES[index], 11, (LOG.key,))
    assert proof.encode(proof.decode(content)) == content


def test_without_a_key_nobody_is_identified() -> None:
    assert proof.verify(proof.encode(prove(3, ENTRIES[3])), [])[3] == ()


def test_a_proof_without_an_entry_reads_but_does_not_verify() -> None:
    content = proof.encode(prove(3, None))
    assert proof.decode(content) == prove(3, None)
    with pytest.raises(VerificationError, match="'extra ' and the log entry"):
        proof.verify(content, [LOG.key])


def test_a_proof_of_a_one_entry_log_has_no_hashes() -> None:
    signed = checkpoint.sign(Checkpoint(LOG.name, 1, merkle.leaf_hash(b"only")), LOG)
    content = proof.encode(Proof(0, (), signed, b"only"))
    assert proof.verify(content, [LOG.key])[1] == b"only"


def test_another_entry_is_not_in_the_tree() -> None:
    with pytest.raises(VerificationError, match="inclusion proof: expected root"):
        proof.verify(proof.encode(prove(3, ENTRIES[4])), [LOG.key])


def test_published_malformed_proofs(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "vectors/derived/vectors.json").read_bytes())
    assert len(vectors["tlog_proof"]["bad"]) >= 6
    for text in vectors["tlog_proof"]["bad"]:
        with pytest.raises(VerificationError):
            proof.decode(text.encode())


GOOD = proof.encode(prove(3, b"x")).decode()
MALFORMED = {
    "cut in the head": (GOOD.split("index")[0], "line 3: .*empty line, then the checkpoint"),
    "no index": (GOOD.replace("index 3\n", ""), "line 3: expected 'index '"),
    "two extras": (GOOD.replace("index", "extra eA==\nindex"), "line 3: expected 'index '"),
    "index with zero": (GOOD.replace("index 3", "index 03"), r"line 3 \(index\)"),
    "short hash": (GOOD.replace("index 3\n", "index 3\nAAAA\n"), "line 4: .*32 bytes.*3 bytes"),
    "other version": (GOOD.replace("@v1", "@v2"), "line 1: expected c2sp.org/tlog-proof@v1"),
    "nothing": ("", "line 1"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_proof_is_refused_with_its_line(name: str) -> None:
    text, cause = MALFORMED[name]
    with pytest.raises(VerificationError, match=cause):
        proof.decode(text.encode())
