"""The arithmetic of `tokens` over many blocks at once: a column of figures with its unknowns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np

from countersign.errors import EvidenceError

Whole: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Known: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

_LIMIT = 2**59
"""Sums of a block's figures stay within 64 bits."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One figure of every block: values (0 where unknown), and where it is known."""

    values: Whole
    known: Known

    @classmethod
    def of(cls, name: str, figures: Sequence[int | None]) -> "Figures":
        """A column of figures.

        Raises:
            EvidenceError: one of them is no plausible count.
        """
        known = np.array([figure is not None for figure in figures], dtype=np.bool_)
        try:
            values = np.array([figure or 0 for figure in figures], dtype=np.int64)
        except OverflowError:
            raise _implausible(name, figures) from None
        if len(values) and max(values.max(), -values.min()) >= _LIMIT:
            raise _implausible(name, figures)
        return cls(values, known)

    def where(self, chosen: Known) -> "Figures":
        """Unknown in all other blocks."""
        return Figures(np.where(chosen, self.values, 0), self.known & chosen)

    def list(self) -> list[int | None]:
        """The figures, None where unknown."""
        pairs = zip(self.values.tolist(), self.known.tolist(), strict=True)
        return [value if known else None for value, known in pairs]


def without(whole: Figures, *parts: Figures) -> Figures:
    """What is left of a figure without the parts that it contains; unknown stays unknown."""
    return Figures(np.where(whole.known, whole.values - total(parts), 0), whole.known)


def added(*figures: Figures) -> Figures:
    """The sum of the figures that are there; none at all is unknown, not zero."""
    return Figures(total(figures), reduce(np.bitwise_or, (f.known for f in figures)))


def bounded(whole: Figures, inner: Figures) -> Figures:
    """An inner figure, at most the whole that should contain it, where that is plausible."""
    bound = whole.known & inner.known & (whole.values >= 0)
    return Figures(
        np.where(bound, np.minimum(whole.values, inner.values), inner.values), inner.known
    )


def total(figures: Iterable[Figures]) -> Whole:
    """The sum of what is known."""
    summed: Whole = reduce(np.add, (f.values for f in figures))
    return summed


def _implausible(name: str, figures: Sequence[int | None]) -> EvidenceError:
    seen = next(f for f in figures if f is not None and not -_LIMIT < f < _LIMIT)
    return EvidenceError(
        f"usage figure {name}", expected="a plausible count of tokens", observed=str(seen)[:40]
    )
