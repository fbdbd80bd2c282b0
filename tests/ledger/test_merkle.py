"""Trees and proofs against the published vectors, and against the definition of RFC 6962."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import merkle


def mth(entries: list[bytes]) -> bytes:
    """The Merkle Tree Hash as RFC 6962 section 2.1 writes it."""
    if not entries:
        return merkle.EMPTY_ROOT
    if len(entries) == 1:
        return merkle.leaf_hash(entries[0])
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return merkle.node_hash(mth(entries[:k]), mth(entries[k:]))


def entries_of(count: int) -> list[bytes]:
    return [f"entry {i}".encode() for i in range(count)]


def decode(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def cases(shared_data: Path, kind: str) -> list[tuple[Path, dict[str, Any]]]:
    folder = shared_data / "vectors/transparency-dev-merkle/testdata" / kind
    return [(file, json.loads(file.read_bytes())) for file in sorted(folder.rglob("*.json"))]


def test_hashes_agree_with_the_published_ones(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "vectors/derived/vectors.json").read_bytes())
    _, first, second, node = vectors["rfc6962_hasher"]["cases"]
    assert merkle.root(b"").hex() == vectors["rfc6962_hasher"]["cases"][0]["want"]
    for case in (first, second):
        assert merkle.leaf_hash(bytes.fromhex(case["data_hex"])).hex() == case["want"]
    left, right = bytes.fromhex(node["left_hex"]), bytes.fromhex(node["right_hex"])
    assert merkle.node_hash(left, right).hex() == node["want"]


def test_roots_of_the_eight_certificate_transparency_leaves(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "vectors/derived/vectors.json").read_bytes())["ct_8_leaves"]
    leaves = [bytes.fromhex(text) for text in vectors["leaves_hex"]]
    roots = [merkle.Tree.of(leaves[:size]).root.hex() for size in range(9)]
    assert roots == vectors["roots_hex_by_size"]


def test_inclusion_vectors(shared_data: Path) -> None:
    found = cases(shared_data, "inclusion")
    assert len(found) == 98
    for file, case in found:
        arguments = (
            decode(case["leafHash"]),
            case["leafIdx"],
            case["treeSize"],
            [decode(h) for h in case["proof"] or []],
            decode(case["root"]),
        )
        assert refused(merkle.check_inclusion, *arguments) == case["wantErr"], file.name


def test_consistency_vectors(shared_data: Path) -> None:
    found = cases(shared_data, "consistency")
    assert len(found) == 98
    for file, case in found:
        arguments = (
            case["size1"],
            case["size2"],
            [decode(h) for h in case["proof"] or []],
            decode(case["root1"]),
            decode(case["root2"]),
        )
        assert refused(merkle.check_consistency, *arguments) == case["wantErr"], file.name


def refused(check: Any, *arguments: Any) -> bool:
    try:
        check(*arguments)
    except VerificationError:
        return True
    return False


def test_root_is_the_recursive_definition_up_to_300_leaves() -> None:
    entries = entries_of(300)
    for size in range(301):
        assert merkle.Tree.of(entries[:size]).root == mth(entries[:size])
        leaves = b"".join(map(merkle.leaf_hash, entries[:size]))
        assert merkle.root(leaves) == mth(entries[:size])


@given(st.integers(1, 600).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_every_leaf_is_proved_and_no_other(position: tuple[int, int]) -> None:
    index, size = position
    tree = merkle.Tree.of(entries_of(size))
    proof = merkle.prove_inclusion(index, size, tree.subtree)
    leaf = merkle.leaf_hash(f"entry {index}".encode())
    merkle.check_inclusion(leaf, index, size, proof, tree.root)
    assert len(proof) <= (size - 1).bit_length()
    other = merkle.leaf_hash(b"another entry")
    with pytest.raises(VerificationError, match="root"):
        merkle.check_inclusion(other, index, size, proof, tree.root)


@given(st.integers(1, 600).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))))
def test_every_prefix_is_proved(sizes: tuple[int, int]) -> None:
    old, new = sizes
    tree = merkle.Tree.of(entries_of(new))
    old_root = merkle.Tree.of(entries_of(old)).root
    proof = merkle.prove_consistency(old, new, tree.subtree)
    merkle.check_consistency(old, new, proof, old_root, tree.root)
    if old < new:
        with pytest.raises(VerificationError):
            merkle.check_consistency(old, new, proof, merkle.leaf_hash(b"forged"), tree.root)


def test_consistency_from_an_empty_tree_proves_nothing() -> None:
    tree = merkle.Tree.of(entries_of(3))
    with pytest.raises(EvidenceError, match="old size from 1 to 3, observed 0"):
        merkle.prove_consistency(0, 3, tree.subtree)
    with pytest.raises(VerificationError, match="old size"):
        merkle.check_consistency(0, 0, [], merkle.EMPTY_ROOT, merkle.EMPTY_ROOT)


def test_two_trees_of_one_size_and_different_roots_alarm() -> None:
    one, other = merkle.leaf_hash(b"1"), merkle.leaf_hash(b"2")
    with pytest.raises(VerificationError, match="two trees of one size"):
        merkle.check_consistency(5, 5, [], one, other)


def test_a_leaf_outside_the_tree_is_refused() -> None:
    tree = merkle.Tree.of(entries_of(3))
    with pytest.raises(EvidenceError, match="index below 3, observed 3"):
        merkle.prove_inclusion(3, 3, tree.subtree)


def test_a_proof_hash_of_the_wrong_length_is_refused() -> None:
    tree = merkle.Tree.of(entries_of(2))
    with pytest.raises(VerificationError, match="32 bytes, observed 31"):
        merkle.check_inclusion(merkle.leaf_hash(b"entry 0"), 0, 2, [bytes(31)], tree.root)
