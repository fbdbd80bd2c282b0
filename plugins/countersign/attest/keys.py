"""Private keys of an installation, each behind a URI: `file:PATH` or `env:NAME`.

An Ed25519 key is text (`PRIVATE+KEY+...`) or PKCS #8 PEM. Files are created with mode 0600,
never overwritten, and refused when others may read them. Randomness is handed in.
"""

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from countersign.errors import ConfigError, VerificationError
from countersign.ledger.key import SigningKey, decode_skey, encode_skey

_PEM = b"-----BEGIN"
# The order of P-256; a scalar from 1 to order - 1 is a private key (FIPS 186-5, A.2.1).
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def create(uri: str, name: str, seed: bytes) -> SigningKey:
    """Make the key of 32 random bytes, store it at a `file:` URI, and return it.

    Raises:
        ConfigError: the file exists, or the URI is no file.
    """
    key = SigningKey(name, seed)
    _store(uri, f"{encode_skey(key)}\n".encode())
    return key


def load(uri: str, name: str) -> SigningKey:
    """The Ed25519 key behind a URI, to sign as `name`.

    Raises:
        ConfigError: nothing there, readable by others, no Ed25519 key, or one of another name.
    """
    content = _fetch(uri)
    if content.startswith(_PEM):
        private = _load_pem(uri, content)
        if not isinstance(private, Ed25519PrivateKey):
            raise _wrong(uri, "an Ed25519 private key", type(private).__name__)
        return SigningKey(name, private.private_bytes_raw())
    try:
        key = decode_skey(content.decode("ascii", "replace").strip())
    except VerificationError as error:  # which never prints the key
        raise _wrong(uri, error.expected, "another text") from None
    if key.name != name:
        raise _wrong(uri, f"the key of {name}", f"the key of {key.name}")
    return key


def create_p256(uri: str, secret: bytes) -> ec.EllipticCurvePrivateKey:
    """Make the P-256 key that signs PDFs from 40 random bytes, and store it at a `file:` URI.

    Raises:
        ConfigError: too few bytes, the file exists, or the URI is no file.
    """
    if len(secret) < 40:
        raise _wrong(uri, "40 random bytes or more", f"{len(secret)} bytes")
    scalar = int.from_bytes(secret, "big") % (_P256_ORDER - 1) + 1
    key = ec.derive_private_key(scalar, ec.SECP256R1())
    _store(uri, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def load_p256(uri: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key behind a URI.

    Raises:
        ConfigError: nothing there, readable by others, or another kind of key.
    """
    key = _load_pem(uri, _fetch(uri))
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise _wrong(uri, "a P-256 private key", type(key).__name__)
    return key


def _load_pem(uri: str, content: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(content, password=None)
    except (ValueError, TypeError):  # no PEM, or an encrypted one
        raise _wrong(uri, "an unencrypted PEM private key", "something else") from None


def _store(uri: str, content: bytes) -> None:
    path = _path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(
            f"key {uri}",
            expected="no file there yet",
            observed="a file",
            remedy="Keys are never overwritten: move the old one away first.",
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _fetch(uri: str) -> bytes:
    scheme, _, rest = uri.partition(":")
    if scheme == "env":
        if rest not in os.environ:
            raise _wrong(uri, "the variable to be set", "not set")
        return os.environ[rest].encode()
    path = _path(uri)
    if not path.is_file():
        raise ConfigError(
            f"key {uri}",
            expected="a file",
            observed="nothing there",
            remedy="`countersign init` makes keys.",
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(
            f"key {uri}",
            expected="mode 0600",
            observed=f"mode {mode:04o}",
            remedy=f"chmod 600 {path}",
        )
    return path.read_bytes()


def _path(uri: str) -> Path:
    scheme, _, rest = uri.partition(":")
    if scheme != "file" or not rest:
        raise _wrong(uri.partition(":")[0] + ":...", "file:PATH or env:NAME", f"scheme {scheme}")
    return Path(rest)


def _wrong(uri: str, expected: str, observed: str) -> ConfigError:
    return ConfigError(f"key {uri}", expected=expected, observed=observed)
