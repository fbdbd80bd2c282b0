"""Signing is cut short at every file it writes: the next run finds what was logged, once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from countersign.canonical import digest
from countersign.errors import EvidenceError
from countersign.pipeline import admit, assess, publish, render, seal, sign
from countersign.pipeline.collect import collect
from countersign.pipeline.render import packets

ADA = sign.Approval("Ada Byron", "2026-11-16T06:30:00Z")
LATER = sign.Approval("Somebody Else", "2026-11-16T07:30:00Z")
KILLED = -9
DYING = """
import os, signal, sys
from countersign.model import Window
from countersign.pipeline import sign
from countersign.pipeline.workspace import open_workspace

config, window, last = sys.argv[1], Window.parse(sys.argv[2]), sys.argv[3]

def watch(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("/" + last):
        os.kill(os.getpid(), signal.SIGKILL)

ws = open_workspace(config)
sys.addaudithook(watch)
sign.sign(ws, window, sign.Approval("Ada Byron", "2026-11-16T06:30:00Z"))
"""
BEFORE_INTENT = ("packet.pdf", "signing.json")
AFTER_INTENT = ("checkpoint", "packet.tlog-proof", "signed.json")


@pytest.fixture(scope="module")
def rendered(calm: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A week of files up to the rendered packet; not approved yet."""
    site = calm.copy(tmp_path_factory.mktemp("rendered") / "site")
    site.read_files()
    ws = site.open()
    collect(ws, site.week)
    admit.admit(ws)
    assess.assess(ws, site.week, ("data-residency",))
    seal.seal(ws, site.week)
    render.render(ws, site.week)
    return site


def die(site: Any, file: str) -> None:
    """Sign in a process that is killed at the moment it would put a file in its place."""
    command = [sys.executable, "-W", "ignore", "-c", DYING, str(site.config), str(site.week), file]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == KILLED, ended.stderr[-1_000:]


def logged(site: Any) -> list[dict[str, Any]]:
    log = site.open().log
    log.check()
    found = [json.loads(log.entry(index)) for index in range(log.size)]
    return [entry for entry in found if entry["type"] == "packet"]


@pytest.mark.parametrize("file", [*BEFORE_INTENT, *AFTER_INTENT])
def test_killed_before_any_file_and_run_again_it_is_logged_once(
    rendered: Any, tmp_path: Path, file: str
) -> None:
    site = rendered.copy(tmp_path / "site")
    die(site, file)
    signed = sign.sign(site.open(), site.week, LATER)
    (entry,) = logged(site)
    content = packets(site.open()).existing(site.week).signed.read_bytes()
    assert entry["sha256"] == signed.digest == digest(content)
    name = LATER.name if file in BEFORE_INTENT else ADA.name
    assert name in entry["approved"] == signed.approved
    assert publish.publish(site.open(), site.week).files
    assert "VALID" in publish.verify_published(site.open(), site.week).sentence


@pytest.mark.parametrize("file", ["packet.tlog-proof", "signed.json"])
def test_a_logged_packet_is_not_rendered_over_after_a_kill(
    rendered: Any, tmp_path: Path, file: str
) -> None:
    site = rendered.copy(tmp_path / "site")
    die(site, file)
    first = packets(site.open()).existing(site.week)
    approved = first.unsigned.read_bytes()
    assess.assess(site.open(), site.week, ("token-reconciliation",))
    seal.seal(site.open(), site.week)
    render.render(site.open(), site.week)
    assert (first.unsigned.read_bytes(), first.is_signed) == (approved, True)
    sign.sign(site.open(), site.week, LATER)
    old, new = logged(site)
    assert (old["version"], new["version"], new["supersedes"]) == (1, 2, old["sha256"])


@pytest.mark.parametrize(("file", "held"), [("checkpoint", 0), ("signed.json", 1)])
def test_a_file_damaged_meanwhile_is_signed_afresh_only_while_nothing_was_logged(
    rendered: Any, tmp_path: Path, file: str, held: int
) -> None:
    site = rendered.copy(tmp_path / "site")
    die(site, file)
    packet = packets(site.open()).existing(site.week)
    packet.signed.write_bytes(packet.signed.read_bytes()[:-1])
    if held:
        with pytest.raises(EvidenceError, match="other bytes"):
            sign.sign(site.open(), site.week, LATER)
    else:
        sign.sign(site.open(), site.week, LATER)
    assert [LATER.name in entry["approved"] for entry in logged(site)] == [not held]
