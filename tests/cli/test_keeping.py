"""migrate, backup, restore and the restored log's way back, as commands."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def made(countersign: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `init` writes, in the current folder, and a passphrase in the environment."""
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path / "site")
    monkeypatch.delenv("COUNTERSIGN_CONFIG", raising=False)
    monkeypatch.setenv("BACKUP_PASSPHRASE", "correct horse")
    assert countersign("init").code == 0
    return tmp_path / "site"


def test_everything_deleted_comes_back_by_three_commands(countersign: Run, made: Path) -> None:
    secret = ("--passphrase", "env:BACKUP_PASSPHRASE")
    said = countersign("backup", "../b", *secret, "--with-private-keys", "--json")
    assert (said.code, json.loads(said.out)["size"]) == (0, 1)
    for found in made.iterdir():
        shutil.rmtree(found) if found.is_dir() else found.unlink()
    said = countersign("restore", "../b", *secret)
    assert said.code == 0, said.err
    assert "accept-restore" in said.out
    said = countersign("log", "accept-restore")
    assert said.code == 2
    assert "--authority" in said.err
    assert countersign("log", "accept-restore", "--authority", "the lead").code == 0
    assert "2 entries: every hash derives again" in countersign("log", "check").out


def test_a_backup_says_what_becomes_of_its_secrets(countersign: Run, made: Path) -> None:
    said = countersign("backup", "../b")
    assert (said.code, "--without-secrets" in said.err) == (2, True)
    said = countersign("backup", "../b", "--without-secrets", "--with-private-keys")
    assert (said.code, "--passphrase" in said.err) == (2, True)
    assert "WITHOUT secrets" in countersign("backup", "../b", "--without-secrets").out


def test_migrate_says_that_there_is_nothing_to_do(countersign: Run, made: Path) -> None:
    assert "nothing to do: layout 2" in countersign("migrate").out
    (made / "lake" / "lake.json").write_text('{"schema":"urn:countersign:lake:v0.1","version":3}')
    for command in ("migrate", "admit"):
        said = countersign(command)
        assert (said.code, "newer version" in said.err) == (3, True)


def test_cosign_without_witnesses_says_so(countersign: Run, made: Path) -> None:
    assert countersign("log", "cosign").out == "no witness cosigned\n"
