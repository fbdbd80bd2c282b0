"""Which files of a rotating writer can hold a day."""

from countersign.connectors.wire.rotated import kept
from countersign.model import Window

DAY = Window.parse("2026-11-02/2026-11-03")


class Files:
    def __init__(self, *names: str) -> None:
        self._names = sorted(names)

    def names(self) -> list[str]:
        return self._names

    def read(self, name: str) -> bytes:
        return name.encode()


def test_rotated_files_are_read_that_can_hold_the_day() -> None:
    names = (
        "traces-2026-10-31T23-00-00.000.json",
        "traces-2026-11-01T23-00-00.000.json",
        "traces-2026-11-03T05-02-14.173.json",
        "traces-2026-11-04T00-00-01.000.json",
        "traces-2026-11-05T00-00-01.000.json",
        "traces.json",
        "other.json",
        "2026-11-04/late.jsonl",
        "2026-11-03/a.jsonl",
    )
    found = [body.decode() for body in kept(Files(*names), DAY, 1)]
    assert found == [
        "2026-11-03/a.jsonl",
        "other.json",
        "traces-2026-11-01T23-00-00.000.json",
        "traces-2026-11-03T05-02-14.173.json",
        "traces-2026-11-04T00-00-01.000.json",
    ]


def test_live_file_is_read_while_nothing_was_closed_after_the_day() -> None:
    names = ("traces-2026-11-03T05-02-14.173.json", "traces.json")
    assert [body.decode() for body in kept(Files(*names), DAY, 1)] == list(names)
