"""The packet's signature: an invisible, certifying PAdES signature, and its check.

Invisible, because a visible one breaks PDF/A and PDF/UA; certifying (DocMDP 1), because nothing
may change afterwards. Bytes inside the signature's own gap stay malleable in any PAdES file, and
a reader may accept bytes after the end: so the check requires that the signature covers the
entire file, and verifiers compare the whole file's digest with the log besides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any, Final

from asn1crypto import pem, x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from pyhanko.keys.pemder import (
    load_certs_from_pemder_data,
    load_private_key_from_pemder_data,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation import KeyUsageConstraints, validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from countersign.errors import ConfigError, VerificationError
from countersign.packet.text import plain

FIELD: Final = "Countersign"
_RESERVED: Final = 16_384


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """What the signature of a file shows. `identified` needs certificates from outside."""

    intact: bool
    identified: bool
    problems: tuple[str, ...]
    signer: str = ""
    signed_at: datetime | None = None
    certificate: str = ""

    @property
    def sentence(self) -> str:
        """One sentence for a log or a screen."""
        if not self.intact:
            return f"not valid: {'; '.join(self.problems)}"
        whose = self.signer if self.identified else f"signer NOT identified (says {self.signer})"
        return f"intact, covers the entire file, no change allowed; {whose}"


def sign(
    pdf: bytes, key: bytes, cert: bytes, when: datetime, timestamper: TimeStamper | None = None
) -> bytes:
    """The PDF with a certifying signature, PAdES B-B, or B-T with a timestamper.

    `key` and `cert` are PEM; the signing time is handed in. ECDSA draws randomness, so two
    signatures over the same bytes differ; what is signed is deterministic.

    Raises:
        ConfigError: the key or the certificate cannot be read, or they do not fit together.
    """
    signer = _signer(key, cert)
    metadata = signers.PdfSignatureMetadata(
        field_name=FIELD, md_algorithm="sha256", certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES, subfilter=fields.SigSeedSubFilter.PADES,
        reason="Management-prepared evidence",
    )  # fmt: skip
    worker = _AtTime(metadata, signer=signer, timestamper=timestamper)
    worker.when = when
    out = BytesIO()
    worker.sign_pdf(_SameMetadata(BytesIO(pdf)), output=out, bytes_reserved=_RESERVED)
    return out.getvalue()


def check_signature(pdf: bytes, trusted_certs: Sequence[bytes] | None = None) -> SignatureCheck:
    """Whether the file carries exactly one signature that covers all of it and still holds.

    Without certificates from outside the signer is not identified, whatever the file says.
    """
    try:
        return _check(pdf, [_certificate(cert) for cert in trusted_certs or ()])
    except VerificationError as error:
        return SignatureCheck(False, False, (str(error),))
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged file makes the parser raise anything
        said = plain(error, 160) or "no further word"
        return SignatureCheck(False, False, (f"unreadable as a signed PDF: {said}",))


class _AtTime(signers.PdfSigner):  # type: ignore[misc]  # pyHanko is skipped by mypy
    """A signer whose clock is handed in."""

    when: datetime

    def init_signing_session(self, pdf_out: Any, existing_fields_only: bool = False) -> Any:
        session = super().init_signing_session(pdf_out, existing_fields_only)
        session.system_time = self.when
        return session


class _SameMetadata(IncrementalPdfFileWriter):  # type: ignore[misc]  # likewise
    """Leaves title, dates and standards as rendered; pyHanko would put the machine's clock in."""

    def _update_meta(self) -> None:
        return


def _signer(key: bytes, cert: bytes) -> signers.SimpleSigner:
    certificate = _certificate(cert)
    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            "packet signing key",
            expected="a PEM private key without passphrase",
            observed=str(error),
        ) from None
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public != certificate.public_key.dump():
        raise ConfigError(
            "packet signing key",
            expected="the key of the certificate",
            observed="another key",
            remedy="Name the pair that belongs together.",
        )
    store = SimpleCertificateStore()
    store.register(certificate)
    return signers.SimpleSigner(certificate, load_private_key_from_pemder_data(key, None), store)


def _certificate(content: bytes) -> x509.Certificate:
    try:
        if not pem.detect(content):
            raise ValueError("no PEM armour")
        return next(iter(load_certs_from_pemder_data(content)))
    except ValueError as error:
        raise ConfigError(
            "packet certificate", expected="one PEM certificate", observed=str(error)
        ) from None


def _check(pdf: bytes, trusted: list[x509.Certificate]) -> SignatureCheck:
    reader = PdfFileReader(BytesIO(pdf), strict=True)
    found = reader.embedded_signatures
    if len(found) != 1:
        raise VerificationError("PDF signature", expected="exactly one", observed=str(len(found)))
    embedded = found[0]
    roots = trusted or [embedded.signer_cert]
    context = ValidationContext(
        trust_roots=roots, allow_fetching=False, moment=embedded.self_reported_timestamp
    )
    usage = KeyUsageConstraints(key_usage={"digital_signature"})
    status = validate_pdf_signature(embedded, context, key_usage_settings=usage)
    problems = tuple(_problems(status))
    return SignatureCheck(
        intact=not problems,
        identified=bool(trusted and status.trusted and not problems),
        problems=problems,
        signer=plain(embedded.signer_cert.subject.human_friendly, 160),
        signed_at=embedded.self_reported_timestamp,
        certificate=embedded.signer_cert.sha256.hex(),
    )


def _problems(status: Any) -> list[str]:
    problems = []
    if not status.intact:
        problems.append("a signed byte was changed")
    if not status.valid:
        problems.append("the signature does not fit its certificate")
    if status.coverage is not SignatureCoverageLevel.ENTIRE_FILE:
        problems.append("the signature does not cover the entire file: bytes were added or moved")
    if status.docmdp_ok is not True:
        problems.append("a change was made that the certification forbids")
    return problems
