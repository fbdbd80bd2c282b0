"""Log entries: canonical, small, and naming the bytes they stand for."""

import json

import pytest

from countersign.attest import entries
from countersign.canonical import digest
from countersign.errors import EvidenceError, VerificationError
from countersign.ledger.key import SigningKey, encode_vkey

CONTENT = b"the document"
KEY = SigningKey("log.example/a", bytes(32)).key
ENTRIES = {
    "pages": entries.pages("litellm", "2026-11-09", CONTENT, count=3),
    "finding": entries.finding(
        "input-drift", "2026-11-09/2026-11-16", CONTENT, state="satisfied", status="final"
    ),
    "packet": entries.packet("CS.pdf", "2026-11-09/2026-11-16", CONTENT, status="provisional"),
    "attestation": entries.attestation("request ab", CONTENT),
    "erasure": entries.erasure(CONTENT, outcome="erased", subject="ab" * 32, authority="DPO"),
    "retention": entries.retention(
        CONTENT, rule="raw_pages = 400d", authority="policy 7", pages=2, rows=0
    ),
    "hold": entries.hold(CONTENT, action="placed", hold="case-1", authority="legal"),
}


@pytest.mark.parametrize("kind", ENTRIES)
def test_an_entry_names_its_bytes(kind: str) -> None:
    entry = entries.decode(ENTRIES[kind])
    assert (entry["type"], entry["sha256"], entry["bytes"]) == (kind, digest(CONTENT), 12)
    entries.check_content(entry, CONTENT, "file")
    with pytest.raises(VerificationError, match="file differs from the log: expected sha256"):
        entries.check_content(entry, CONTENT + b"!", "file")


def test_the_entry_of_a_key_is_its_fingerprint() -> None:
    entry = json.loads(entries.key(KEY, "added"))
    assert entry["sha256"] == KEY.fingerprint
    assert (entry["vkey"], entry["bytes"], entry["action"]) == (encode_vkey(KEY), 32, "added")


def test_an_entry_with_a_wrong_size_is_refused() -> None:
    entry = {**entries.decode(ENTRIES["packet"]), "bytes": 11}
    with pytest.raises(VerificationError, match="expected 11 bytes, observed 12 bytes"):
        entries.check_content(entry, CONTENT, "file")


@pytest.mark.parametrize("content", [b'{"type":"other"}', b'{"type": "packet"}', b"{}", b"1.5"])
def test_what_is_no_entry_is_refused(content: bytes) -> None:
    with pytest.raises(VerificationError, match="log entry"):
        entries.decode(content)


def test_an_entry_that_the_log_cannot_hold_is_refused() -> None:
    with pytest.raises(EvidenceError, match="at most 65535 bytes"):
        entries.attestation("x" * 65_536, CONTENT)
