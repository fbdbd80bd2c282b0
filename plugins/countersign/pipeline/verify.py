"""Verify: which files belong together, and what a check of them says. Light to import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from countersign.attest import trust
from countersign.attest import verify as checks
from countersign.attest.verdict import Verdict
from countersign.errors import VerificationError

PROOF = ".tlog-proof"


@dataclass(frozen=True, slots=True)
class Group:
    """A file to verify, and the proof that speaks of it."""

    subject: Path
    proof: Path | None = None


def group(files: Sequence[Path]) -> list[Group]:
    """Pair each file with its proof: one that was named, or the one that lies beside it.

    Raises:
        VerificationError: a file is not there.
    """
    for file in files:
        if not file.is_file():
            raise VerificationError(f"file {file}", expected="a file", observed="nothing there")
    proofs = {file.stem: file for file in files if file.suffix == PROOF}
    subjects = [file for file in files if file.suffix != PROOF]
    groups = []
    for file in subjects:
        beside = file.with_suffix(PROOF)
        found = proofs.pop(file.stem, beside if beside.is_file() else None)
        groups.append(Group(file, found))
    return groups + [Group(proof, proof) for proof in proofs.values()]


def verify(files: Group, keys: Sequence[str]) -> Verdict:
    """Check one group by what the file is: bundle, checkpoint, or a file with its proof.

    Raises:
        VerificationError: what is wrong, and with which part.
    """
    trusted = trust.trusted(keys)
    content = files.subject.read_bytes()
    if files.subject.suffix == ".zip" or content.startswith(b"PK\x03\x04"):
        return checks.verify_bundle(content, trusted)
    if files.proof is not None and files.proof != files.subject:
        return checks.verify_proof(content, files.proof.read_bytes(), trusted)
    if b"\n\n\xe2\x80\x94 " in content and not content.startswith(b"%PDF"):
        return checks.verify_checkpoint(content, trusted)
    raise VerificationError(
        f"file {files.subject}",
        expected=f"its proof {files.subject.with_suffix(PROOF).name} beside it, or named",
        observed="no proof",
        remedy="Ask the sender for the .tlog-proof file that belongs to this file.",
    )


def document(verdict: Verdict) -> Mapping[str, Any]:
    """The verdict for a program."""
    return {
        "valid": verdict.valid,
        "identified": verdict.identified,
        "checked": list(verdict.checked),
        "not_checked": list(verdict.not_checked),
    }


def sentence(verdict: Verdict) -> str:
    """The verdict for a person: a line, then what was checked and what was not."""
    lines = [verdict.summary]
    lines += [f"  checked: {said}" for said in verdict.checked]
    lines += [f"  NOT checked: {said}" for said in verdict.not_checked]
    return "\n".join(lines)
