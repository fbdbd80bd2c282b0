"""The self-signed certificate under which an installation signs its PDFs (PAdES, ECDSA P-256).

Nobody vouches for it but its fingerprint, as with every key here; a certificate from a real
authority can stand in its place. Clock, serial and validity are handed in, and the signature
is deterministic (RFC 6979), so the same arguments give the same bytes.
"""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from countersign.errors import ConfigError


def issue(
    key: ec.EllipticCurvePrivateKey,
    *,
    entity: str,
    serial: int,
    not_before: datetime,
    not_after: datetime,
) -> x509.Certificate:
    """A certificate for digital signature and non-repudiation, and for nothing else.

    Raises:
        ConfigError: a serial that RFC 5280 does not allow, or an empty span of validity.
    """
    if not 0 < serial < 2**159:
        raise ConfigError("certificate serial", expected="1 to 2^159 - 1", observed=str(serial))
    if not_after <= not_before:
        raise ConfigError(
            "certificate validity",
            expected=f"an end after {not_before.isoformat()}",
            observed=not_after.isoformat(),
        )
    name = _name(entity)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_signing_only(), critical=True)
        .add_extension(identifier, critical=False)
    )
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)


def encode(certificate: x509.Certificate) -> bytes:
    """The certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM)


def decode(content: bytes) -> x509.Certificate:
    """Read a PEM certificate.

    Raises:
        ConfigError: it is none.
    """
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError as error:
        raise ConfigError("certificate", expected="PEM", observed=str(error)) from None


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's DER bytes, as PDF readers show it."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _name(entity: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, entity[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{entity[:40]} evidence signing"),
        ]
    )


def _signing_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
