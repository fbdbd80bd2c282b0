"""Commitments: the same person the same one, and nobody's without the salt."""

import hashlib
import hmac
import secrets
import stat
from pathlib import Path

import pytest

from countersign.errors import EvidenceError
from countersign.lake.salts import ORGANISATION, Salts, tenant_scope
from countersign.lake.store import LocalStore


def salts(root: Path) -> Salts:
    return Salts(LocalStore(root), secrets.token_bytes)


def test_a_commitment_is_hmac_sha256_under_the_scope_secret(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    made = Salts(store, lambda size: b"k" * size).commit(ORGANISATION, "key_eu_prod")
    assert made == hmac.new(b"k" * 32, b"key_eu_prod", hashlib.sha256).hexdigest()


def test_secrets_survive_and_differ_by_tenant(tmp_path: Path) -> None:
    first = salts(tmp_path).commit(tenant_scope("aster-bank"), "u1")
    assert salts(tmp_path).commit(tenant_scope("aster-bank"), "u1") == first
    assert salts(tmp_path).commit(tenant_scope("borealis-shop"), "u1") != first


def test_everything_secret_is_for_the_owner_alone(tmp_path: Path) -> None:
    table = salts(tmp_path)
    table.commit_all([(ORGANISATION, "k")])
    table.request_salts("2026-11-09", ["r1"])
    files = [file for file in (tmp_path / "salts").rglob("*") if file.is_file()]
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_commitment_can_be_revealed_and_a_second_admission_adds_nothing(tmp_path: Path) -> None:
    table = salts(tmp_path)
    pairs = [(ORGANISATION, "k1"), (ORGANISATION, "k2"), (ORGANISATION, "k1")]
    made = table.commit_all(pairs)
    table.commit_all(pairs[:2])
    assert table.pseudonyms().num_rows == 2
    assert table.reveal(made["commitment"][1].as_py()) == (ORGANISATION, "k2")
    assert table.reveal("0" * 64) is None


def test_request_salts_are_random_stored_and_kept_when_others_come(tmp_path: Path) -> None:
    table = salts(tmp_path)
    first = table.request_salts("2026-11-09", ["r1", "r2", "r1"])
    assert len(first["r1"]) == 32
    assert first["r1"] != first["r2"]
    more = salts(tmp_path).request_salts("2026-11-09", ["r2", "r3"])
    assert {name: more[name] for name in first} == first
    assert salts(tmp_path).request_salt("r3", "2026-11-09") == more["r3"]


def test_a_salt_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="salt of request r9 on 2026-11-09"):
        salts(tmp_path).request_salt("r9", "2026-11-09")
