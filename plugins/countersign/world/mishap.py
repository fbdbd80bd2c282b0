"""What goes wrong between a source and its reader: rate limits, cut pages, switched-off sources.

Spontaneous mishaps hit a request once and are gone when it is repeated. Which requests they hit
follows from their address alone, so that runs repeat.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from countersign.errors import ConfigError
from countersign.world.reply import Reply

FAULTS: Final = ("down", "unauthorized", "truncated", "malformed")
_NOT_JSON: Final = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


@dataclass(frozen=True)
class Mishaps:
    """`faults`: sources that are broken all the time. The others: one request in so many."""

    faults: Mapping[str, str] = field(default_factory=dict)
    throttle_every: int = 101
    truncate_every: int = 127
    _seen: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, sources: tuple[str, ...]) -> None:
        """Refuse faults that do not exist.

        Raises:
            ConfigError: an unknown source or fault.
        """
        for source, fault in self.faults.items():
            if source not in sources or fault not in FAULTS:
                raise ConfigError(
                    f"fault {source} = {fault}",
                    expected=f"a source of {', '.join(sources)} and one of {', '.join(FAULTS)}",
                )

    def throttles(self, address: str) -> bool:
        """Whether this request is told to come back later."""
        return self._hits("throttle", address, self.throttle_every)

    def cuts(self, address: str) -> bool:
        """Whether the connection breaks in the middle of this answer."""
        return self._hits("truncate", address, self.truncate_every)

    def spoil(self, source: str, reply: Reply) -> Reply:
        """The answer of a source that is broken for good."""
        fault = self.faults.get(source)
        if fault == "truncated":
            return Reply(reply.status, reply.body[: len(reply.body) * 2 // 3], reply.headers)
        if fault == "malformed":
            return Reply(reply.status, _NOT_JSON, reply.headers)
        return reply

    def _hits(self, what: str, address: str, every: int) -> bool:
        if not every or crc32(f"{what} {address}".encode()) % every:
            return False
        with self._lock:
            is_first = (what, address) not in self._seen
            self._seen.add((what, address))
        return is_first
