"""Billed lines of one page: which are about the same thing, and their place among those."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import attrgetter

from countersign.records import ProviderCharge, Record

_ABOUT = attrgetter(*ProviderCharge.identity)


def numbered(records: Iterable[Record]) -> Iterator[Record]:
    """Number the further lines about the same thing: an invoice may charge it twice, or correct it.

    Within one page only. The same line in another page is a repeat, and admission drops it.
    Records of other kinds pass as they are.
    """
    seen: Counter[object] = Counter()
    for record in records:
        if not isinstance(record, ProviderCharge):
            yield record
            continue
        about = _ABOUT(record)
        seen[about] += 1
        yield record if seen[about] == 1 else replace(record, x_line=seen[about])
