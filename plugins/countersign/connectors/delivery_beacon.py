"""What clients were shown: the delivery beacons of the meters beside browsers and gateways."""

from collections.abc import Iterator
from dataclasses import dataclass

from countersign.connectors.interface import Connector, Fetch, Folder, Params
from countersign.connectors.wire.dated_file import around
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.paging import follow
from countersign.connectors.wire.value import (
    Row,
    count,
    inner,
    instant,
    needed,
    optional_instant,
    row,
    text,
)
from countersign.model import Window, rfc3339
from countersign.records import Delivery, Record, SurfaceAccess
from countersign.registry import plugin_id

_PATH = "/v1/deliveries"


@dataclass(frozen=True)
class DeliveryBeacon(Connector):
    """One row per request and client: characters and tokens rendered, when and why it ended.

    Reads: `GET /v1/deliveries` of the meters' collecting endpoint, or the JSON Lines files that a
    meter drops into a folder; one row per request and client. A beacon that saw a region in a
    response header is also evidence of the gateway's place.

    Credential: the collecting endpoint's own reading key; none for a folder.

    Late: a browser sends its beacon when the page is left, and offline ones when it is back: the
    day before is read again.

    Cannot tell: what was rendered where no meter runs, or where a client blocks or loses its
    beacon; whether anybody looked at it. Tokens are NULL where a client counted characters only.
    """

    kinds = (Delivery, SurfaceAccess)

    limit: int = 1_000
    gateway: str = "litellm"
    """The provider of the gateway surface, as the surface terms name it."""

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Follow `next`; the end is exclusive, in RFC 3339."""
        asked: Params = {
            "start": rfc3339(window.start_us),
            "end": rfc3339(window.end_us),
            "limit": self.limit,
        }
        return follow(
            plugin_id(type(self)),
            lambda more: fetch(_PATH, {**asked, **more}),
            "after",
            lambda document: document.get("next"),
        )

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the files whose path names a day around the window, and those that name none."""
        return around(folder, window, 1)

    def parse(self, page: bytes) -> Iterator[Record]:
        """The records of an API page, or of an exported file with one row a line."""
        whole = Page(plugin_id(type(self)), page)
        return whole.records(_rows(whole), self._records)

    def _records(self, item: object) -> Iterator[Record]:
        fields = row(item)
        request_id, started_at = needed(fields, "request_id"), instant(fields.get("started_at"))
        yield Delivery(
            request_id=request_id,
            started_at=started_at,
            ended=needed(fields, "ended"),
            call_id=text(fields.get("response_id")),
            meter=text(fields.get("meter")),
            ended_at=optional_instant(fields.get("ended_at")),
            rendered_characters=count(fields.get("rendered_characters")),
            rendered_tokens=count(fields.get("rendered_tokens")),
            tokenizer=text(fields.get("tokenizer")),
            tenant=text(fields.get("tenant")),
        )
        served_by = inner(fields, "served_by")
        if text(served_by.get("region")):
            yield self._gateway_access(request_id, started_at, served_by)

    def _gateway_access(self, request_id: str, at: int, served_by: Row) -> SurfaceAccess:
        return SurfaceAccess(
            request_id=request_id,
            surface="gateway",
            provider=self.gateway,
            at=at,
            region=text(served_by.get("region")),
            evidence="header",
            strength="R2",
        )


def _rows(page: Page) -> Iterator[object]:
    for document in page.documents():
        if isinstance(document, dict) and "data" in document:
            yield from page.rows(document, "data")
        else:
            yield document
