"""LiteLLM's own account of every call: the spend-log API, or its exported logging payloads."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import pyarrow as pa

from countersign.connectors.interface import Connector, Database, Fetch, Folder
from countersign.connectors.wire import calls, spend_table
from countersign.connectors.wire.call import Deployment
from countersign.connectors.wire.dated_file import around
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.spend_log import entries
from countersign.connectors.wire.value import Row, UnreadableError, count, instant
from countersign.errors import Fault
from countersign.model import US_PER_SECOND, Window, rfc3339
from countersign.records import (
    CallText,
    GatewayCall,
    InferenceLocation,
    Record,
    from_table,
)
from countersign.registry import plugin_id

_PATH: Final = "/spend/logs/v2"
_ROW_CAP: Final = 10_000
"""`total` never says more than this, and later pages do not exist: ask again from the last row."""
_TEXT_ONLY = ("call_text",)


@dataclass(frozen=True)
class LiteLLM(Connector):
    """Calls, where they ran, and their text where LiteLLM keeps it.

    Reads: `GET /spend/logs/v2`, exported logging payloads in a folder or bucket, or the table
    `LiteLLM_SpendLogs` in place; one row an attempt.

    Credential: the master key, or a key allowed `get_spend_routes`; for the table, SELECT on it.

    Late: rows are queued for about ten seconds, longer while the database is away: the day before
    is read again.

    Cannot tell: true usage of a cancelled stream, which the proxy counts itself (estimated), and
    old versions write no row of it at all. The API's list omits text; exports and the table have
    it where message logging is on. `api_base` says where a call entered, not where it ran.
    """

    kinds = (GatewayCall, InferenceLocation, CallText)
    lag = timedelta(days=1)

    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    """By LiteLLM's `model_id`: the provider's key, the region, the model group, the pipeline."""
    page_size: int = 1_000
    neighbour_days: int = 1
    """An export's date folders follow the proxy's local clock: so many days around are read."""

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Read day by day, oldest first; both bounds of the API are inclusive."""
        for day in window.days():
            span = Window.day(day)
            start: int | None = span.start_us
            while start is not None:
                start = yield from self._slice(fetch, start, span.end_us)

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the files whose path names a day around the window, and those that name none."""
        return around(folder, window, self.neighbour_days)

    def select(self, database: Database, window: Window) -> Iterator[bytes]:
        """Yield the rows of the proxy's own table, with text only where it is wanted."""
        with_text = self.records is None or "call_text" in self.records
        return spend_table.rows(database, window, plugin_id(type(self)), with_text=with_text)

    def tables(self, page: bytes) -> Mapping[type[Record], pa.Table]:
        """The records of an API page, of JSONL rows or payloads, or of one JSON payload."""
        return {kind: table for kind, (table, _) in self._read(page).items()}

    def parse(self, page: bytes) -> Iterator[Record]:
        """The rows of the tables, entry by entry."""
        found = self._read(page)
        numbered = [
            (number, rank, record)
            for rank, kind in enumerate(k for k in self.kinds if k in found)
            for number, record in zip(found[kind][1], from_table(kind, found[kind][0]), strict=True)
        ]
        return (record for _, _, record in sorted(numbered, key=lambda each: each[:2]))

    def _read(self, body: bytes) -> calls.Found:
        page = Page(plugin_id(type(self)), body)
        found = entries(page)
        try:
            if self.records == _TEXT_ONLY:
                return calls.texts(found)
            return calls.read(found, self.deployments)
        except calls.RowError as error:
            raise page.fault(Fault.MALFORMED, "readable rows", str(error)) from None

    def _slice(
        self, fetch: Fetch, start_us: int, end_us: int
    ) -> Generator[bytes, None, int | None]:
        """Yield the pages of one span; return where the next begins if this one was capped."""
        number, pages, total, seen, last_us = 1, 1, 0, 0, start_us
        while number <= pages:
            body = fetch(_PATH, self._asked(start_us, end_us, number))
            yield body
            page = Page(plugin_id(type(self)), body, f"{number} from {rfc3339(start_us)}")
            listing = page.document()
            rows = page.rows(listing, "data")
            if number == 1:
                pages, total = (
                    _figure(page, listing, "total_pages"),
                    _figure(page, listing, "total"),
                )
            if listing.get("page", number) != number:
                raise page.fault(Fault.MALFORMED, f"page {number}", f"page {listing['page']}")
            seen += len(rows)
            last_us = _started_at(page, rows) if rows else last_us
            number += 1
        if seen < total:
            raise page.fault(Fault.TRUNCATED, f"{total} rows as announced", f"{seen} rows")
        if total < _ROW_CAP:
            return None
        if last_us // US_PER_SECOND <= start_us // US_PER_SECOND:
            raise page.fault(Fault.MALFORMED, f"below {_ROW_CAP} rows a second", f"{total}")
        return last_us // US_PER_SECOND * US_PER_SECOND

    def _asked(self, start_us: int, end_us: int, number: int) -> dict[str, str | int]:
        return {
            "start_date": _stamp(start_us),
            "end_date": _stamp(end_us),
            "page": number,
            "page_size": self.page_size,
            "sort_by": "startTime",
            "sort_order": "asc",
        }


def _stamp(instant_us: int) -> str:
    """`2026-11-09 00:00:00`, as the API wants its bounds."""
    return rfc3339(instant_us)[:19].replace("T", " ")


def _figure(page: Page, listing: Row, name: str) -> int:
    try:
        value = count(listing.get(name))
    except UnreadableError as error:
        raise page.fault(Fault.MALFORMED, f"a number {name!r}", str(error)) from None
    if value is None:
        raise page.fault(Fault.MALFORMED, f"a number {name!r}", "none")
    return value


def _started_at(page: Page, rows: list[Row]) -> int:
    try:
        return instant(rows[-1].get("startTime"))
    except UnreadableError as error:
        raise page.fault(Fault.MALFORMED, "startTime of the last row", str(error)) from None
