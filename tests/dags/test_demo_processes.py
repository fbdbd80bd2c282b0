"""What `make up` starts is watched, and `make down` ends all of it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import demo_processes
import pytest

pytestmark = [
    pytest.mark.platform,
    pytest.mark.skipif(not demo_processes.PROC.is_dir(), reason="needs /proc"),
]

KEEPER = """
import sys
from pathlib import Path
from demo_processes import Keeper, Part
folder = Path(sys.argv[1])
part = Part("sleeper", ("sh", "-c", "sleep 60 & exec sleep 61"))
Keeper([part], folder).watch()
"""


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A watcher of one part that has a child of its own."""
    demo = str(Path(demo_processes.__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": demo, **demo_processes.mark(tmp_path)},
        stdout=subprocess.DEVNULL,
    )
    _until(lambda: len(_sleepers(tmp_path)) == 2)
    yield process
    demo_processes.end(demo_processes.marked(tmp_path))
    process.wait(10)


def test_sigterm_ends_the_parts_and_their_children(
    keeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    keeper.terminate()
    assert keeper.wait(15) == 0
    assert demo_processes.marked(tmp_path) == []


def test_a_part_that_dies_is_started_again_and_leaves_no_child(
    keeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    before = _sleepers(tmp_path)
    os.kill(max(before, key=_is_part), 9)
    _until(lambda: len(_sleepers(tmp_path)) == 2 and not set(before) & set(_sleepers(tmp_path)))
    assert keeper.poll() is None


def test_what_a_killed_watcher_leaves_is_found_and_ended(
    keeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    keeper.kill()
    keeper.wait(10)
    left = demo_processes.marked(tmp_path)
    assert len(left) == 2
    demo_processes.end(left)
    assert demo_processes.marked(tmp_path) == []


def test_another_folder_s_processes_are_not_ours(
    keeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert demo_processes.marked(tmp_path / "other") == []
    assert demo_processes.marked(tmp_path.parent) == []


def _sleepers(folder: Path) -> list[int]:
    return [pid for pid in demo_processes.marked(folder) if b"sleep" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(KEEPER.encode(), b"")
    except OSError:
        return b""


def _is_part(pid: int) -> bool:
    """The part itself sleeps longer than its child."""
    return b"61" in _command(pid)


def _until(holds: Callable[[], bool], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
