"""What the log learns from its witnesses, over real HTTP."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from countersign.config import LogSettings, Witness
from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import note
from countersign.ledger.key import Algorithm, SigningKey, decode_vkey, encode_vkey
from countersign.pipeline import keys, witness
from countersign.pipeline.witness import UnansweredError
from countersign.pipeline.workspace import Workspace, open_workspace

TOML = '[countersign]\nentity = "Example"\norigin = "countersign.example/log"\n'
AICS = os.environ.get("COUNTERSIGN_AICS_WITNESS")


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    """An installation with nothing in its log but its key."""
    (tmp_path / "countersign.toml").write_text(TOML, "utf-8")
    made = open_workspace(str(tmp_path / "countersign.toml"))
    keys.make(made)
    return made


@pytest.fixture
def small(ws: Workspace, witnesses: ModuleType) -> Iterator[Any]:
    """A witness that was told of the log."""
    known = witnesses.SmallWitness({ws.key.name: ws.key.key})
    with witnesses.served(known):
        yield known


def watched(ws: Workspace, *configured: Witness) -> Workspace:
    config = ws.config.model_copy(update={"log": LogSettings(witnesses=configured)})
    return replace(ws, config=config)


def test_the_configuration_names_witnesses(tmp_path: Path) -> None:
    file = tmp_path / "countersign.toml"
    file.write_text(
        TOML + '[log]\nwitnesses = [{ key = "w+1234abcd+AAA=", url = "https://w.example" }]\n',
        "utf-8",
    )
    (found,) = open_workspace(str(file)).config.log.witnesses
    assert (found.key, found.url) == ("w+1234abcd+AAA=", "https://w.example")


def test_a_witness_cosigns_from_nothing_then_each_growth(ws: Workspace, small: Any) -> None:
    sizes = []
    for grown in (0, 1, 6, 300):
        ws.log.append([f"{grown}-{i}".encode() for i in range(grown)])
        done = witness.ask(ws, small.configured)
        sizes.append((done.before, done.size))
        text, signers = note.verify(ws.log.checkpoint() + done.lines, (small.signer.key,))
        assert signers == (small.signer.key,)
        assert text.startswith(b"countersign.example/log\n")
    assert sizes == [(0, 1), (1, 2), (2, 8), (8, 308)]


def test_the_same_checkpoint_is_cosigned_again(ws: Workspace, small: Any) -> None:
    witness.ask(ws, small.configured)
    assert witness.ask(ws, small.configured).before == 1


def test_cosignatures_are_kept_beside_the_checkpoint_the_newest_of_each(
    ws: Workspace, small: Any, witnesses: ModuleType
) -> None:
    second = witnesses.SmallWitness(small.logs, SigningKey("w2", b"2" * 32, Algorithm.COSIGNATURE))
    with witnesses.served(second):
        both = watched(ws, small.configured, second.configured)
        witness.cosign(both)
        small.time += 60
        witness.cosign(both)
    lines = (ws.log.path / "cosignatures" / "1").read_bytes()
    _, signers = note.verify(
        ws.log.checkpoint() + lines, (small.signer.key, second.signer.key), strict=False
    )
    assert set(signers) == {small.signer.key, second.signer.key}
    assert lines.count(b"\n") == 2


def test_a_witness_that_knows_more_is_an_alarm_with_both_sizes(ws: Workspace, small: Any) -> None:
    small.seen[ws.key.name] = (41, b"r" * 32)
    with pytest.raises(EvidenceError, match=r"the 41 entries .* observed 1 entries") as caught:
        witness.ask(ws, small.configured)
    assert not isinstance(caught.value, UnansweredError)
    with pytest.raises(EvidenceError, match="41"):
        witness.cosign(watched(ws, small.configured))


@pytest.mark.parametrize("known", [1, 3])
def test_a_witness_that_knows_another_history_is_an_alarm(
    ws: Workspace, small: Any, known: int
) -> None:
    ws.log.append([b"a", b"b"])
    small.seen[ws.key.name] = (known, b"r" * 32)
    with pytest.raises(EvidenceError, match="another history") as caught:
        witness.ask(ws, small.configured)
    assert not isinstance(caught.value, UnansweredError)


SILENT = {
    "unknown log": (404, "text/plain", b"unknown"),
    "unknown key": (403, "text/plain", b"no"),
    "broken": (500, "text/plain", b""),
    "conflict without a size": (409, "text/plain", b"7\n"),
    "conflict with no number": (409, "text/x.tlog.size", b"seven\n"),
    "redirect": (302, "text/plain", b""),
    "too long": (200, "text/plain", b"x" * 70_000),
}


@pytest.mark.parametrize("case", SILENT)
def test_an_answer_that_says_nothing_is_none(ws: Workspace, small: Any, case: str) -> None:
    small.says = SILENT[case]
    with pytest.raises(UnansweredError, match=small.url):
        witness.ask(ws, small.configured)
    told: list[str] = []
    quiet = replace(watched(ws, small.configured), progress=told.append)
    assert witness.cosign(quiet) == []
    assert small.url in told[0]


def test_nobody_at_the_address_is_no_answer(ws: Workspace, small: Any) -> None:
    gone = small.configured.model_copy(update={"url": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(UnansweredError, match="witness http"):
        witness.ask(ws, gone)


def test_a_size_that_moves_at_each_try_ends(ws: Workspace, small: Any) -> None:
    ws.log.append([b"x"] * 30)
    sizes = iter(range(1, 30))
    small_answer = small.add_checkpoint

    def moving(body: bytes) -> Any:
        small_answer(body)
        return 409, "text/x.tlog.size", f"{next(sizes)}\n".encode()

    small.add_checkpoint = moving
    with pytest.raises(UnansweredError, match="another size at each"):
        witness.ask(ws, small.configured)


def test_a_signature_by_another_key_is_refused(ws: Workspace, small: Any) -> None:
    other = SigningKey(small.signer.name, b"o" * 32, Algorithm.COSIGNATURE)
    configured = small.configured.model_copy(update={"key": encode_vkey(other.key)})
    with pytest.raises(VerificationError, match="trusted key"):
        witness.ask(ws, configured)


def test_a_changed_signature_is_refused_and_a_foreign_line_left_out(
    ws: Workspace, small: Any
) -> None:
    good = small.add_checkpoint
    stranger = SigningKey("stranger", b"s" * 32, Algorithm.COSIGNATURE)
    signed = note.cosign(ws.log.checkpoint(), stranger, 5)
    foreign = signed.rsplit(b"\n", 2)[1] + b"\n"

    def more(body: bytes) -> Any:
        status, media, said = good(body)
        return status, media, said + (foreign if status == 200 else b"")

    small.add_checkpoint = more
    assert witness.ask(ws, small.configured).lines.count(b"\n") == 1

    def changed(body: bytes) -> Any:
        status, media, said = good(body)
        return status, media, said.replace(said[-20:-10], b"A" * 10) if status == 200 else said

    small.add_checkpoint = changed
    with pytest.raises(VerificationError):
        witness.ask(ws, small.configured)


def test_a_log_key_is_no_witness_key(ws: Workspace, small: Any) -> None:
    wrong = small.configured.model_copy(update={"key": encode_vkey(ws.key.key)})
    with pytest.raises(VerificationError, match="type 0x04"):
        witness.ask(ws, wrong)


def test_an_independent_witness_agrees(ws: Workspace, tmp_path: Path) -> None:
    """The server of another project: growth, roll-back, and another tree of the same size."""
    if AICS is None:
        pytest.skip("no aics-witness (Python 3.12 or newer): set COUNTERSIGN_AICS_WITNESS to it")
    file, port = tmp_path / "witness.json", free_port()
    said = program(file, "init", "--name", "witness.test/independent")
    vkey = next(w for w in said.split() if w.count("+") >= 2 and w.startswith("witness.test"))
    program(file, "add-log", "--origin", ws.key.name, "--vkey", encode_vkey(ws.key.key))
    serve = [AICS, "serve", "--config", str(file), "--listen", f"127.0.0.1:{port}"]
    with subprocess.Popen(serve, stderr=subprocess.DEVNULL) as server:
        try:
            configured = Witness(key=vkey, url=f"http://127.0.0.1:{port}")
            answers(port)
            assert decode_vkey(vkey).algorithm is Algorithm.COSIGNATURE
            assert witness.ask(ws, configured).before == 0
            older = (ws.log.path / "checkpoint").read_bytes()
            ws.log.append([b"%d" % i for i in range(299)])
            assert witness.ask(ws, configured).before == 1
            assert witness.ask(ws, configured).before == 300
            (ws.log.path / "checkpoint").write_bytes(older)
            with pytest.raises(EvidenceError, match=r"the 300 entries .* observed 1 entries"):
                witness.ask(ws, configured)
            other = replace(ws, config=ws.config.model_copy(update={"folder": tmp_path / "other"}))
            (tmp_path / "other").mkdir()
            (tmp_path / "other" / "keys").symlink_to(ws.keys)
            other.log.append([b"other %d" % i for i in range(300)])
            with pytest.raises(EvidenceError, match="another history"):
                witness.ask(other, configured)
        finally:
            server.terminate()


def program(file: Path, *words: str) -> str:
    call = [str(AICS), words[0], "--config", str(file), *words[1:]]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> None:
    """Wait until a server is up."""
    for _ in range(100):
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the witness did not start")
