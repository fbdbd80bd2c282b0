"""Keys as text: one spelling each, and nothing but that spelling is accepted."""

import json
from pathlib import Path
from typing import Any

import pytest

from countersign.errors import ConfigError, VerificationError
from countersign.ledger.key import (
    Algorithm,
    SigningKey,
    VerifierKey,
    decode_skey,
    decode_vkey,
    encode_skey,
    encode_vkey,
)


@pytest.fixture
def vectors(shared_data: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        (shared_data / "vectors/derived/vectors.json").read_bytes()
    )
    return document


def manglings(good: str) -> list[str]:
    """Every proper substring, and every character replaced by the next one."""
    length = len(good)
    parts = [good[i:j] for i in range(length + 1) for j in range(i, length + 1) if j - i < length]
    changed = [good[:i] + chr(ord(good[i]) + 1) + good[i + 1 :] for i in range(length)]
    return parts + changed


def test_published_keys_are_read_and_written_back(vectors: dict[str, Any]) -> None:
    for text in (vectors["vkey"]["good"], vectors["signed_note"]["vkey"]):
        assert encode_vkey(decode_vkey(text)) == text
    private = decode_skey(vectors["vkey"]["good_skey"])
    assert encode_skey(private) == vectors["vkey"]["good_skey"]
    assert encode_vkey(private.key) == vectors["vkey"]["good"]


def test_every_mangled_key_is_refused(vectors: dict[str, Any]) -> None:
    texts = manglings(vectors["vkey"]["good"]) + vectors["vkey"]["bad"]
    assert len(texts) >= 2278
    for text in texts:
        with pytest.raises(VerificationError):
            decode_vkey(text)


def test_every_mangled_private_key_is_refused_without_being_printed(
    vectors: dict[str, Any],
) -> None:
    good = vectors["vkey"]["good_skey"]
    secret = good.rsplit("+", 1)[1]
    for text in [*manglings(good)[-len(good) :], good[:-1], "no key"]:
        with pytest.raises(VerificationError) as caught:
            decode_skey(text)
        assert secret[2:20] not in str(caught.value)


def test_key_id_depends_on_the_type() -> None:
    signing = SigningKey("log.example/a", bytes(32))
    witness = SigningKey("log.example/a", bytes(32), Algorithm.COSIGNATURE)
    assert signing.key.public == witness.key.public
    assert signing.key.key_id != witness.key.key_id
    assert decode_vkey(encode_vkey(witness.key)) == witness.key


@pytest.mark.parametrize("name", ["", "two words", "a+b", "tab\there", "no\u00a0break"])
def test_a_name_that_the_text_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(VerificationError, match="key name"):
        VerifierKey(name, bytes(32))


def test_a_key_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(VerificationError, match="32 bytes, observed 31 bytes"):
        VerifierKey("a", bytes(31))
    with pytest.raises(ConfigError, match="seed of 32 bytes"):
        SigningKey("a", b"short")


def test_a_private_key_does_not_show_in_its_repr() -> None:
    assert "seed" not in repr(SigningKey("a", b"s" * 32))


def test_wycheproof_ed25519(shared_data: Path) -> None:
    file = shared_data / "vectors/wycheproof/testvectors_v1/ed25519_test.json"
    groups = json.loads(file.read_bytes())["testGroups"]
    cases = [(group["publicKey"]["pk"], case) for group in groups for case in group["tests"]]
    assert len(cases) >= 150
    for public, case in cases:
        key = VerifierKey("wycheproof", bytes.fromhex(public))
        accepted = key.verify(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
        assert accepted == (case["result"] == "valid"), case["tcId"]
