"""What every attestation bundle has in common: a signed statement that lists the other members."""

from collections.abc import Mapping, Sequence
from typing import Final

from countersign import canonical
from countersign.attest import bundle, document, dsse, statement
from countersign.attest.statement import Statement, Subject
from countersign.canonical import Json
from countersign.errors import VerificationError
from countersign.ledger.key import SigningKey, VerifierKey

PREDICATE_TYPE: Final = "urn:countersign:attestation:llm-data-residency:v0.1"
TERMS, README = "terms.json", "README.txt"
_TEXT: Final = """Residency attestation
=====================

Scope: {scope}

Check this file offline, with a key that reached you by another way than this file:

    countersign verify FILE.zip --key KEY
    python3 countersign-verify.py FILE.zip --key KEY

Exit status 0: valid, signed by that key. 1: changed, or the signer is not identified.

statement.dsse.json   what is attested (in-toto Statement v1 in a DSSE envelope)
{members}
terms.json            the dated residency terms that declared places rest on

Strength of evidence: R0 unknown, R1 declared, R2 said by the provider for this request,
R3 observed by the operator, R4 rooted in hardware, R5 corroborated by two of those.
A grade is the weakest of its parts. No prompt or answer text is in this file.
"""


def readme(scope: str, members: str) -> bytes:
    """The README member: how to check the bundle, and what is in it."""
    return _TEXT.format(scope=scope, members=members).encode()


def seal(
    members: Mapping[str, bytes],
    subject: tuple[str, str],
    predicate: Mapping[str, Json],
    signer: SigningKey,
) -> bytes:
    """The bundle of members, under a signed statement about one of them: (its name, a title)."""
    member, title = subject
    said = Statement(
        (Subject(title, {"sha256": canonical.digest(members[member])}),),
        PREDICATE_TYPE,
        {**predicate, "members": bundle.seal(members)},
    )
    envelope = dsse.sign(statement.encode(said), statement.PAYLOAD_TYPE, signer)
    return bundle.encode({**members, bundle.STATEMENT: envelope})


def open_sealed(
    members: Mapping[str, bytes], keys: Sequence[VerifierKey]
) -> tuple[Statement, tuple[VerifierKey, ...]]:
    """The statement of a bundle and who signed it; nobody without keys.

    Raises:
        VerificationError: not signed by a trusted key, of another type, or its list of members
            is not that of the bundle.
    """
    envelope = bundle.member(members, bundle.STATEMENT)
    signers: tuple[VerifierKey, ...] = ()
    if keys:
        payload, signer = dsse.verify_own(envelope, keys, statement.PAYLOAD_TYPE)
        signers = (signer,)
    else:
        payload = dsse.decode_own(envelope).payload
    said = statement.decode(payload)
    if said.predicate_type != PREDICATE_TYPE:
        raise VerificationError(
            "statement, field predicateType", expected=PREDICATE_TYPE, observed=said.predicate_type
        )
    bundle.check_sealed(members, document.mappings(said.predicate, "members", "statement"))
    return said, signers


def check_said(said: Statement, subject: bytes, facts: Mapping[str, Json]) -> None:
    """Verify that a statement is about a member, and repeats the facts in it.

    Raises:
        VerificationError: another subject, or a field that differs.
    """
    digest = canonical.digest(subject)
    named = [s.digest.get("sha256") for s in said.subjects]
    if named != [digest]:
        raise VerificationError(
            "statement, field subject", expected=f"sha256 {digest} alone", observed=str(named)
        )
    expected = {**facts, "members": said.predicate.get("members")}
    for name in sorted(expected.keys() | said.predicate.keys()):
        if expected.get(name) != said.predicate.get(name):
            raise VerificationError(
                f"statement, predicate field {name}",
                expected="what the sealed record says",
                observed="something else",
            )
