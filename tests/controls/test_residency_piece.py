"""Pieces of a window: whole hours, no more requests than asked for, every request in one."""

import pyarrow as pa
import pytest

from countersign.controls._residency_piece import pieces
from countersign.model import Window

HOUR = 3_600_000_000
START = Window.parse("2026-11-09/2026-11-16").start_us


def requests(*hours: int) -> pa.Table:
    at = [START + hour * HOUR + 1 for hour in hours]
    ids = [f"r{i}" for i in range(len(hours))]
    return pa.table({"request_id": ids, "at": pa.array(at, pa.timestamp("us", tz="UTC"))})


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (100, {"2026-11-09T00": 6}),
        (3, {"2026-11-09T00": 3, "2026-11-10T02": 3}),
        (1, {"2026-11-09T00": 2, "2026-11-09T01": 1, "2026-11-10T02": 3}),
    ],
)
def test_hours_stay_whole(most: int, expected: dict[str, int]) -> None:
    given = requests(26, 0, 1, 26, 0, 26)
    assert {name: ids.num_rows for name, ids in pieces(given, most)} == expected


def test_every_request_is_in_exactly_one_piece() -> None:
    given = requests(*[(i * 7919) % 168 for i in range(1_000)])
    found = [name for _, ids in pieces(given, 50) for name in ids["request_id"].to_pylist()]
    assert sorted(found) == sorted(given["request_id"].to_pylist())


def test_no_request_is_no_piece() -> None:
    assert list(pieces(requests(), 10)) == []
