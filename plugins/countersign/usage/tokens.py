"""Disjoint token counters, and the arithmetic that makes them out of overlapping figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict

from countersign.errors import EvidenceError

Block = Mapping[str, Any]
"""A usage block as it was decoded from JSON."""


class Columns(TypedDict):
    """The counters as keyword arguments of a record."""

    in_uncached: int | None
    in_cache_read: int | None
    in_cache_write_5m: int | None
    in_cache_write_30m: int | None
    in_cache_write_1h: int | None
    in_cache_write_12h: int | None
    in_tool_use: int | None
    out_visible: int | None
    out_reasoning: int | None
    out_other: int | None


@dataclass(frozen=True, slots=True)
class Counters:
    """Tokens by what they are priced as. None is not reported, 0 is reported zero."""

    in_uncached: int | None = None
    in_cache_read: int | None = None
    in_cache_write_5m: int | None = None
    in_cache_write_30m: int | None = None
    in_cache_write_1h: int | None = None
    in_cache_write_12h: int | None = None
    in_tool_use: int | None = None
    out_visible: int | None = None
    out_reasoning: int | None = None
    out_other: int | None = None

    def columns(self) -> "Columns":
        """The counters by name, as records carry them."""
        return {
            "in_uncached": self.in_uncached,
            "in_cache_read": self.in_cache_read,
            "in_cache_write_5m": self.in_cache_write_5m,
            "in_cache_write_30m": self.in_cache_write_30m,
            "in_cache_write_1h": self.in_cache_write_1h,
            "in_cache_write_12h": self.in_cache_write_12h,
            "in_tool_use": self.in_tool_use,
            "out_visible": self.out_visible,
            "out_reasoning": self.out_reasoning,
            "out_other": self.out_other,
        }

    @property
    def input_total(self) -> int:
        """Every input token that was reported."""
        return _sum(
            self.in_uncached,
            self.in_cache_read,
            self.in_cache_write_5m,
            self.in_cache_write_30m,
            self.in_cache_write_1h,
            self.in_cache_write_12h,
            self.in_tool_use,
        )

    @property
    def output_total(self) -> int:
        """Every output token that was reported."""
        return _sum(self.out_visible, self.out_reasoning, self.out_other)

    @property
    def total(self) -> int:
        """Every token that was reported."""
        return self.input_total + self.output_total

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was reported."""
        if self.in_uncached is not None or self.out_visible is not None:
            return False
        return self == _NOTHING


_NOTHING = Counters()
_LIMIT = 2**63


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters of one usage block, and whether the block agrees with itself.

    `identity_holds` is None where the wire sends no total to compare with. `unaccounted` is the
    total minus what its parts explain: tokens that were billed and that no field shows.
    """

    counters: Counters
    identity_holds: bool | None = None
    unaccounted: int = 0
    reason: str = ""


def number(block: Block, *names: str) -> int | None:
    """The first of the named figures that is a number; null and text count as absent.

    Raises:
        EvidenceError: the figure has a fraction, or more than 64 bits.
    """
    for name in names:
        value = block.get(name)
        if value is None:
            continue
        if type(value) is int:
            if -_LIMIT < value < _LIMIT:
                return value
            raise _implausible(name, value)
        if isinstance(value, float | Decimal):
            return _whole(name, value)
    return None


def part(block: Block, name: str) -> Block:
    """A nested block; absent, null or anything else is an empty one."""
    value = block.get(name)
    if type(value) is dict:
        return value
    return value if isinstance(value, Mapping) else {}


def without(whole: int | None, *parts: int | None) -> int | None:
    """What is left of a figure without the parts that it contains; unknown stays unknown."""
    return None if whole is None else whole - _sum(*parts)


def added(*figures: int | None) -> int | None:
    """The sum of the figures that are there; none at all is unknown, not zero."""
    return None if figures.count(None) == len(figures) else _sum(*figures)


def bounded(whole: int | None, inner: int | None) -> int | None:
    """An inner figure, at most the whole that should contain it.

    Only where both are plausible: a negative figure is passed on for admission to refuse.
    """
    if whole is None or inner is None or whole < 0:
        return inner
    return min(whole, inner)


def agree(counters: Counters, total: int | None) -> Reading:
    """Compare the counters' sum with the total that the wire sent."""
    if counters.is_empty:
        return Reading(counters, None, 0, "no usage was reported")
    if total is None:
        return Reading(counters)
    rest = total - counters.total
    if rest == 0:
        return Reading(counters, True)
    return Reading(
        counters,
        False,
        rest,
        f"the stated total {total} is not the sum of its parts {counters.total}: "
        f"{rest} tokens are in no field",
    )


def _sum(*figures: int | None) -> int:
    return sum(filter(None, figures))


def _whole(name: str, value: float | Decimal) -> int:
    try:
        is_small = -_LIMIT < value < _LIMIT  # 1E99999999 would take a minute to write out
        whole = int(value) if is_small else None
    except (ValueError, ArithmeticError):
        raise _implausible(name, value) from None
    if whole is None or whole != value:
        raise _implausible(name, value)
    return whole


def _implausible(name: str, value: object) -> EvidenceError:
    return EvidenceError(
        f"usage figure {name}", expected="a whole number of 64 bits", observed=str(value)[:40]
    )
