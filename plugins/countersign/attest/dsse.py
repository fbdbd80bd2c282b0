"""DSSE envelopes: a signature over the payload and its type (secure-systems-lab/dsse v1). Pure.

    {"payload": base64, "payloadType": ..., "signatures": [{"keyid": fingerprint, "sig": base64}]}

What is signed is the pre-authentication encoding, PAE, with lengths in bytes; the payload is
handed on exactly as it was verified. Key ids are hints that DSSE does not authenticate: ours is
the fingerprint of the key, and an envelope of ours whose hint names another key is refused.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from countersign import canonical
from countersign.canonical import Json
from countersign.errors import VerificationError
from countersign.ledger.key import Algorithm, SigningKey, VerifierKey
from countersign.ledger.text import encode64

_THING = "DSSE envelope"


class Verifier(Protocol):
    """Whatever can judge a signature over a message."""

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature is that of the message."""
        ...


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature with its hint."""

    keyid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope as read: nothing in it is trusted yet."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]

    @property
    def message(self) -> bytes:
        """The bytes that are signed."""
        return pae(self.payload_type, self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: lengths count bytes, not characters."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, payload_type: str, signer: SigningKey) -> bytes:
    """The canonical bytes of a signed envelope."""
    signature = Signature(signer.key.fingerprint, signer.sign(pae(payload_type, payload)))
    return encode(Envelope(payload, payload_type, (signature,)))


def encode(envelope: Envelope) -> bytes:
    """The one encoding that our envelopes have: RFC 8785, standard base64."""
    signatures: list[Json] = [
        {"keyid": s.keyid, "sig": encode64(s.value)} for s in envelope.signatures
    ]
    return canonical.encode(
        {
            "payload": encode64(envelope.payload),
            "payloadType": envelope.payload_type,
            "signatures": signatures,
        }
    )


def decode(content: bytes) -> Envelope:
    """Read any envelope that the specification allows: both base64 alphabets, key id optional.

    Raises:
        VerificationError: no envelope.
    """
    try:
        document = json.loads(content)
        signatures = tuple(
            Signature(_text(s.get("keyid", "")), _decode64(s["sig"]))
            for s in document["signatures"]
        )
        envelope = Envelope(
            _decode64(document["payload"]), _text(document["payloadType"]), signatures
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VerificationError(
            _THING,
            expected="a JSON object with payload, payloadType and signatures",
            observed=f"{type(error).__name__}: {error}"[:120],
        ) from None
    if not signatures:
        raise VerificationError(_THING, expected="a signature", observed="none")
    return envelope


def decode_own(content: bytes) -> Envelope:
    """Read an envelope of ours, which has one encoding and one signature.

    Raises:
        VerificationError: no envelope, or one that is encoded in another way.
    """
    envelope = decode(content)
    if encode(envelope) != content or len(envelope.signatures) != 1:
        raise VerificationError(
            _THING,
            expected="one signature, in the canonical encoding",
            observed="another encoding, or more signatures",
        )
    return envelope


def verify(envelope: Envelope, verifiers: Iterable[Verifier], payload_type: str) -> bytes:
    """Return the payload when at least one of the verifiers signed it as this type.

    Raises:
        VerificationError: another type, or no signature holds.
    """
    known = tuple(verifiers)
    if not any(v.verify(s.value, envelope.message) for s in envelope.signatures for v in known):
        raise VerificationError(
            _THING,
            expected="a signature that a trusted key made over payload and type",
            observed="none that verifies",
            remedy="The payload, its type or the signature was changed, or the key is another.",
        )
    if envelope.payload_type != payload_type:
        raise VerificationError(
            _THING, expected=f"type {payload_type}", observed=envelope.payload_type
        )
    return envelope.payload


def verify_own(
    content: bytes, keys: Iterable[VerifierKey], payload_type: str
) -> tuple[bytes, VerifierKey]:
    """Return payload and signer of an envelope of ours; its hint must name the signer.

    Raises:
        VerificationError: as `decode_own` and `verify`, or the hint names no trusted key.
    """
    envelope = decode_own(content)
    hint = envelope.signatures[0].keyid
    trusted = {k.fingerprint: k for k in keys if k.algorithm is Algorithm.ED25519}
    if hint not in trusted:
        raise VerificationError(
            _THING,
            expected="a signature by a trusted key: " + (", ".join(trusted) or "none was given"),
            observed=f"key id {hint}",
        )
    return verify(envelope, [trusted[hint]], payload_type), trusted[hint]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a string was expected, not {type(value).__name__}")
    value.encode()  # a lone surrogate has no UTF-8
    return value


def _decode64(value: object) -> bytes:
    text = _text(value)
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except binascii.Error:
        return base64.b64decode(text, altchars=b"-_", validate=True)
