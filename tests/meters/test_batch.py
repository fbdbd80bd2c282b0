"""Rows on their way: nothing waits for the disk, and loss is bounded and counted."""

import threading
import time
from collections.abc import Callable

from countersign.meters.batch import Batch


def row(number: int) -> Callable[[], bytes]:
    return lambda: b"%d\n" % number


class Sink:
    """A place to write to that may fail, or be slow."""

    def __init__(self) -> None:
        self.written = b""
        self.calls = 0
        self.is_broken = False
        self.gate = threading.Event()
        self.gate.set()

    def write(self, lines: bytes) -> None:
        self.gate.wait(10)
        self.calls += 1
        if self.is_broken:
            raise OSError("no space left on device")
        self.written += lines

    @property
    def numbers(self) -> list[int]:
        return [int(line) for line in self.written.splitlines()]


def test_rows_are_handed_on_together_and_in_order() -> None:
    sink = Sink()
    batch = Batch(sink.write, every_s=60)
    for number in range(20):
        assert batch.put(row(number))
    assert batch.flush()
    assert (sink.calls, sink.numbers) == (1, list(range(20)))


def test_time_hands_rows_on_without_anyone_asking() -> None:
    sink = Sink()
    batch = Batch(sink.write, every_s=0.05)
    batch.put(row(1))
    end = time.monotonic() + 5
    while not sink.written and time.monotonic() < end:
        time.sleep(0.01)
    assert sink.numbers == [1]


def test_many_rows_do_not_wait_for_the_time() -> None:
    sink = Sink()
    batch = Batch(sink.write, every_s=60, most=10)
    for number in range(10):
        batch.put(row(number))
    end = time.monotonic() + 5
    while len(sink.numbers) < 10 and time.monotonic() < end:
        time.sleep(0.01)
    assert sink.numbers == list(range(10))


def test_slow_disk_does_not_hold_up_the_caller() -> None:
    sink = Sink()
    sink.gate.clear()
    batch = Batch(sink.write, every_s=0.01, most=1)
    started = time.monotonic()
    for number in range(1_000):
        batch.put(row(number))
    assert time.monotonic() - started < 1
    sink.gate.set()
    batch.close()
    assert sink.numbers == list(range(1_000))


def test_rows_wait_while_there_is_no_place_and_none_comes_twice() -> None:
    sink = Sink()
    sink.is_broken = True
    batch = Batch(sink.write, every_s=60)
    batch.put(row(1))
    assert not batch.flush()
    batch.put(row(2))
    assert not batch.flush()
    sink.is_broken = False
    assert batch.flush()
    assert sink.numbers == [1, 2]
    assert batch.lost == 0


def test_newest_rows_are_refused_and_counted_when_there_is_no_room() -> None:
    sink = Sink()
    sink.gate.clear()
    batch = Batch(sink.write, every_s=60, most=100, bound=5)
    taken = [batch.put(row(number)) for number in range(8)]
    assert taken == [True] * 5 + [False] * 3
    assert batch.lost == 3
    sink.gate.set()
    batch.close()
    assert sink.numbers == list(range(5))


def test_closing_without_a_place_says_how_many_are_lost() -> None:
    sink = Sink()
    sink.is_broken = True
    batch = Batch(sink.write, every_s=60, most=2)
    for number in range(5):
        batch.put(row(number))
    batch.close()
    assert batch.lost == 5
    assert not batch.put(row(9))


def test_row_that_cannot_be_made_does_not_take_the_others_along() -> None:
    sink = Sink()
    batch = Batch(sink.write, every_s=60)

    def broken() -> bytes:
        raise UnicodeError("a lone surrogate")

    for make in (row(1), broken, row(2)):
        batch.put(make)
    batch.flush()
    assert sink.numbers == [1, 2]
    assert batch.lost == 1
