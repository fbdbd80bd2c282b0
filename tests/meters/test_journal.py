"""Rows in their order of arrival, through several writers, kills and full disks."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from countersign.meters import journal as module
from countersign.meters.journal import Journal, Place

NOON = datetime(2026, 11, 9, 12, tzinfo=UTC)
DAY = NOON.date()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "rows", lambda: NOON)


def lines(journal: Journal, after: Place | None = None, *days: date) -> list[bytes]:
    return [line for line, _ in journal.rows(days or [DAY], after)]


def test_rows_come_back_in_order_with_their_places(journal: Journal) -> None:
    journal.append(b'{"n":1}\n{"n":2}\n')
    journal.append(b'{"n":3}\n')
    found = list(journal.rows([DAY], None))
    assert [line for line, _ in found] == [b'{"n":1}\n', b'{"n":2}\n', b'{"n":3}\n']
    assert lines(journal, found[0][1]) == [b'{"n":2}\n', b'{"n":3}\n']
    assert lines(journal, Place.parse(str(found[2][1]))) == []


def test_days_have_files_of_their_own(tmp_path: Path) -> None:
    for day in (9, 10, 12):
        Journal(tmp_path, _clock(day)).append(b"%d\n" % day)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "2026-11-09.jsonl", "2026-11-10.jsonl", "2026-11-12.jsonl",
    ]  # fmt: skip
    days = [date(2026, 11, day) for day in range(9, 14)]
    journal = Journal(tmp_path, lambda: NOON)
    assert lines(journal, None, *days) == [b"9\n", b"10\n", b"12\n"]
    assert lines(journal, Place(date(2026, 11, 10), 0), *days) == [b"10\n", b"12\n"]


def _clock(day: int) -> Callable[[], datetime]:
    return lambda: NOON.replace(day=day)


def test_unfinished_line_of_a_killed_writer_is_not_read_and_then_cut_off(journal: Journal) -> None:
    journal.append(b"whole\n")
    path = journal.folder / f"{DAY}.jsonl"
    with path.open("ab") as file:
        file.write(b"x" * 200_000)
    assert lines(journal) == [b"whole\n"]
    journal.append(b"next\n")
    assert lines(journal) == [b"whole\n", b"next\n"]


def test_file_that_begins_unfinished_is_emptied(journal: Journal) -> None:
    journal.folder.mkdir()
    (journal.folder / f"{DAY}.jsonl").write_bytes(b"x" * 100)
    journal.append(b"first\n")
    assert lines(journal) == [b"first\n"]


def test_write_that_the_system_cuts_short_leaves_nothing(journal: Journal) -> None:
    journal.append(b"before\n")
    program = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))\n"
        "try: journal.append(b'x' * 100 + b'\\n')\n"
        "except OSError: sys.exit(28)\n"
    )
    assert _process(journal, program).wait(60) == 28
    journal.append(b"after\n")
    assert lines(journal) == [b"before\n", b"after\n"]


def test_several_processes_lose_and_mix_nothing(journal: Journal) -> None:
    program = "for n in range(50): journal.append(f'{sys.argv[2]}-{n:03}\\n'.encode() * 3)"
    writers = [_process(journal, program, name) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    found = lines(journal)
    assert len(found) == 450
    assert {line: found.count(line) for line in found} == dict.fromkeys(set(found), 3)
    for name in (b"a", b"b", b"c"):
        own = [line for line in found if line.startswith(name)]
        assert own == sorted(own)


def _process(journal: Journal, program: str, *words: str) -> "subprocess.Popen[bytes]":
    """A writer in a process of its own, at the same clock."""
    start = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from countersign.meters.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), lambda: datetime(2026, 11, 9, 12, tzinfo=UTC))\n"
    )
    plugins = str(Path(module.__file__).parents[2])
    command = [sys.executable, "-c", start + program, str(journal.folder), *words]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": plugins})


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-09", "2026-11-09.", "2026-11-09.-1", "x.1", "2026-11-09.1e3", "2026-11-09.²",
     "2026-11-09." + "9" * 16],
)  # fmt: skip
def test_no_other_text_is_a_place(text: str) -> None:
    with pytest.raises(ValueError):
        Place.parse(text)


def test_place_inside_a_row_is_refused(journal: Journal) -> None:
    journal.append(b"0123456789\n")
    with pytest.raises(ValueError, match=r"2026-11-09\.4"):
        lines(journal, Place(DAY, 4))
