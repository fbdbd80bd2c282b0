"""What a verification found, in sentences; the stand-alone verifier says the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from countersign.attest.document import Document
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import Algorithm, VerifierKey

NO_SIGNER: Final = "Who signed: no trusted key was given."
NO_TRUTH: Final = (
    "Whether the content is true: it was not changed since it was sealed, that is all."
)
NO_WITNESS: Final = "Whether everybody sees the same log: no witness has cosigned this state of it."
NO_PDF: Final = "The signature inside the PDF: a reader of signed PDFs checks it."
NO_EVIDENCE: Final = (
    "The evidence behind each place: its strength, R0 to R5, says what it rests on."
)
NO_OTHERS: Final = "Other requests: this bundle speaks of one."
NO_COUNTS: Final = "The counts by verdict: the records that they were counted from are not here."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds. Whatever does not hold is an error, never a verdict.

    `identified`: a trusted key signed everything. `document` is the authenticated log entry,
    predicate or state of the log.
    """

    identified: bool
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]
    document: Document

    @property
    def valid(self) -> bool:
        """All checks hold, and the signer is one that the caller trusts."""
        return self.identified

    @property
    def summary(self) -> str:
        """One line."""
        return "VALID" if self.identified else "CONSISTENT, signer NOT identified"


def verdict(
    checked: Sequence[str],
    not_checked: Sequence[str],
    signers: Sequence[VerifierKey],
    document: Document,
) -> Verdict:
    """The verdict of checks that all hold."""
    unknown = [] if signers else [NO_SIGNER]
    cosigned = any(key.algorithm is Algorithm.COSIGNATURE for key in signers)
    unseen = [] if cosigned else [NO_WITNESS]
    return Verdict(bool(signers), tuple(checked), (*unknown, *not_checked, *unseen), document)


def in_log(what: str, head: Checkpoint) -> str:
    """That something is in a state of a log."""
    return f"{what} is in the log {head.origin} of {head.size} entries with root {head.root.hex()}."


def signed_by(what: str, signers: Sequence[VerifierKey]) -> list[str]:
    """Who signed, a sentence each; none when nobody was identified."""
    return [
        f"{what} is {'cosigned' if key.algorithm is Algorithm.COSIGNATURE else 'signed'} by "
        f"{key.name}, key fingerprint {key.fingerprint}."
        for key in signers
    ]
