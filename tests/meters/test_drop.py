"""The drop folder: whole files or none, once each, whoever writes at the same time."""

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from countersign.meters.drop import Drop

BODY = b"\x00{}\n"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def drop(folder: Path, at: datetime = NOON) -> Drop:
    return Drop(folder, lambda: at)


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_bytes_are_kept_verbatim_under_their_digest_and_utc_day(tmp_path: Path) -> None:
    late = datetime(2026, 11, 3, 1, tzinfo=timezone(timedelta(hours=2)))
    name = drop(tmp_path / "new" / "drop", late).write(BODY)
    assert name == f"2026-11-02/{hashlib.sha256(BODY).hexdigest()}.jsonl"
    assert (tmp_path / "new" / "drop" / name).read_bytes() == BODY


def test_same_bytes_on_a_day_are_one_file_and_on_another_day_another(tmp_path: Path) -> None:
    names = {drop(tmp_path).write(b"a"), drop(tmp_path).write(b"a")}
    names.add(drop(tmp_path, NOON + timedelta(days=1)).write(b"a", ".json"))
    assert sorted(names) == files(tmp_path)
    assert len(names) == 2


def test_many_writers_of_the_same_and_of_other_bytes_leave_whole_files(tmp_path: Path) -> None:
    bodies = [bytes([n % 5]) * 10_000 for n in range(40)]
    writers = [threading.Thread(target=drop(tmp_path).write, args=(body,)) for body in bodies]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = files(tmp_path)
    assert len(found) == 5
    assert {(tmp_path / name).read_bytes() for name in found} == set(bodies)


def test_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    name = drop(tmp_path).write(b"a")
    before = (tmp_path / name).stat().st_ino
    drop(tmp_path).write(b"a")
    assert (tmp_path / name).stat().st_ino == before


def test_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "2026-11-02").write_text("a file where the day's folder should be")
    with pytest.raises(OSError):
        drop(tmp_path).write(b"a")
    assert files(tmp_path) == ["2026-11-02"]


def test_process_that_is_killed_while_writing_leaves_no_visible_part(tmp_path: Path) -> None:
    for _ in range(5):
        child = os.fork()
        if child == 0:  # pragma: no cover - the child is killed
            while True:
                drop(tmp_path).write(os.urandom(200_000))
        threading.Event().wait(0.2)
        os.kill(child, 9)
        os.waitpid(child, 0)
    seen = [tmp_path / name for name in files(tmp_path) if not Path(name).name.startswith(".")]
    assert seen
    for path in seen:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
