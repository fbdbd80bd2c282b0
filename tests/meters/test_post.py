"""Posting to a real endpoint: rows that are refused are told from an endpoint that is down."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from countersign.meters.batch import Batch
from countersign.meters.post import Post

Row = Callable[..., dict[str, Any]]


def lines(*rows: dict[str, Any]) -> list[bytes]:
    return [json.dumps(row).encode() + b"\n" for row in rows]


def posting(endpoint: Any, key: str = "post-key") -> Post:
    return Post(f"{endpoint.url}/v1/deliveries", key, timeout_s=5)


def test_rows_of_a_batch_arrive(endpoint: Any, row: Row) -> None:
    posting(endpoint).write(b"".join(lines(row("a", meter="gateway"), row("b", meter="gateway"))))
    assert [r["request_id"] for r in endpoint.rows()] == ["a", "b"]


def test_row_that_is_refused_does_not_hold_up_the_others(endpoint: Any, row: Row) -> None:
    batch = Batch(posting(endpoint).write, every_s=60)
    late = row("late", meter="gateway", started_at="2026-01-01T00:00:00Z")
    for line in lines(row("a", meter="gateway"), late, row("b", meter="gateway")):
        batch.put(lambda line=line: line)  # type: ignore[misc]  # bound now, not later
    assert batch.flush()
    assert [r["request_id"] for r in endpoint.rows()] == ["a", "b"]
    assert batch.lost == 1
    batch.close()


@pytest.mark.parametrize("key", ["wrong-key", "read-key"])
def test_wrong_key_may_be_mended(endpoint: Any, row: Row, key: str) -> None:
    with pytest.raises(OSError, match="answered 401"):
        posting(endpoint, key).write(lines(row())[0])


def test_endpoint_that_is_down_may_come_back(endpoint: Any, row: Row) -> None:
    endpoint.process.terminate()
    endpoint.process.wait(20)
    with pytest.raises(OSError, match="did not take the rows"):
        posting(endpoint).write(lines(row())[0])


def test_only_web_addresses_are_posted_to() -> None:
    with pytest.raises(ValueError, match="http"):
        Post("file:///etc/passwd", None)
