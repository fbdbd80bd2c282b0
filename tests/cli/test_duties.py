"""Erase, hold and retention as a person runs them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
WHY = ("--reason", "dispute 4", "--authority", "legal")


@pytest.fixture
def empty(countersign: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what `init` writes, and the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COUNTERSIGN_CONFIG", raising=False)
    assert countersign("init").code == 0
    return tmp_path


def test_init_makes_the_key_of_the_pages_for_its_owner_alone(empty: Path) -> None:
    key = empty / "keys" / "lake.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(key.read_text())) == 32


def test_a_hold_is_placed_listed_and_lifted(countersign: Run, empty: Path) -> None:
    placed = countersign("hold", "place", "--id", "case-4", "--tenant", "acme", *WHY)
    assert placed.code == 0
    assert "case-4: tenant acme; in force; dispute 4 (by legal" in placed.out
    (listed,) = json.loads(countersign("hold", "list", "--json").out)
    assert (listed["id"], listed["named"]["tenant"], listed["lifted_at_us"]) == (
        "case-4", "acme", None,
    )  # fmt: skip
    assert countersign("hold", "lift", "case-4", *WHY).code == 0
    assert "lifted" in countersign("hold", "list").out
    checked = json.loads(countersign("log", "check", "--json").out)
    assert checked["size"] == 3


def test_an_erasure_of_somebody_unknown_is_logged_without_the_name(
    countersign: Run, empty: Path
) -> None:
    asked = ("erase", "--user", "nobody-17", "--authority", "DPO, case 8")
    assert json.loads(countersign(*asked, "--dry-run", "--json").out)["entry"] is None
    said = countersign(*asked)
    assert (said.code, "erased: 0 raw pages" in said.out) == (0, True)
    log = b"".join(p.read_bytes() for p in (empty / "lake" / "log").rglob("*") if p.is_file())
    assert b"DPO, case 8" in log
    assert b"nobody-17" not in log


def test_retention_shows_and_applies(countersign: Run, empty: Path) -> None:
    assert "nothing has had its time" in countersign("retention").out
    assert json.loads(countersign("retention", "--apply", "--json").out) == []


WRONG = {
    "nobody": (("erase", "--authority", "x"), "--user"),
    "a request of somebody": (
        ("erase", "--authority", "x", "--request", "r", "--user", "u"), "--request",
    ),
    "the name in the log": (("erase", "--user", "ada", "--authority", "asked by Ada"), "names"),
    "a hold of nothing": (("hold", "place", "--id", "a", *WHY), "a tenant"),
    "a hold without a plain id": (
        ("hold", "place", "--id", "../a", "--tenant", "t", *WHY), "letters, digits",
    ),
    "a hold that is not there": (("hold", "lift", "none", *WHY), "none"),
    "a reason that names": (
        ("hold", "place", "--id", "a", "--user", "ada", "--reason", "ada v. us",
         "--authority", "legal"), "names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_sentence_and_exits_2(countersign: Run, empty: Path, case: str) -> None:
    words, named = WRONG[case]
    said = countersign(*words)
    assert said.code == 2
    assert named in said.err
    assert said.err.count("\n") == 1
