"""The new intent: people begin to ask something that nobody asked before, more each day."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

_STRIDE = 61
_TURN = 25
"""Users take turns: a stride that is coprime to the number of users, moved on every day."""


@dataclass(frozen=True, slots=True)
class Growth:
    """An intent that takes over a growing share of requests from `first` until `end`."""

    name: str
    first: date
    end: date
    final_share: float

    def share(self, day: date) -> float:
        """Its share of the day's requests: nothing before it begins, convex growth after."""
        if day < self.first:
            return 0.0
        passed = ((day - self.first).days + 1) / (self.end - self.first).days
        return self.final_share * float(passed**1.5)

    def rows(self, day: date, users: Sequence[int], crowd: int) -> list[int]:
        """Which of the day's requests of one tenant turn to it: one each of many users first."""
        asked: Counter[int] = Counter()
        order = []
        for row, user in enumerate(users):
            turn = (user * _STRIDE + day.toordinal() * _TURN) % crowd
            order.append((asked[user], turn, row))
            asked[user] += 1
        order.sort()
        return [row for _, _, row in order[: round(len(users) * self.share(day))]]
