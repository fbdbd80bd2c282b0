"""The hops of all requests, in pieces of whole hours: no memory holds those of a large week."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from countersign.model import US_PER_SECOND, moment

_HOUR_US: Final = 3_600 * US_PER_SECOND


def pieces(requests: pa.Table, most: int) -> Iterator[tuple[str, pa.Table]]:
    """Ids of the requests of each piece, by the hour it starts with (`2026-11-09T00`).

    So many requests fill a piece, unless one hour alone has more.
    """
    at = requests["at"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
    hours = at // _HOUR_US
    found, counts = np.unique(hours, return_counts=True)
    for first, last in _filled(list(zip(found.tolist(), counts.tolist(), strict=True)), most):
        inside = pa.array((hours >= first) & (hours <= last))
        yield _name(first), requests.select(["request_id"]).filter(inside)


def _filled(hours: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Neighbouring hours together while they fit: the first and the last of each piece."""
    spans: list[tuple[int, int]] = []
    held = most
    for hour, count in hours:
        if held + count > most:
            spans.append((hour, hour))
            held = 0
        spans[-1] = (spans[-1][0], hour)
        held += count
    return spans


def _name(hour: int) -> str:
    return moment(hour * _HOUR_US).strftime("%Y-%m-%dT%H")
