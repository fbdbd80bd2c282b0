"""Private keys: made once, kept to oneself, never overwritten."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from countersign.attest import keys
from countersign.errors import ConfigError
from countersign.ledger.key import encode_skey

SEED = bytes(range(32))


def test_a_key_is_stored_for_its_owner_alone_and_comes_back(tmp_path: Path) -> None:
    uri = f"file:{tmp_path}/keys/log.skey"
    made = keys.create(uri, "log.example/a", SEED)
    assert keys.load(uri, "log.example/a") == made
    assert (tmp_path / "keys/log.skey").stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    uri = f"file:{tmp_path}/log.skey"
    keys.create(uri, "log.example/a", SEED)
    with pytest.raises(ConfigError, match="never overwritten"):
        keys.create(uri, "log.example/a", SEED)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys.create(f"file:{tmp_path}/log.skey", "log.example/a", SEED)
    (tmp_path / "log.skey").chmod(0o644)
    with pytest.raises(ConfigError, match=r"mode 0600, observed mode 0644. chmod 600"):
        keys.load(f"file:{tmp_path}/log.skey", "log.example/a")


def test_a_key_from_the_environment_and_from_pem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = keys.create(f"file:{tmp_path}/log.skey", "log.example/a", SEED)
    monkeypatch.setenv("A_KEY", encode_skey(made))
    assert keys.load("env:A_KEY", "log.example/a") == made
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    monkeypatch.setenv("A_KEY", pem.decode())
    assert keys.load("env:A_KEY", "log.example/a") == made


def test_a_p256_key_is_made_from_random_bytes(tmp_path: Path) -> None:
    uri = f"file:{tmp_path}/pdf.pem"
    made = keys.create_p256(uri, bytes(range(40)))
    assert keys.load_p256(uri).private_numbers() == made.private_numbers()
    with pytest.raises(ConfigError, match="40 random bytes"):
        keys.create_p256(f"file:{tmp_path}/other.pem", bytes(32))
    with pytest.raises(ConfigError, match="an Ed25519 private key"):
        keys.load(uri, "log.example/a")


@pytest.mark.parametrize(
    ("uri", "cause"),
    [
        ("env:NO_SUCH_KEY_HERE", "the variable to be set"),
        ("file:/nonexistent/key", "nothing there"),
        ("https://example.com/key", "file:PATH or env:NAME"),
        ("secret text", "file:PATH or env:NAME"),
    ],
)
def test_a_key_that_is_not_there_is_refused(uri: str, cause: str) -> None:
    with pytest.raises(ConfigError, match=cause):
        keys.load(uri, "log.example/a")


def test_a_key_of_another_name_or_no_key_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"file:{tmp_path}/log.skey"
    keys.create(uri, "log.example/a", SEED)
    with pytest.raises(ConfigError, match=r"observed the key of log.example/a"):
        keys.load(uri, "log.example/b")
    for text in ("no key", "-----BEGIN nothing"):
        monkeypatch.setenv("A_KEY", text)
        for load in (lambda: keys.load("env:A_KEY", "a"), lambda: keys.load_p256("env:A_KEY")):
            with pytest.raises(ConfigError, match="env:A_KEY"):
                load()
