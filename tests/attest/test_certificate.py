"""The certificate that signs PDFs: for signatures alone, and the same bytes every time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from countersign.attest import certificate
from countersign.attest.keys import create_p256
from countersign.errors import ConfigError

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2029, 11, 1, tzinfo=UTC)


@pytest.fixture
def key(tmp_path: Path) -> ec.EllipticCurvePrivateKey:
    return create_p256(f"file:{tmp_path}/pdf.pem", bytes(range(40)))


def issue(key: ec.EllipticCurvePrivateKey, serial: int = 7) -> x509.Certificate:
    return certificate.issue(
        key, entity="Example GmbH", serial=serial, not_before=START, not_after=END
    )


def test_it_signs_documents_and_nothing_else(key: ec.EllipticCurvePrivateKey) -> None:
    found = issue(key)
    found.verify_directly_issued_by(found)
    usage = found.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.digital_signature, usage.value.content_commitment) == (True, True)
    assert not (usage.value.key_cert_sign or usage.value.key_agreement)
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (found.not_valid_before_utc, found.not_valid_after_utc) == (START, END)


def test_the_same_arguments_give_the_same_bytes(key: ec.EllipticCurvePrivateKey) -> None:
    assert certificate.encode(issue(key)) == certificate.encode(issue(key))
    assert certificate.fingerprint(issue(key)) != certificate.fingerprint(issue(key, 8))


def test_it_is_read_and_written_back(key: ec.EllipticCurvePrivateKey) -> None:
    content = certificate.encode(issue(key))
    assert certificate.encode(certificate.decode(content)) == content
    with pytest.raises(ConfigError, match="certificate: expected PEM"):
        certificate.decode(b"none")


def test_a_bad_serial_or_span_is_refused(key: ec.EllipticCurvePrivateKey) -> None:
    for serial in (0, 2**159):
        with pytest.raises(ConfigError, match="certificate serial"):
            issue(key, serial)
    with pytest.raises(ConfigError, match="certificate validity"):
        certificate.issue(key, entity="E", serial=1, not_before=END, not_after=START)
