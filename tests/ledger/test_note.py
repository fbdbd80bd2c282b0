"""Signed notes: the published example, and every way in which one is refused."""

import json
from pathlib import Path

import pytest

from countersign.errors import VerificationError
from countersign.ledger import note
from countersign.ledger.key import Algorithm, SigningKey, decode_vkey
from countersign.ledger.text import encode64

LOG = SigningKey("log.example/a", bytes(range(32)))
OTHER = SigningKey("other.example/b", bytes(range(1, 33)))
WITNESS = SigningKey("witness.example/w", bytes(range(2, 34)), Algorithm.COSIGNATURE)
TEXT = b"log.example/a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_the_published_example_verifies(shared_data: Path) -> None:
    vector = json.loads((shared_data / "vectors/derived/vectors.json").read_bytes())["signed_note"]
    key = decode_vkey(vector["vkey"])
    text, signers = note.verify(vector["note"].encode(), [key], strict=True)
    assert text == b"This is an example message.\n"
    assert signers == (key,)


def test_a_note_is_read_and_written_back() -> None:
    content = note.cosign(note.sign(TEXT, LOG, OTHER), WITNESS, 1_679_315_147)
    assert note.encode(note.decode(content)) == content
    keys = [LOG.key, OTHER.key, WITNESS.key]
    assert note.verify(content, keys, strict=True) == (TEXT, tuple(keys))


def test_text_may_hold_empty_lines() -> None:
    text = b"one\n\n\ntwo\n"
    assert note.verify(note.sign(text, LOG), [LOG.key])[0] == text


def test_unknown_signatures_are_ignored_unless_the_note_is_ours() -> None:
    content = note.sign(TEXT, LOG, OTHER)
    assert note.verify(content, [LOG.key]) == (TEXT, (LOG.key,))
    with pytest.raises(VerificationError, match=r"line 6: expected one signature .* unknown"):
        note.verify(content, [LOG.key], strict=True)


def test_a_second_signature_by_one_key_is_refused_when_strict() -> None:
    content = note.sign(TEXT, LOG, LOG)
    assert note.verify(content, [LOG.key])[1] == (LOG.key,)
    with pytest.raises(VerificationError, match="a second signature"):
        note.verify(content, [LOG.key], strict=True)


def test_one_bad_signature_by_a_known_key_refuses_the_note() -> None:
    good = note.decode(note.sign(TEXT, LOG, OTHER))
    bad = note.Signature(OTHER.name, OTHER.key.key_id, bytes(64))
    content = note.encode(note.Note(TEXT, (good.signatures[0], bad)))
    with pytest.raises(VerificationError, match=r"line 6.* by other.example/b"):
        note.verify(content, [LOG.key, OTHER.key])


def test_a_note_that_no_trusted_key_signed_is_refused() -> None:
    with pytest.raises(VerificationError, match=r"other.example/b .*observed log.example/a"):
        note.verify(note.sign(TEXT, LOG), [OTHER.key])


def test_a_cosignature_covers_its_time() -> None:
    signed = note.decode(note.cosign(note.sign(TEXT, LOG), WITNESS, 1_000))
    log_line, witness_line = signed.signatures
    moved = witness_line.value.replace(bytes([3, 232]), bytes([3, 233]), 1)
    changed = note.Signature(witness_line.name, witness_line.key_id, moved)
    with pytest.raises(VerificationError, match="witness"):
        note.verify(note.encode(note.Note(TEXT, (log_line, changed))), [LOG.key, WITNESS.key])


def test_an_earlier_cosignature_of_c2sp_form_is_what_we_write() -> None:
    content = note.cosign(note.sign(TEXT, LOG), WITNESS, 1_679_315_147)
    value = note.decode(content).signatures[1].value
    message = b"cosignature/v1\ntime 1679315147\n" + TEXT
    assert int.from_bytes(value[:8], "big") == 1_679_315_147
    assert WITNESS.key.verify(value[8:], message)


def lines(*signature_lines: str) -> bytes:
    return b"text\n\n" + "".join(f"{line}\n" for line in signature_lines).encode()


GOOD_LINE = f"— a {encode64(bytes(68))}"
MALFORMED = {
    "no newline at the end": (lines(GOOD_LINE)[:-1], "newline at the end"),
    "no empty line": (b"text\n" + GOOD_LINE.encode() + b"\n", "empty line before"),
    "no signature": (b"text\n\n", "1 to 64 signature lines"),
    "too many signatures": (lines(*[GOOD_LINE] * 65), "1 to 64 signature lines"),
    "hyphen for em dash": (lines(GOOD_LINE.replace("—", "-")), "line 3: .*a signature line"),
    "no name": (lines(f"— {encode64(bytes(68))}"), "line 3"),
    "two spaces": (lines(GOOD_LINE.replace("a ", "a  ")), "line 3: expected canonical base64"),
    "url-safe base64": (lines(f"— a {'_' * 92}"), "canonical base64"),
    "loose last bits": (lines(GOOD_LINE[:-2] + "B="), "canonical base64"),
    "no key id": (lines(f"— a {encode64(b'abc')}"), "key id of 4 bytes"),
    "control character": (b"te\x07xt\n\n" + GOOD_LINE.encode() + b"\n", "line 1.*no control"),
    "carriage return": (lines(GOOD_LINE + "\r"), "line 3.*no control"),
    "no UTF-8": (b"te\xffxt\n\n" + GOOD_LINE.encode() + b"\n", "invalid byte at offset 2"),
    "text after the signatures": (lines(GOOD_LINE) + b"more\n", "line 4"),
    "too large": (b"x" * 1_000_001, "at most 1000000 bytes"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_note_is_refused_with_its_cause(name: str) -> None:
    content, cause = MALFORMED[name]
    with pytest.raises(VerificationError, match=cause):
        note.decode(content)


def test_sixteen_signatures_are_accepted() -> None:
    signers = [SigningKey(f"k{i}", bytes([i]) * 32) for i in range(16)]
    content = note.sign(TEXT, *signers)
    assert len(note.verify(content, [s.key for s in signers], strict=True)[1]) == 16


def test_text_that_is_no_note_text_is_not_signed() -> None:
    with pytest.raises(VerificationError, match="newline at the end"):
        note.sign(b"no newline", LOG)
