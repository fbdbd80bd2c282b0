"""Named bytes: whole or not at all."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from countersign.errors import EvidenceError, Fault
from countersign.lake.store import LocalStore


def test_put_new_creates_only_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert store.put_new("a/b", b"first")
    assert not store.put_new("a/b", b"second")
    assert store.get("a/b") == b"first"


def test_replace_sets_bytes_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.replace("a", b"first")
    store.replace("a", b"second")
    assert store.get("a") == b"second"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_private_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put_new("secret", b"x", private=True)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_names_are_sorted_and_hide_what_is_being_written(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for name in ("b/2", "b/1", "a"):
        store.put_new(name, b"")
    (tmp_path / "b" / ".tmp-half").write_bytes(b"ha")
    assert store.names() == ["a", "b/1", "b/2"]
    assert store.names("b") == ["b/1", "b/2"]
    assert store.names("nothing") == []


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../../x", "a\0b"])
def test_a_name_cannot_leave_the_lake(tmp_path: Path, name: str) -> None:
    with pytest.raises(EvidenceError, match="below the lake"):
        LocalStore(tmp_path / "lake").put_new(name, b"")


def test_absent_bytes_are_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="lake file a/b: expected kept bytes"):
        LocalStore(tmp_path).get("a/b")


def test_full_disk_leaves_the_old_bytes(small_disk: Path) -> None:
    store = LocalStore(small_disk)
    store.replace("state", b"old")
    with pytest.raises(EvidenceError, match=str(Fault.STORAGE)):
        store.replace("state", bytes(3_000_000))
    with pytest.raises(EvidenceError, match="No space left"):
        store.put_new("page", bytes(3_000_000))
    assert store.get("state") == b"old"
    assert store.names() == ["state"]


def test_a_write_beyond_the_size_limit_leaves_the_old_bytes(tmp_path: Path) -> None:
    """The same where nothing can be mounted: the kernel refuses after 4,096 bytes."""
    script = f"""
import resource
from pathlib import Path
from countersign.errors import EvidenceError
from countersign.lake.store import LocalStore
store = LocalStore(Path({str(tmp_path)!r}))
store.replace("state", b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    store.replace("state", bytes(1_000_000))
except EvidenceError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(Fault.STORAGE) in done.stdout
    assert LocalStore(tmp_path).get("state") == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["state"]
