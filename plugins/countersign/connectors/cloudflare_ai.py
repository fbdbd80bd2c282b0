"""Cloudflare AI Gateway's account of every call: the gateway's log API."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from countersign.connectors.interface import Connector, Fetch, Folder
from countersign.connectors.wire import cloudflare_log
from countersign.connectors.wire.cloudflare_log import Entry
from countersign.connectors.wire.dated_file import around
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.logged import operation
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.paging import MAX_PAGES
from countersign.connectors.wire.value import Row, UnreadableError, count, inner, text
from countersign.errors import Fault
from countersign.model import Window, rfc3339
from countersign.records import GatewayCall, Record
from countersign.registry import plugin_id

_LOGS: Final = "/logs"


@dataclass(frozen=True)
class CloudflareAI(Connector):
    """Calls that went through one Cloudflare AI Gateway, one record for each log.

    Reads: `/logs` below the gateway, so the address is
    `https://api.cloudflare.com/client/v4/accounts/ACCOUNT/ai-gateway/gateways/GATEWAY`; or saved
    replies and JSON lines of the same rows from an exported folder (`file:`).

    Credential: an API token with AI Gateway Read.

    Late: no delay is documented; a day is read again for a day. Pages are asked for by number,
    oldest first, and a listing that shrinks or repeats itself meanwhile is refused.

    Cannot tell: cached and reasoning tokens apart, so counters are estimates of the split; where
    a call was computed; when it ended (`created_at` may be either end, so `duration` is left
    out); which fallback steps belong to one request, unless `request_key` names the metadata
    that says so; a client that left, unless the status is 499. A gateway at its log limit stops
    logging silently: compare with the provider's report.
    """

    kinds = (GatewayCall,)
    lag = timedelta(days=1)

    per_page: int = 50
    pipeline: str = "chat"
    request_key: str = ""
    """The metadata key that holds the application's request id."""
    tenant_key: str = "tenant"
    user_key: str = "user"

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Ask for one numbered page after the other until the listing is complete."""
        seen, earlier = 0, ""
        for number in range(1, MAX_PAGES + 1):
            body = fetch(_LOGS, self._asked(window, number))
            yield body
            page = Page(plugin_id(type(self)), body, f"{number}")
            document = cloudflare_log.answer(page)
            rows = page.rows(document, "result")
            first = text(rows[0].get("id")) if rows else None
            told = _told(page, document)
            if told.get("page") not in (None, number) or (first is not None and first == earlier):
                raise page.fault(Fault.MALFORMED, f"page {number}", "a page that came before")
            seen, earlier = seen + len(rows), first or ""
            size, total = told.get("per_page") or self.per_page, told.get("total_count")
            if rows and (seen < total if total is not None else len(rows) >= size):
                continue
            if total is not None and seen < total:
                raise page.fault(Fault.TRUNCATED, f"{total} rows as announced", f"{seen} rows")
            return
        raise page.fault(Fault.MALFORMED, f"an end within {MAX_PAGES} pages", "one more page")

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the files whose path names a day around the window, and those that name none."""
        return around(folder, window, 1)

    def parse(self, page: bytes) -> Iterator[Record]:
        """The records of a reply, or of a file with one row a line."""
        whole = plain(Page(plugin_id(type(self)), page))
        return whole.records(cloudflare_log.entries(whole), self._record)

    def _asked(self, window: Window, number: int) -> dict[str, str | int]:
        return {
            "start_date": rfc3339(window.start_us),
            "end_date": rfc3339(window.end_us),
            "order_by": "created_at",
            "order_by_direction": "asc",
            "page": number,
            "per_page": self.per_page,
        }

    def _record(self, entry: Entry) -> Iterator[GatewayCall]:
        ending, (counters, worth) = entry.ending, entry.counted()
        yield GatewayCall(
            call_id=entry.call_id,
            request_id=entry.tag(self.request_key) or entry.call_id,
            started_at=entry.started_at,
            provider=entry.provider,
            attempt=entry.attempt,
            stage="gateway_cache" if entry.is_from_cache else None,
            pipeline=self.pipeline,
            tenant=entry.tag(self.tenant_key),
            user_commitment=entry.tag(self.user_key),
            operation=operation(text(entry.fields.get("path"))),
            model_requested=text(entry.fields.get("model")),
            status=ending.status,
            http_status=count(entry.fields.get("status_code")) or None,
            ended_by=ending.ended_by,
            cancel_boundary=ending.boundary,
            cost_logged_usd_micros=entry.cost,
            usage_quality=worth,
            usage_raw=entry.usage_raw(),
            **counters.columns(),
        )


def _told(page: Page, document: Row) -> dict[str, int | None]:
    info = inner(document, "result_info")
    try:
        return {name: count(info.get(name)) for name in ("page", "per_page", "total_count")}
    except UnreadableError as error:
        raise page.fault(Fault.MALFORMED, "numbers in result_info", str(error)) from None
