"""Envelopes: the published vectors, both base64 alphabets, and one form for our own."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from countersign.attest import dsse
from countersign.attest.dsse import Envelope, Signature
from countersign.errors import VerificationError
from countersign.ledger.key import Algorithm, SigningKey

KEY = SigningKey("attest.example/a", bytes(range(32)))
OTHER = SigningKey("attest.example/b", bytes(range(1, 33)))
KIND = "application/vnd.in-toto+json"
OWN = dsse.sign(b'{"a":1}', KIND, KEY)


class RawP256:
    """A verifier of raw r || s signatures, as the DSSE vector has them."""

    def __init__(self, x: str, y: str) -> None:
        numbers = ec.EllipticCurvePublicNumbers(int(x), int(y), ec.SECP256R1())
        self._key = numbers.public_key()

    def verify(self, signature: bytes, message: bytes) -> bool:
        r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
        try:
            self._key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


@pytest.fixture
def vector(shared_data: Path) -> dict[str, Any]:
    document = json.loads((shared_data / "vectors/derived/vectors.json").read_bytes())
    found: dict[str, Any] = document["dsse"]
    return found


def test_the_published_pre_authentication_encoding(vector: dict[str, Any]) -> None:
    found = dsse.pae(vector["payloadType"], vector["payload"].encode())
    assert found == vector["pae"].encode()


def test_lengths_count_bytes() -> None:
    assert dsse.pae("é", "ü".encode()) == "DSSEv1 2 é 2 ü".encode()


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_the_published_ecdsa_envelope_in_both_alphabets(
    vector: dict[str, Any], encode: Any
) -> None:
    value = base64.b64decode(vector["sig_raw_r_s_b64"])
    document = {
        "payload": encode(vector["payload"].encode()).decode(),
        "payloadType": vector["payloadType"],
        "signatures": [{"sig": encode(value).decode()}],
    }
    key = RawP256(vector["ecdsa_p256_x"], vector["ecdsa_p256_y"])
    envelope = dsse.decode(json.dumps(document, indent=1).encode())
    assert dsse.verify(envelope, [key], vector["payloadType"]) == b"hello world"
    changed = Envelope(b"hello worlD", envelope.payload_type, envelope.signatures)
    with pytest.raises(VerificationError, match="none that verifies"):
        dsse.verify(changed, [key], vector["payloadType"])


def test_one_good_signature_of_two_is_enough_for_a_foreign_envelope() -> None:
    good = dsse.decode(OWN).signatures[0]
    both = Envelope(b'{"a":1}', KIND, (Signature("", bytes(64)), good))
    assert dsse.verify(both, [OTHER.key, KEY.key], KIND) == b'{"a":1}'


def test_our_own_envelope_comes_back_with_its_signer() -> None:
    assert dsse.verify_own(OWN, [OTHER.key, KEY.key], KIND) == (b'{"a":1}', KEY.key)


def test_the_type_is_signed() -> None:
    renamed = OWN.replace(b"in-toto+json", b"in-tota+json")
    with pytest.raises(VerificationError, match="over payload and type"):
        dsse.verify_own(renamed, [KEY.key], KIND)
    with pytest.raises(VerificationError, match="expected type text/plain"):
        dsse.verify_own(OWN, [KEY.key], "text/plain")


def test_a_hint_that_names_another_key_is_refused() -> None:
    envelope = dsse.decode(OWN)
    swapped = Signature(OTHER.key.fingerprint, envelope.signatures[0].value)
    content = dsse.encode(Envelope(envelope.payload, KIND, (swapped,)))
    with pytest.raises(VerificationError, match="none that verifies"):
        dsse.verify_own(content, [KEY.key, OTHER.key], KIND)
    with pytest.raises(VerificationError, match=f"key id {OTHER.key.fingerprint}"):
        dsse.verify_own(content, [KEY.key], KIND)


def test_a_witness_key_does_not_sign_statements() -> None:
    witness = SigningKey(KEY.name, KEY.seed, Algorithm.COSIGNATURE)
    with pytest.raises(VerificationError, match="by a trusted key"):
        dsse.verify_own(OWN, [witness.key], KIND)


OTHER_FORMS = {
    "white space": OWN.replace(b",", b", ", 1),
    "url-safe base64": dsse.sign(b"\xff\xfe\xfb", KIND, KEY).replace(b"//77", b"__77"),
    "another field": OWN.replace(b'{"payload"', b'{"a":1,"payload"'),
    "a field twice": OWN.replace(b'{"payload"', b'{"payload":"","payload"'),
    "two signatures": dsse.encode(
        Envelope(b"", KIND, (*dsse.decode(OWN).signatures, *dsse.decode(OWN).signatures))
    ),
}


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_our_own_envelope_has_one_form(name: str) -> None:
    assert OTHER_FORMS[name] != OWN
    assert dsse.decode(OTHER_FORMS[name]).signatures
    with pytest.raises(VerificationError, match="canonical encoding"):
        dsse.verify_own(OTHER_FORMS[name], [KEY.key], KIND)


MALFORMED = [
    b"",
    b"[]",
    b"{}",
    b"\xff",
    b"[" * 100_000,
    b'{"payload":"a","payloadType":"t","signatures":[{"sig":"AAAA"}]}',
    b'{"payload":"AAAA","payloadType":1,"signatures":[{"sig":"AAAA"}]}',
    b'{"payload":"AAAA","payloadType":"\\ud800","signatures":[{"sig":"AAAA"}]}',
    b'{"payload":"AAAA","payloadType":"t","signatures":[]}',
    b'{"payload":"AAAA","payloadType":"t","signatures":["AAAA"]}',
    b'{"payload":"AAAA","payloadType":"t","signatures":[{"sig":"AA AA"}]}',
]


@pytest.mark.parametrize("content", MALFORMED, ids=lambda content: repr(content[:40]))
def test_what_is_no_envelope_is_refused(content: bytes) -> None:
    with pytest.raises(VerificationError, match="DSSE envelope"):
        dsse.decode(content)
