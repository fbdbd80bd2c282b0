"""The log on disk: growth, proofs, tampering, and a kill at any moment."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import checkpoint, folder, merkle, proof
from countersign.ledger.key import SigningKey
from countersign.ledger.log import Log

KEY = SigningKey("log.example/a", bytes(range(32)))
KILLS = int(os.environ.get("COUNTERSIGN_TEST_KILLS", "40"))


def entries_of(start: int, end: int) -> list[bytes]:
    return [f"entry {i}".encode() for i in range(start, end)]


def grown(path: Path, *sizes: int) -> Log:
    """A log that was appended to until it had each size in turn."""
    log = Log.writer(path, KEY)
    for size in sizes:
        log.append(entries_of(log.size, size))
    return log


def test_appended_entries_come_back_under_a_signed_checkpoint(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 3, 255, 256, 257, 700)
    assert log.size == 700
    assert [log.entry(i) for i in (0, 254, 255, 256, 699)] == [
        f"entry {i}".encode() for i in (0, 254, 255, 256, 699)
    ]
    head, _ = checkpoint.verify(log.checkpoint(), [KEY.key])
    assert head.root == merkle.Tree.of(entries_of(0, 700)).root
    assert log.check() == head


def test_every_proof_verifies_and_carries_its_entry(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 300)
    for index in (0, 1, 128, 255, 256, 299):
        found, entry, head, _ = proof.verify(log.prove(index), [KEY.key])
        assert (found.index, entry, head.size) == (index, f"entry {index}".encode(), 300)


def test_later_checkpoints_are_consistent_with_earlier_ones(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 100)
    old = log.head()
    log.append(entries_of(100, 600))
    new = log.head()
    merkle.check_consistency(100, 600, log.prove_consistency(100), old.root, new.root)


def test_the_same_entry_is_logged_once(tmp_path: Path) -> None:
    log = Log.writer(tmp_path / "log", KEY)
    assert log.append_once([b"a", b"b", b"a"]) == [0, 1, 0]
    assert log.append_once([b"b", b"c"]) == [1, 2]
    assert Log.writer(tmp_path / "log", KEY).append_once([b"c"]) == [2]
    assert (log.size, log.find(b"c"), log.find(b"d")) == (3, 2, None)


def test_an_append_by_another_process_is_found(tmp_path: Path) -> None:
    first, second = (Log.writer(tmp_path / "log", KEY) for _ in range(2))
    first.append_once([b"a"])
    second.append([b"b"] * 300)
    assert first.append_once([b"b"]) == [1]
    assert second.size == 301


def test_an_entry_that_is_too_large_adds_nothing(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 2)
    with pytest.raises(EvidenceError, match="at most 65535 bytes"):
        log.append([b"small", bytes(65_536)])
    assert log.size == 2
    log.append([bytes(65_535)])
    assert len(log.entry(2)) == 65_535


def test_an_entry_that_is_not_there_is_refused(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 2)
    for ask in (log.entry, log.prove):
        with pytest.raises(EvidenceError, match="index below 2, observed 2"):
            ask(2)


def test_a_log_without_a_signer_reads_and_does_not_append(tmp_path: Path) -> None:
    grown(tmp_path / "log", 2)
    log = Log(tmp_path / "log", KEY.key)
    assert log.entry(1) == b"entry 1"
    with pytest.raises(EvidenceError, match="private key"):
        log.append([b"more"])


def test_a_log_by_another_key_is_refused(tmp_path: Path) -> None:
    grown(tmp_path / "log", 2)
    with pytest.raises(VerificationError, match="a trusted key"):
        Log.writer(tmp_path / "log", SigningKey("log.example/a", bytes(32))).append([b"more"])


def test_partial_tiles_go_when_the_full_one_is_there(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 1, 2, 3)
    assert (tmp_path / "log/tile/0/000.p/1").exists()
    log.append(entries_of(3, 300))
    assert not (tmp_path / "log/tile/0/000.p").exists()
    assert not (tmp_path / "log/tile/entries/000.p").exists()


def test_a_lost_checkpoint_is_not_taken_for_an_empty_log(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 5)
    (tmp_path / "log/checkpoint").unlink()
    with pytest.raises(EvidenceError, match="a signed checkpoint, observed no such file"):
        log.append([b"more"])


def change(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 1
    file.write_bytes(content)


TAMPERED = {
    "entry": ("tile/entries/001.p/44", 60, r"entry 261 \(tile/0/001.p/44\)"),
    "length of an entry": ("tile/entries/001.p/44", 1, "entry 257 .* cut off"),
    "leaf hash": ("tile/0/000", 32 * 77, r"entry 77 \(tile/0/000\)"),
    "root of a tile": ("tile/1/000.p/1", 3, r"node 0 of level 1 \(tile/1/000.p/1\)"),
    "root in the checkpoint": ("checkpoint", 25, "signature"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_changed_file_is_named(tmp_path: Path, name: str) -> None:
    file, offset, cause = TAMPERED[name]
    log = grown(tmp_path / "log", 300)
    change(tmp_path / "log" / file, offset)
    with pytest.raises(VerificationError, match=cause):
        log.check()


def test_entries_and_tiles_rewritten_together_disagree_with_the_checkpoint(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 300)
    kept = log.checkpoint()
    shutil.rmtree(tmp_path / "log")
    forged = Log.writer(tmp_path / "log", KEY)
    forged.append([b"forged", *entries_of(1, 300)])
    (tmp_path / "log/checkpoint").write_bytes(kept)
    with pytest.raises(VerificationError, match="checkpoint of 300 entries: expected root"):
        forged.check()


def test_a_missing_tile_is_named(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 300)
    (tmp_path / "log/tile/0/000").unlink()
    with pytest.raises(VerificationError, match="tile/0/000: expected a tile at least 256 wide"):
        log.check()


class StopError(Exception):
    """The machine stopped."""


class StoppingLog(Log):
    """A log on a machine that stops before the n-th file of an append reaches the disk."""

    files_left = 0

    def _write(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            if self.files_left == 0:
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                (self.path / name).with_name(f".{Path(name).name}.new").write_bytes(content[:7])
                raise StopError
            self.files_left -= 1
            folder.write(self.path, {name: content})


@pytest.mark.parametrize("before", [0, 1, 200, 256])
def test_a_stop_before_any_file_leaves_the_old_log_and_the_next_append_heals(
    tmp_path: Path, before: int
) -> None:
    for files_left in range(100):
        path = tmp_path / str(files_left)
        if before:
            grown(path, before)
        stopping = StoppingLog.writer(path, KEY)
        stopping.files_left = files_left
        try:
            stopping.append(entries_of(before, before + 400))
        except StopError:
            assert Log.writer(path, KEY).size == before
        else:
            break
        # The next writer brings other entries: nothing of the interrupted append may stay.
        log = Log.writer(path, KEY)
        log.append([b"other"] * 3)
        assert log.check().size == before + 3
        assert names(path) == names(grown_like(tmp_path / f"{files_left}-clean", before))
        shutil.rmtree(path)
    assert files_left >= 6


def grown_like(path: Path, before: int) -> Path:
    log = grown(path, before) if before else Log.writer(path, KEY)
    log.append([b"other"] * 3)
    return path


def names(path: Path) -> set[str]:
    files = {str(f.relative_to(path)) for f in path.rglob("*") if f.is_file()}
    return {name for name in files if not name.startswith(".")}  # scratch is overwritten later


WRITER = """
import sys
from pathlib import Path
from countersign.ledger.key import SigningKey
from countersign.ledger.log import Log
log = Log.writer(Path(sys.argv[1]), SigningKey("log.example/a", bytes(range(32))))
size = log.size
while True:
    added = [b"entry %d" % i for i in range(size, size + 1 + size * 7 % 90)]
    size = log.append(added).stop
    print(size, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_confirmed(tmp_path: Path) -> None:
    moments = random.Random(7)
    confirmed = 0
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "log")],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert writer.stdout is not None
        confirmed = int(writer.stdout.readline())
        try:
            writer.wait(moments.random() / 20)
        except subprocess.TimeoutExpired:
            writer.send_signal(signal.SIGKILL)
        for line in writer.stdout.read().split(b"\n")[:-1]:
            confirmed = int(line)
        writer.wait()
        writer.stdout.close()
        log = Log.writer(tmp_path / "log", KEY)
        size = log.check().size
        assert size >= confirmed
        assert log.entry(size - 1) == b"entry %d" % (size - 1)
    log.append(entries_of(log.size, log.size + 10))
    assert not (tmp_path / "log/pending").exists()
    log.check()
