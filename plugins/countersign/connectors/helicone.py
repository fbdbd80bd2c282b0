"""Helicone's account of every request: its query API, or files of its export tool."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from countersign.canonical import Json
from countersign.connectors.interface import Connector, Fetch
from countersign.connectors.wire.endpoint import by_endpoint
from countersign.connectors.wire.exchange import TEXT, told, wants
from countersign.connectors.wire.helicone_row import Request, requests, times_of
from countersign.connectors.wire.logged import after, operation
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.paging import MAX_PAGES
from countersign.connectors.wire.place import Place, by_response
from countersign.connectors.wire.spoken import Talk
from countersign.connectors.wire.value import (
    count,
    flag,
    inner,
    micros,
    optional_instant,
    text,
)
from countersign.errors import Fault
from countersign.model import Window, rfc3339
from countersign.records import CallText, GatewayCall, InferenceLocation, Record
from countersign.registry import plugin_id

_PATH: Final = "/v1/request/query-clickhouse"
_MS: Final = 1_000


@dataclass(frozen=True)
class Helicone(Connector):
    """Requests that went through Helicone, with their text where the row holds it.

    Reads: `/v1/request/query-clickhouse`, one row for each request (in the European Union
    below `https://eu.api.helicone.ai`); or JSON and JSON lines of the export tool (`file:`).

    Credential: an API key with read access to the organization's requests.

    Late: rows are pending until the answer has ended, so a day is read again for a day. The
    listing has no cursor and no total: it is read on from the last row's time.

    Cannot tell: the text, where bodies lie behind signed links (only the export tool with
    bodies has it then). How long written cache entries live. Reasoning tokens apart. Whether
    counts were reported or reckoned by Helicone; those of cancelled requests are what it had
    seen. `country_code` is the caller's and no evidence of the place. Where a call was
    computed, unless the target is a regional host.
    """

    kinds = (GatewayCall, InferenceLocation, CallText)
    lag = timedelta(days=1)

    limit: int = 1_000
    cache_inside: bool = False
    """For versions of Helicone that leave cached tokens in `prompt_tokens`."""
    pipeline: str = "chat"
    tenant_key: str = "tenant"
    request_key: str = ""
    """The custom property that holds the application's request id."""

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Ask for rows in order of time, each page from the time of the last row on."""
        start_us, offset = window.start_us, 0
        for number in range(1, MAX_PAGES + 1):
            body = fetch(_PATH, body=self._asked(start_us, window.end_us, offset))
            yield body
            page = Page(plugin_id(type(self)), body, f"{number} from {rfc3339(start_us)}")
            times = times_of(page)
            if any(late < early for early, late in zip([start_us, *times], times, strict=False)):
                raise page.fault(Fault.MALFORMED, "rows in order from the asked time on", "others")
            if len(times) < self.limit:
                return
            # as many rows of one moment as a page holds: only the offset leads past them
            offset = offset + self.limit if times[-1] == start_us else 0
            start_us = times[-1]
        raise page.fault(Fault.MALFORMED, f"an end within {MAX_PAGES} pages", "one more page")

    def parse(self, page: bytes) -> Iterator[Record]:
        """The records of a reply, or of an exported file."""
        whole = Page(plugin_id(type(self)), page)
        return whole.records(requests(whole), self._records)

    def _asked(self, start_us: int, end_us: int, offset: int) -> Json:
        bounds = [{"gte": rfc3339(start_us)}, {"lt": rfc3339(end_us)}]
        left, right = ({"request_response_rmt": {"request_created_at": b}} for b in bounds)
        return {
            "filter": {"left": left, "operator": "and", "right": right},  # type: ignore[dict-item]  # Json is invariant
            "sort": {"created_at": "asc"},
            "offset": offset,
            "limit": self.limit,
        }

    def _records(self, seen: Request) -> Iterator[Record]:
        talk = seen.talk() if wants(self.records, TEXT) else Talk()
        return told(self._call(seen, talk), _place(seen), talk)

    def _call(self, seen: Request, talk: Talk) -> GatewayCall:
        fields, ending, started_at = seen.fields, seen.ending, seen.started_at
        counters, worth = seen.counted(cache_inside=self.cache_inside)
        waited, lasted = (count(fields.get(n)) for n in ("time_to_first_token", "delay_ms"))
        ended_at = optional_instant(fields.get("response_created_at"))
        return GatewayCall(
            call_id=seen.call_id,
            request_id=text(seen.properties.get(self.request_key)) or seen.call_id,
            started_at=started_at,
            provider=seen.provider,
            stage="gateway_cache" if seen.is_from_cache else None,
            pipeline=self.pipeline,
            first_token_at=after(started_at, waited * _MS) if waited else None,
            ended_at=after(started_at, lasted * _MS) if lasted is not None else ended_at,
            tenant=text(seen.properties.get(self.tenant_key)),
            user_commitment=text(fields.get("request_user_id")),
            session_commitment=text(seen.properties.get("Helicone-Session-Id")),
            operation=operation(seen.target or text(fields.get("request_path"))),
            model_requested=text(seen.asked.get("model")),
            model_resolved=seen.model,
            provider_request_id=None if seen.is_from_cache else text(seen.answered.get("id")),
            endpoint_host=seen.endpoint,
            stream=flag(seen.asked.get("stream")),
            status=ending.status,
            http_status=seen.code if seen.code and seen.code > 0 else None,
            error_type="threat_blocked"
            if ending.status == "error" and not ending.ended_by
            else None,
            finish_reason=talk.finish_reason,
            ended_by=ending.ended_by,
            cancel_boundary=ending.boundary,
            turns=talk.turns,
            cost_logged_usd_micros=micros(seen.cost),
            usage_quality=worth,
            usage_raw=seen.usage_raw(),
            **counters.columns(),
        )


def _place(seen: Request) -> Place | None:
    if not seen.reached_provider:
        return None
    named = by_endpoint(seen.endpoint or "", seen.model)
    return named or by_response(inner(seen.answered, "usage"))
