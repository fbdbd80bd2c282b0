"""The signature covers the whole file, and nothing may change afterwards."""

import random
import shutil
import subprocess
from datetime import UTC, datetime
from io import BytesIO

import pikepdf
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from countersign.attest import certificate
from countersign.canonical import digest
from countersign.errors import ConfigError
from countersign.packet import sign


def test_signature_is_intact_and_its_signer_identified_only_with_a_certificate(
    signed, signing_pair
):
    alone = sign.check_signature(signed)
    assert (alone.intact, alone.identified) == (True, False)
    assert "NOT identified" in alone.sentence
    known = sign.check_signature(signed, [signing_pair[1]])
    assert (known.intact, known.identified) == (True, True)
    assert known.signed_at == datetime(2026, 11, 16, 7, 40, tzinfo=UTC)
    assert "Example Bank" in known.signer


def test_another_certificate_does_not_identify_the_signer(signed, make_certificate):
    check = sign.check_signature(signed, [make_certificate()])
    assert (check.intact, check.identified) == (True, False)


@pytest.fixture
def make_certificate():
    def make() -> bytes:
        key = ec.derive_private_key(0xBAD, ec.SECP256R1())
        span = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
        return certificate.encode(
            certificate.issue(
                key, entity="Somebody else", serial=8, not_before=span[0], not_after=span[1]
            )
        )

    return make


def test_pdfsig_agrees(signed, tmp_path):
    if shutil.which("pdfsig") is None:
        pytest.skip("poppler-utils is not installed")
    file = tmp_path / "packet.pdf"
    file.write_bytes(signed)
    said = subprocess.run(
        ["pdfsig", "-nocert", str(file)], capture_output=True, text=True, check=False
    ).stdout
    assert "Signature is Valid" in said
    assert "Total document signed" in said
    assert "ETSI.CAdES.detached" in said


def test_bytes_after_the_end_are_refused(signed):
    check = sign.check_signature(signed + b"% hello\n")
    assert not check.intact
    assert "entire file" in check.sentence


def test_an_incremental_update_is_refused(signed, tmp_path):
    writer = IncrementalPdfFileWriter(BytesIO(signed))
    writer.root["/Foo"] = generic.pdf_string("changed")
    writer.update_root()
    out = BytesIO()
    writer.write(out)
    check = sign.check_signature(out.getvalue())
    assert not check.intact


def test_an_unsigned_packet_says_so(unsigned):
    check = sign.check_signature(unsigned)
    assert not check.intact
    assert "exactly one" in check.sentence


def test_what_is_no_pdf_gives_a_sentence():
    assert "unreadable" in sign.check_signature(b"not a pdf").sentence


def test_a_key_that_is_not_the_certificates_is_refused(unsigned, signing_pair):
    other = ec.derive_private_key(0xBAD, ec.SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ConfigError, match="the key of the certificate"):
        sign.sign(unsigned, pem, signing_pair[1], datetime(2026, 11, 16, tzinfo=UTC))


def test_what_is_no_certificate_is_refused(unsigned, signing_pair):
    with pytest.raises(ConfigError, match="certificate"):
        sign.sign(unsigned, signing_pair[0], b"nonsense", datetime(2026, 11, 16, tzinfo=UTC))


def test_signing_keeps_the_standards_that_the_file_names(unsigned, signed):
    with pikepdf.open(BytesIO(signed)) as pdf:
        widgets = [
            a
            for page in pdf.pages
            for a in page.get("/Annots", [])
            if a.get("/Subtype") == "/Widget"
        ]
        assert len(widgets) == 1
        assert [float(edge) for edge in widgets[0].Rect] == [0, 0, 0, 0]
        assert pdf.Root.Perms.DocMDP.Reference[0].TransformParams.P == 1
        with pikepdf.open(BytesIO(unsigned)) as before:
            assert pdf.Root.Metadata.read_bytes() == before.Root.Metadata.read_bytes()


def test_flipped_bits_change_the_files_digest_and_covered_ones_break_the_signature(signed):
    """1,000 flips: the log's file hash catches every one, also in the signature's own gap."""
    chance = random.Random(20261116)
    whole, gap = digest(signed), _gap(signed)
    covered = 0
    for number in range(1_000):
        position = chance.randrange(len(signed))
        broken = bytearray(signed)
        broken[position] ^= 1 << chance.randrange(8)
        assert digest(bytes(broken)) != whole
        if position not in gap and number < 60:
            covered += 1
            assert not sign.check_signature(bytes(broken)).intact, position
    assert covered > 40


def _gap(signed: bytes) -> range:
    start = signed.index(b"/Contents <") + len(b"/Contents ")
    return range(start, signed.index(b">", start) + 1)
