"""Merkle trees of RFC 6962 / RFC 9162: hashes, roots, inclusion and consistency proofs. Pure.

A leaf hashes to SHA-256(0x00 || entry), a node to SHA-256(0x01 || left || right); a tree of n
leaves splits at the largest power of two below n. Proofs are cut through one hole, `Subtree`,
so that the same code serves a tree in memory and a log on disk.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from countersign.errors import EvidenceError, VerificationError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Span: TypeAlias = tuple[int, int]
"""Half-open range of leaves."""
Subtree: TypeAlias = Callable[[int, int], bytes]
"""Gives the hash of the leaves in `[start, end)`, a subtree of the tree that is proved from."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def parents(level: bytes) -> bytes:
    """The level above, both as contiguous hashes; an odd last node is carried up unchanged."""
    sha256 = hashlib.sha256
    paired = len(level) // 64 * 64
    hashes = [sha256(b"\x01" + level[i : i + 64]).digest() for i in range(0, paired, 64)]
    return b"".join(hashes) + level[paired:]


def root(leaves: bytes) -> bytes:
    """Root of the tree over contiguous leaf hashes."""
    while len(leaves) > HASH_BYTES:
        leaves = parents(leaves)
    return leaves or EMPTY_ROOT


def split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole tree in memory, leaf hashes first; each level is one `bytes`."""

    levels: tuple[bytes, ...]

    @classmethod
    def of(cls, entries: Iterable[bytes]) -> "Tree":
        """The tree over entries."""
        levels = [b"".join(map(leaf_hash, entries))]
        while len(levels[-1]) > HASH_BYTES:
            levels.append(parents(levels[-1]))
        return cls(tuple(levels))

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self.levels[0]) // HASH_BYTES

    @property
    def root(self) -> bytes:
        """Hash of the whole tree."""
        return self.levels[-1] or EMPTY_ROOT

    def subtree(self, start: int, end: int) -> bytes:
        """Hash over `[start, end)`: a complete subtree, or one at the right edge."""
        level = (end - start - 1).bit_length()
        offset = (start >> level) * HASH_BYTES
        return self.levels[level][offset : offset + HASH_BYTES]


def prove_inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The siblings of leaf `index` in a tree of `size` leaves, nearest first (RFC 9162 2.1.3.1).

    Raises:
        EvidenceError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise EvidenceError(
            "inclusion proof", expected=f"an index below {size}", observed=str(index)
        )
    return [subtree(*span) for span in _siblings(index, 0, size)]


def prove_consistency(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """That the first `old` leaves of a tree of `new` leaves are unchanged (RFC 9162 2.1.4.1).

    Raises:
        EvidenceError: the old tree is empty (that proves nothing) or larger than the new.
    """
    if not 0 < old <= new:
        raise EvidenceError(
            "consistency proof", expected=f"an old size from 1 to {new}", observed=str(old)
        )
    return [subtree(*span) for span in _kept(old, 0, new, known=True)]


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes
) -> None:
    """Verify an inclusion proof (RFC 9162 2.1.3.2).

    Raises:
        VerificationError: the leaf is not at that index of the tree with that root.
    """
    if not 0 <= index < size:
        raise VerificationError(
            "inclusion proof", expected=f"an index below the tree size {size}", observed=str(index)
        )
    _check_hashes([leaf, *proof])
    node, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise _wrong_length("inclusion", proof, "fewer")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise _wrong_length("inclusion", proof, "more")
    _check_root("inclusion proof", computed, expected_root)


def check_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Verify a consistency proof (RFC 9162 2.1.4.2).

    Raises:
        VerificationError: the old tree is not shown to be a prefix of the new one. An old size
            of 0 is refused: it proves nothing.
    """
    if not 0 < old <= new:
        raise VerificationError(
            "consistency proof", expected=f"an old size from 1 to {new}", observed=str(old)
        )
    _check_hashes(proof)
    if old == new:
        if proof:
            raise _wrong_length("consistency", proof, "no")
        return _check_root("two trees of one size", new_root, old_root)
    hashes = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not hashes:
        raise _wrong_length("consistency", proof, "more")
    _replay_consistency(old, new, hashes, old_root, new_root)
    return None


def _replay_consistency(
    old: int, new: int, hashes: list[bytes], old_root: bytes, new_root: bytes
) -> None:
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    computed_old = computed_new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise _wrong_length("consistency", hashes, "fewer")
        if node & 1 or node == last:
            computed_old = node_hash(sibling, computed_old)
            computed_new = node_hash(sibling, computed_new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed_new = node_hash(computed_new, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise _wrong_length("consistency", hashes, "more")
    _check_root("consistency proof, old tree", computed_old, old_root)
    _check_root("consistency proof, new tree", computed_new, new_root)


def _siblings(index: int, start: int, end: int) -> list[Span]:
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*_siblings(index, start, middle), (middle, end)]
    return [*_siblings(index, middle, end), (start, middle)]


def _kept(old: int, start: int, end: int, *, known: bool) -> list[Span]:
    if old == end:
        return [] if known else [(start, end)]
    middle = start + split(end - start)
    if old <= middle:
        return [*_kept(old, start, middle, known=known), (middle, end)]
    return [*_kept(old, middle, end, known=False), (start, middle)]


def _check_hashes(proof: Sequence[bytes]) -> None:
    for value in proof:
        if len(value) != HASH_BYTES:
            raise VerificationError(
                "hash in a proof", expected="32 bytes", observed=f"{len(value)} bytes"
            )


def _check_root(thing: str, observed: bytes, expected: bytes) -> None:
    if observed != expected:
        raise VerificationError(
            thing, expected=f"root {expected.hex()}", observed=f"root {observed.hex()}"
        )


def _wrong_length(kind: str, proof: Sequence[bytes], wanted: str) -> VerificationError:
    return VerificationError(
        f"{kind} proof", expected=f"{wanted} hashes for these sizes", observed=f"{len(proof)}"
    )
