"""Two runs at the same time: one does the work, the other is told who does it; nothing is lost."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from countersign.errors import EvidenceError
from countersign.pipeline import admit
from countersign.pipeline.collect import collect
from countersign.pipeline.turn import alone


@pytest.fixture
def site(calm: Any, tmp_path: Path) -> Any:
    fresh = calm.copy(tmp_path / "site")
    fresh.read_files()
    return fresh


def rows(site: Any) -> dict[str, Any]:
    """Every row of every table, without its salted parts, which differ by lake."""
    lake = site.open().lake
    state = lake.admitted()
    days = {day for _, day in state.days}
    return {
        name: sorted(
            tuple(
                (column, str(value))
                for column, value in row.items()
                if not column.endswith("commitment") and column != "cluster_bucket"
            )
            for row in lake.delta.read(name, version, days).to_pylist()
        )
        for name, version in state.tables.items()
    }


def pages(site: Any) -> dict[tuple[str, str], Any]:
    found = site.open().lake.raw.manifests()
    return {key: (m.version, m.status, m.pages) for key, m in found.items()}


@pytest.fixture(scope="module")
def undisturbed(calm: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    one = calm.copy(tmp_path_factory.mktemp("one") / "site")
    one.read_files()
    collect(one.open(), one.week)
    admit.admit(one.open())
    return one


def both(site: Any, *words: str) -> list[tuple[int, str]]:
    """Two processes of one command, begun together: how each ended, and what it complained of."""
    running = [
        subprocess.Popen(site.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
        for _ in range(2)
    ]  # fmt: skip
    ended = [process.communicate() for process in running]
    return [(p.returncode, err) for p, (_, err) in zip(running, ended, strict=True)]


def one_won(ended: list[tuple[int, str]], thing: str) -> None:
    """At least one did the work; one that did not says who did, and is no traceback."""
    assert 0 in [code for code, _ in ended], ended
    for code, said in ended:
        assert "Traceback" not in said
        if code:
            assert code == 3
            assert re.search(rf"countersign: {thing}.*one run at a time", said), said
            assert "run this again" in said


def test_two_at_once_leave_what_one_leaves(site: Any, undisturbed: Any) -> None:
    one_won(both(site, "collect", "--window", str(site.week)), "source [a-z-]+")
    collect(site.open(), site.week)  # what the one that was told would do when it is run again
    assert pages(site) == pages(undisturbed)
    one_won(both(site, "admit"), "admission")
    assert rows(site) == rows(undisturbed)
    assert admit.admit(site.open()).days == 0
    site.open().log.check()


@pytest.fixture
def stopped(site: Any) -> Iterator[subprocess.Popen[bytes]]:
    """An admission that stands still in the middle, as one on a slow disk does."""
    collect(site.open(), site.week)
    process = subprocess.Popen(site.command("admit"), stderr=subprocess.DEVNULL)
    lock = site.folder / "lake" / "locks" / "admission"
    while not (lock.exists() and lock.read_bytes()):
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    yield process
    process.kill()
    process.wait()


def test_the_second_is_told_who_is_at_it_and_exits_3(
    site: Any, stopped: subprocess.Popen[bytes], countersign: Any, undisturbed: Any
) -> None:
    said = countersign("admit", "--config", str(site.config))
    assert said.code == 3
    assert f"process {stopped.pid} on " in said.err
    stopped.send_signal(signal.SIGCONT)
    assert stopped.wait(60) == 0
    assert rows(site) == rows(undisturbed)


def test_a_killed_one_is_in_nobodys_way(
    site: Any, stopped: subprocess.Popen[bytes], undisturbed: Any
) -> None:
    stopped.kill()
    stopped.wait()
    admit.admit(site.open())
    assert rows(site) == rows(undisturbed)


def test_a_source_that_is_being_collected_leaves_the_others_free(site: Any) -> None:
    ws = site.open()
    with alone(ws, "collect-litellm", "source litellm"):
        with pytest.raises(EvidenceError, match=f"process {os.getpid()}"):
            collect(site.open(), site.week, ("litellm",))
        assert collect(site.open(), site.week, ("beacons",))[0].days == 7
    assert site.open().lake.raw.manifest("litellm", "2026-11-09") is None, "and it is no gap"
    assert collect(site.open(), site.week, ("litellm",))[0].days == 7
