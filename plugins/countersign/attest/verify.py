"""Verification, offline: packets with their proofs, bundles, checkpoints. Light to load.

Each function raises `VerificationError` at the first thing that does not hold; what returns is
a verdict that says in sentences what was checked and what was not. Trust comes from the keys
that the caller hands in: without any, everything is consistent and nobody is identified.
"""

from collections.abc import Sequence
from dataclasses import replace

from countersign.attest import (
    attestation,
    bundle,
    document,
    entries,
    request_bundle,
    window_bundle,
)
from countersign.attest.document import Document
from countersign.attest.verdict import NO_PDF, NO_TRUTH, Verdict, in_log, signed_by, verdict
from countersign.errors import VerificationError
from countersign.ledger import checkpoint, merkle, proof
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import VerifierKey


def verify_proof(content: bytes, proof_bytes: bytes, keys: Sequence[VerifierKey]) -> Verdict:
    """Verify that a file is the one that a log entry names, and that the log holds the entry.

    Raises:
        VerificationError: the file, the proof or the log's signature is not what it should be.
    """
    found, logged, head, signers = proof.verify(proof_bytes, keys)
    entry = entries.decode(logged)
    entries.check_content(entry, content, "file")
    checked = [
        f"The file has {len(content)} bytes and SHA-256 {entry['sha256']}, "
        f"as log entry {found.index} ({entry['type']}) says.",
        in_log(f"Log entry {found.index}", head),
        *signed_by("That state of the log", signers),
    ]
    pdf = [NO_PDF] if content.startswith(b"%PDF") else []
    return verdict(checked, [NO_TRUTH, *pdf], signers, entry)


def verify_bundle(content: bytes, keys: Sequence[VerifierKey]) -> Verdict:
    """Verify an attestation bundle, of one request or of a window.

    Raises:
        VerificationError: names the member, line or field that does not hold.
    """
    members = bundle.decode(content)
    said, signers = attestation.open_sealed(members, keys)
    scope = document.mapping(said.predicate, "scope", "statement")
    if document.text(scope, "kind", "scope") == request_bundle.KIND:
        found = request_bundle.check(members, said, keys)
    else:
        found = window_bundle.check(members, said, keys)
    checked = (
        f"The bundle has its one valid form, and its {len(members) - 1} other members are those "
        "that the statement lists by digest.",
        *signed_by("The statement", signers),
        *found.checked,
    )
    return replace(found, checked=checked)


def verify_checkpoint(content: bytes, keys: Sequence[VerifierKey]) -> Verdict:
    """Verify a checkpoint by itself: which log, which state, signed by whom.

    Raises:
        VerificationError: malformed, or not signed as it should be.
    """
    head, signers = checkpoint.open_by(content, keys)
    said = f"The log {head.origin} had {head.size} entries with root {head.root.hex()}."
    checked = [said, *signed_by("That state of the log", signers)]
    return verdict(checked, [NO_TRUTH], signers, _state(head))


def verify_consistency(
    older: bytes, newer: bytes, hashes: Sequence[bytes], keys: Sequence[VerifierKey]
) -> Verdict:
    """Verify that one state of a log continues an earlier one: nothing was changed or removed.

    Raises:
        VerificationError: another log, a split view (one size, two roots), or no continuation.
    """
    old, _ = checkpoint.open_by(older, keys)
    new, signers = checkpoint.open_by(newer, keys)
    if old.origin != new.origin:
        raise VerificationError(
            "checkpoint pair", expected=f"two of log {old.origin}", observed=new.origin
        )
    merkle.check_consistency(old.size, new.size, hashes, old.root, new.root)
    checked = [
        f"The first {old.size} entries of the log {new.origin} are unchanged in its state "
        f"of {new.size} entries with root {new.root.hex()}.",
        *signed_by("That state of the log", signers),
    ]
    return verdict(checked, [NO_TRUTH], signers, _state(new))


def _state(head: Checkpoint) -> Document:
    return {"origin": head.origin, "size": head.size, "root": head.root.hex()}
