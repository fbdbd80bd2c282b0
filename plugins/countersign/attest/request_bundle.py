"""The attestation of one request: its record in its hour, the hour in the log, two proofs."""

from collections.abc import Mapping, Sequence
from typing import Final

from countersign import canonical
from countersign.attest import attestation, bundle, document, grade, hours
from countersign.attest.hours import Hour
from countersign.attest.statement import Statement
from countersign.attest.verdict import NO_EVIDENCE, NO_OTHERS, Verdict, in_log, signed_by, verdict
from countersign.canonical import Json
from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import proof
from countersign.ledger.key import SigningKey, VerifierKey

RECORD, RECORD_PROOF = "record.json", "record.proof"
HOUR, HOUR_PROOF = "hour.json", "hour.tlog-proof"
KIND: Final = "request"
_FACTS: Final = ("policy", "hops", "derivedState", "gaps", "result")
_MEMBERS: Final = """record.json           the record of the request, as it was sealed
record.proof          that the record is in its hour
hour.json             the hour, as it was logged
hour.tlog-proof       that the hour is in the signed log"""


def attest_request(
    hour: Hour, request: str, *, hour_proof: bytes, terms: Json, signer: SigningKey
) -> bytes:
    """The bundle of one request; `hour_proof` proves the entry of its hour in the log.

    Raises:
        EvidenceError: the hour holds no such request, or the proof is of another entry.
    """
    index = hour.find(request)
    record = hour.records[index]
    if proof.decode(hour_proof).entry != hour.entry():
        raise EvidenceError(
            f"proof of hour {hour.hour}",
            expected=f"log entry of version {hour.version}",
            observed="another entry",
        )
    members = {
        RECORD: record.content,
        RECORD_PROOF: hour.prove(index),
        HOUR: hour.entry(),
        HOUR_PROOF: hour_proof,
        attestation.TERMS: canonical.encode(terms),
        attestation.README: attestation.readme(
            f"request {request} of tenant {record.tenant}", _MEMBERS
        ),
    }
    subject = (RECORD, f"request {request}")
    return attestation.seal(members, subject, predicate_of(record.content), signer)


def check(members: Mapping[str, bytes], said: Statement, keys: Sequence[VerifierKey]) -> Verdict:
    """Verify what a request's statement says against its record, hour and log.

    Raises:
        VerificationError: names the member or the field that does not hold.
    """
    record, entry = bundle.member(members, RECORD), bundle.member(members, HOUR)
    facts = predicate_of(record)
    attestation.check_said(said, record, facts)
    place = hours.check_record(record, bundle.member(members, RECORD_PROOF), entry)
    found, logged, head, signers = proof.verify(bundle.member(members, HOUR_PROOF), keys)
    if logged != entry:
        raise VerificationError(
            HOUR_PROOF, expected=f"the entry in {HOUR}", observed="another entry"
        )
    outcome, path, derived = grade.check(facts)
    request = document.text(document.decode(record, RECORD), "request", RECORD)
    checked = [
        f"The record of request {request} is number {place.index + 1} of {place.count} in hour "
        f"{place.hour}, and the statement repeats it.",
        in_log(f"The hour is log entry {found.index}, which", head),
        *signed_by("That state of the log", signers),
        f"The verdict is {outcome}; the weakest evidence on the path is {path}; "
        f"that of derived state is {derived}.",
    ]
    return verdict(checked, [NO_EVIDENCE, NO_OTHERS], signers, said.predicate)


def predicate_of(record: bytes) -> dict[str, Json]:
    """What the statement says of a record: its scope and its facts, word for word.

    Raises:
        VerificationError: it is no canonical record.
    """
    found = document.decode(record, RECORD)
    scope: dict[str, Json] = {
        "kind": KIND,
        "tenant": document.text(found, "tenant", RECORD),
        "request": document.text(found, "request", RECORD),
        "receivedAt": document.text(found, "at", RECORD),
    }
    return {"scope": scope, **{name: found.get(name) for name in _FACTS}}
