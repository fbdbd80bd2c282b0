"""Proof that an entry is in a log, as one text file (C2SP tlog-proof). Pure.

    c2sp.org/tlog-proof@v1
    extra <base64 of the entry>
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
    ...

    <the checkpoint, verbatim>

C2SP leaves `extra` unauthenticated. We put the entry itself there, and the leaf hash is taken
over it, so in our files every line is covered by the tree or by the checkpoint's signature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from countersign.errors import VerificationError
from countersign.ledger import checkpoint, merkle
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import VerifierKey
from countersign.ledger.text import decode64, decode_decimal, decode_utf8, encode64

HEADER: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Proof:
    """Entry (when the file carries it), index, sibling hashes and the signed checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    entry: bytes | None = None


def encode(proof: Proof) -> bytes:
    """The bytes of a `.tlog-proof` file."""
    lines = [HEADER]
    if proof.entry is not None:
        lines.append(f"extra {encode64(proof.entry)}")
    lines.append(f"index {proof.index}")
    lines.extend(map(encode64, proof.hashes))
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + proof.checkpoint


def decode(content: bytes) -> Proof:
    """Read a `.tlog-proof` file; nothing in it is trusted yet.

    Raises:
        VerificationError: names the line that is malformed.
    """
    head, separator, signed = content.partition(b"\n\n")
    header, *lines = decode_utf8(head + b"\n", "proof").split("\n")[:-1]
    if header != HEADER:
        raise _malformed(1, HEADER, header)
    if not separator:
        raise _malformed(head.count(b"\n") + 1, "an empty line, then the checkpoint", None)
    entry = None
    if lines and lines[0].startswith("extra "):
        entry = decode64(lines.pop(0).removeprefix("extra "), "proof, line 2 (extra)")
    number = 2 if entry is None else 3
    if not lines or not lines[0].startswith("index "):
        raise _malformed(number, "'index ' and a number", lines[0] if lines else None)
    index_text = lines.pop(0).removeprefix("index ")
    index = decode_decimal(index_text, f"proof, line {number} (index)")
    hashes = tuple(_decode_hash(line, n) for n, line in enumerate(lines, number + 1))
    return Proof(index, hashes, signed, entry)


def verify(
    content: bytes, keys: Sequence[VerifierKey]
) -> tuple[Proof, bytes, Checkpoint, tuple[VerifierKey, ...]]:
    """Return proof, entry, checkpoint and signers of a proof that carries its entry.

    Without any key the tree is checked and nobody is identified: no signers.

    Raises:
        VerificationError: the entry is not in the tree, or no trusted key signed the tree.
    """
    proof = decode(content)
    if proof.entry is None:
        raise VerificationError(
            "proof, line 2", expected="'extra ' and the log entry", observed="no such line"
        )
    head, signers = checkpoint.open_by(proof.checkpoint, keys)
    leaf = merkle.leaf_hash(proof.entry)
    merkle.check_inclusion(leaf, proof.index, head.size, proof.hashes, head.root)
    return proof, proof.entry, head, signers


def _decode_hash(line: str, number: int) -> bytes:
    value = decode64(line, f"proof, line {number} (hash)")
    if len(value) != merkle.HASH_BYTES:
        raise _malformed(number, "a hash of 32 bytes", f"{len(value)} bytes")
    return value


def _malformed(number: int, expected: str, line: str | None) -> VerificationError:
    observed = "the end of the file" if line is None else repr(line[:60])
    return VerificationError(f"proof, line {number}", expected=expected, observed=observed)
