"""Keys of signed notes as text (C2SP signed-note): `name+keyid+base64(type || public key)`.

The key id is the first four bytes of SHA-256(name || newline || type || public key): a hint that
finds a key, never a reason to trust one. Trust rests on the whole public key; people compare its
fingerprint, SHA-256 of the 32 public bytes. Pure; private keys arrive as seeds from the edge.
"""

import hashlib
import re
from dataclasses import dataclass, field
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from countersign.errors import ConfigError, VerificationError
from countersign.ledger.text import decode64, encode64

_KEY_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)
_PRIVATE = "PRIVATE+KEY+"


class Algorithm(IntEnum):
    """What a key signs, by the type byte of C2SP signed-note."""

    ED25519 = 0x01
    """The text of a note, as it is."""
    COSIGNATURE = 0x04
    """A checkpoint with the time at which a witness saw it (cosignature/v1, Ed25519)."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name."""

    name: str
    public: bytes
    algorithm: Algorithm = Algorithm.ED25519

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public) != 32:
            raise VerificationError(
                f"key {self.name}",
                expected="an Ed25519 public key of 32 bytes",
                observed=f"{len(self.public)} bytes",
            )

    @property
    def key_id(self) -> bytes:
        """The four bytes that a signature line starts with."""
        named = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public
        return hashlib.sha256(named).digest()[:4]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, hexadecimal."""
        return hashlib.sha256(self.public).hexdigest()

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made the Ed25519 signature of the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under a name: 32 random bytes that never leave the edge."""

    name: str
    seed: bytes = field(repr=False)
    algorithm: Algorithm = Algorithm.ED25519

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.seed) != 32:
            raise ConfigError(
                f"private key {self.name}",
                expected="a seed of 32 bytes",
                observed=f"{len(self.seed)} bytes",
            )

    @property
    def key(self) -> VerifierKey:
        """The public half."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        return VerifierKey(self.name, private.public_key().public_bytes_raw(), self.algorithm)

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of the message, 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def check_name(name: str) -> None:
    """Refuse a key name that the text formats cannot carry.

    Raises:
        VerificationError: empty, or holds white space, a control character or a plus sign.
    """
    if not name or any(c.isspace() or c < " " or c == "+" for c in name):
        raise VerificationError(
            "key name", expected="text without white space or '+'", observed=repr(name[:60])
        )


def encode_vkey(key: VerifierKey) -> str:
    """The verifier key as text, to be handed to an auditor."""
    return f"{key.name}+{key.key_id.hex()}+{encode64(bytes([key.algorithm]) + key.public)}"


def decode_vkey(text: str) -> VerifierKey:
    """Read a verifier key.

    Raises:
        VerificationError: malformed, of an unknown type, or its key id is not that of the key.
    """
    name, key_id, algorithm, public = _split(text, "verifier key")
    key = VerifierKey(name, public, algorithm)
    _check_key_id("verifier key", key, key_id)
    return key


def encode_skey(key: SigningKey) -> str:
    """The private key as text, in the form of golang.org/x/mod/sumdb/note."""
    material = encode64(bytes([key.algorithm]) + key.seed)
    return f"{_PRIVATE}{key.name}+{key.key.key_id.hex()}+{material}"


def decode_skey(text: str) -> SigningKey:
    """Read a private key. Errors name what is wrong and never print the key.

    Raises:
        VerificationError: malformed, of an unknown type, or its key id is not that of the key.
    """
    if not text.startswith(_PRIVATE):
        raise VerificationError("private key", expected=f"text that starts with {_PRIVATE}")
    try:
        name, key_id, algorithm, seed = _split(text.removeprefix(_PRIVATE), "private key")
    except VerificationError as error:
        raise VerificationError("private key", expected=error.expected) from None
    key = SigningKey(name, seed, algorithm)
    _check_key_id("private key", key.key, key_id)
    return key


def _split(text: str, thing: str) -> tuple[str, str, Algorithm, bytes]:
    parts = text.split("+", 2)  # the base64 part may hold plus signs of its own
    if len(parts) != 3:
        raise VerificationError(thing, expected="name+keyid+base64", observed=repr(text[:80]))
    name, key_id, encoded = parts
    check_name(name)
    if not _KEY_ID.fullmatch(key_id):
        raise VerificationError(
            f"{thing} {name}", expected="a key id of 8 hexadecimal digits", observed=repr(key_id)
        )
    material = decode64(encoded, f"{thing} {name}")
    if material[:1] not in {bytes([known]) for known in Algorithm}:
        raise VerificationError(
            f"{thing} {name}",
            expected="type 0x01 (Ed25519) or 0x04 (cosignature)",
            observed=f"0x{material[:1].hex()}",
        )
    return name, key_id, Algorithm(material[0]), material[1:]


def _check_key_id(thing: str, key: VerifierKey, key_id: str) -> None:
    if key.key_id.hex() != key_id:
        raise VerificationError(
            f"{thing} {key.name}", expected=f"key id {key.key_id.hex()}", observed=key_id
        )
