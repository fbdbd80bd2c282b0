"""What both providers' usage and cost reports share: buckets of time, pages, groups."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from countersign.world.books import Books, Line
from countersign.world.call import Counts
from countersign.world.reply import Query, RefusedError, days_between

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
USAGE_LIMITS: Final[Mapping[str, tuple[int, int, int]]] = {
    "1h": (HOUR_US, 24, 168),
    "1d": (DAY_US, 7, 31),
}
"""Bucket width: microseconds, buckets per page by default and at most."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket with the lines booked in it."""

    start_us: int
    end_us: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Buckets of one page, and the cursor of the next or None."""

    buckets: tuple[Bucket, ...]
    next_page: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """What a request asks for: buckets from `start_us` to before `end_us`, `limit` to a page."""

    start_us: int
    end_us: int
    width_us: int
    limit: int

    @classmethod
    def of(
        cls, query: Query, start_us: int, end_us: int, limits: Mapping[str, tuple[int, int, int]]
    ) -> "Span":
        """Snap to whole buckets and apply the API's limits.

        Raises:
            RefusedError: an unknown width, a limit beyond the API's, or an end before the start.
        """
        width_us, default, most = limits[query.choice("bucket_width", tuple(limits), "1d")]
        limit = query.number("limit", default, 1, most)
        if end_us <= start_us:
            raise RefusedError("The end of the time range must be after its start.")
        snapped_end = -(-end_us // width_us) * width_us
        return cls(start_us // width_us * width_us, snapped_end, width_us, limit)


def page(
    books: Books, provider: str, span: Span, query: Query, keep: Callable[[Line], bool]
) -> Page:
    """The page that the query's cursor names, or the first."""
    start_us = _read_cursor(query.one("page"), span)
    stop_us = min(start_us + span.limit * span.width_us, span.end_us)
    found: dict[int, list[Line]] = {}
    for day in days_between(start_us, stop_us):
        for line in filter(keep, books.lines(provider, day)):
            found.setdefault(line.hour_us // span.width_us * span.width_us, []).append(line)
    buckets = tuple(
        Bucket(at, at + span.width_us, tuple(found.get(at, ())))
        for at in range(start_us, stop_us, span.width_us)
    )
    return Page(buckets, _write_cursor(stop_us) if stop_us < span.end_us else None)


def whole(books: Books, provider: str, start_us: int, end_us: int, width_us: int) -> Page:
    """All buckets of a span on one page, as an export would hold them."""
    span = Span(start_us, end_us, width_us, (end_us - start_us) // width_us)
    return page(books, provider, span, Query({}), lambda _: True)


K = TypeVar("K")


def totals(lines: Iterable[Line], key: Callable[[Line], K]) -> dict[K, tuple[Counts, int]]:
    """Counts and requests of the lines, summed by a key, in order of first appearance."""
    sums: dict[K, tuple[Counts, int]] = {}
    for line in lines:
        (a, b, c, d, e), requests = sums.get(key(line), ((0, 0, 0, 0, 0), 0))
        u, v, w, x, y = line.counts
        sums[key(line)] = ((a + u, b + v, c + w, d + x, e + y), requests + line.requests)
    return sums


def _write_cursor(start_us: int) -> str:
    return "page_" + base64.urlsafe_b64encode(start_us.to_bytes(8, "big")).decode().rstrip("=")


def _read_cursor(text: str | None, span: Span) -> int:
    if text is None:
        return span.start_us
    try:
        start_us = int.from_bytes(base64.urlsafe_b64decode(text.removeprefix("page_") + "="), "big")
    except (binascii.Error, ValueError):
        start_us = -1
    if not span.start_us <= start_us < span.end_us:
        raise RefusedError(f"Invalid page cursor: {text}", param="page")
    return start_us
