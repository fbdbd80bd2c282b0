"""Trusted keys come from the caller: as text, or from a file."""

from pathlib import Path

import pytest

from countersign.attest.trust import read_aloud, trusted
from countersign.errors import ConfigError
from countersign.ledger.key import SigningKey, encode_vkey

ONE, TWO = (SigningKey(f"log.example/{n}", bytes([n]) * 32).key for n in (1, 2))


def test_keys_as_text_and_from_files_each_once(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# our keys\n\n{encode_vkey(ONE)}\n  {encode_vkey(TWO)}\n")
    assert trusted([encode_vkey(ONE)]) == (ONE,)
    assert trusted([encode_vkey(TWO), str(tmp_path / "keys")]) == (TWO, ONE)
    assert trusted([]) == ()


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("# nothing\n")
    (tmp_path / "bad").write_text("no key\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    changed = encode_vkey(ONE).replace("+", "+0", 1)
    for reference in ("no key", changed, *(str(tmp_path / n) for n in ("empty", "bad", "binary"))):
        with pytest.raises(ConfigError, match="trusted key"):
            trusted([reference])


def test_a_fingerprint_is_read_aloud_in_two_lines_of_four_groups() -> None:
    lines = read_aloud(ONE.fingerprint).split("\n")
    assert [len(line.split(" ")) for line in lines] == [4, 4]
    assert "".join(lines).replace(" ", "") == ONE.fingerprint
