"""Bundles: any zip program opens one, and there is one valid form."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.attest import bundle
from countersign.errors import EvidenceError, VerificationError

MEMBERS = {"b.txt": b"second", "a/1.txt": b"", "README.txt": bytes(range(256)) * 9}


def test_any_zip_program_opens_it() -> None:
    with zipfile.ZipFile(io.BytesIO(bundle.encode(MEMBERS))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS
        assert archive.namelist() == sorted(MEMBERS)
        for info in archive.infolist():
            assert (info.date_time, info.compress_type, info.extra) == (
                (1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, b"",
            )  # fmt: skip
            assert info.external_attr >> 16 == 0o100644


@given(st.dictionaries(st.from_regex(r"\A[a-z]{1,8}(/[a-z0-9]{1,8})?\Z"), st.binary(), min_size=1))
def test_members_come_back(members: dict[str, bytes]) -> None:
    assert bundle.decode(bundle.encode(members)) == members


def packed(**settings: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **settings) as archive:  # type: ignore[call-overload]
        for name, content in sorted(MEMBERS.items()):
            archive.writestr(name, content)
    return buffer.getvalue()


GOOD = bundle.encode(MEMBERS)
OTHER_FORMS = {
    "packed by another program": packed(),
    "compressed": packed(compression=zipfile.ZIP_DEFLATED),
    "comment": GOOD[:-2] + b"\x01\x00!",
    "text before": b"#!" + GOOD,
    "text after": GOOD + b"\0",
    "central directory gone": GOOD[: GOOD.index(b"PK\1\2")],
    "cut": GOOD[:40],
    "no zip": b"%PDF-1.7",
    "empty": b"",
    "empty zip": b"PK\5\6" + bytes(18),
}


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_another_form_is_refused(name: str) -> None:
    with pytest.raises(VerificationError, match="bundle: expected"):
        bundle.decode(OTHER_FORMS[name])


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../up", "a//b", "a b", "a\\b", "é", ".a", "a/"]
)
def test_a_name_that_could_escape_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError, match="a plain path"):
        bundle.encode({name: b""})
