"""A bound on how often one address may ask: a bucket of turns that fills again with time."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Rate:
    """`burst` turns at once, `per_s` more each second. Remembers the last `most` addresses."""

    per_s: float
    burst: int
    clock: Callable[[], float]
    most: int = 10_000
    _seen: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait_s(self, address: str) -> float:
        """Take a turn and return 0, or say in how many seconds there is one."""
        now = self.clock()
        turns, at = self._seen.pop(address, (float(self.burst), now))
        turns = min(float(self.burst), turns + (now - at) * self.per_s)
        has_turn = turns >= 1
        self._seen[address] = (turns - 1 if has_turn else turns, now)
        if len(self._seen) > self.most:
            self._seen.popitem(last=False)
        return 0.0 if has_turn else (1 - turns) / self.per_s
