"""A thread that keeps rows for a while and hands them on in one piece.

What a proxy cannot wait for happens here. Loss is bounded, and counted: a killed process loses
what was put since the last hand-over (`every_s`, or `most` rows); while the place to write to
fails, rows wait, and above `bound` the newest are refused. Standard library only.
"""

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_LOG: Final = logging.getLogger(__name__)


@dataclass(eq=False)
class Batch:
    """Rows on their way. A row is made in the thread: counting costs the caller nothing."""

    write: Callable[[bytes], object]
    """Takes many lines at once; raises OSError when they are not safe yet, and ValueError when
    a line of them never will be."""
    every_s: float = 2.0
    most: int = 500
    bound: int = 10_000
    lost: int = 0
    """Rows that never got through, since the process started."""
    _waiting: deque[Callable[[], bytes]] = field(default_factory=deque)
    _held: list[bytes] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _wake: threading.Event = field(default_factory=threading.Event)
    _closed: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def put(self, make: Callable[[], bytes]) -> bool:
        """Take a row without waiting; False when there is no room and the row is lost."""
        with self._guard:
            if len(self._waiting) >= self.bound or self._closed.is_set():
                self.lost += 1
                return False
            self._waiting.append(make)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="meter", daemon=True)
                self._thread.start()
                atexit.register(self.close)
        if len(self._waiting) >= self.most:
            self._wake.set()
        return True

    def flush(self) -> bool:
        """Hand on everything that waits; False when the place to write to fails."""
        with self._turn:
            while self._waiting or self._held:
                if not self._hand_on():
                    return False
        return True

    def close(self) -> None:
        """Hand on what waits, once, and take no more."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._wake.set()
        if not self.flush():
            self.lost += len(self._waiting) + len(self._held)
            _LOG.error("delivery meter: %d rows lost: no place to write to", self.lost)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._wake.wait(self.every_s)
            self._wake.clear()
            if not self.flush():
                self._closed.wait(self.every_s)

    def _hand_on(self) -> bool:
        while self._waiting and len(self._held) < self.most:
            self._make(self._waiting.popleft())
        try:
            self._write_held()
        except OSError as error:
            _LOG.warning("delivery meter: rows wait, %d are lost so far: %s", self.lost, error)
            return False
        return True

    def _write_held(self) -> None:
        try:
            if self._held:
                self.write(b"".join(self._held))
            self._held.clear()
        except ValueError:
            while self._held:  # one by one: a row that is refused must not hold up the others
                self._write_first()

    def _write_first(self) -> None:
        try:
            self.write(self._held[0])
        except ValueError as error:
            self.lost += 1
            _LOG.error("delivery meter: a row is lost: %s", error)
        del self._held[0]

    def _make(self, make: Callable[[], bytes]) -> None:
        """A row that cannot be made is lost; the others are not."""
        try:
            self._held.append(make())
        except Exception:  # noqa: BLE001 - a row's fault is not the gateway's
            self.lost += 1
            _LOG.exception("delivery meter: a row could not be made")
