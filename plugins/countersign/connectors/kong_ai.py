"""Kong AI Gateway's account of every call: the lines of its logging plugins."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from countersign.connectors.interface import Connector, Fetch, Folder
from countersign.connectors.wire import kong_line
from countersign.connectors.wire.dated_file import around
from countersign.connectors.wire.endpoint import configured
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.kong_line import Line, Section
from countersign.connectors.wire.logged import operation, quality, raw
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.place import location
from countersign.connectors.wire.published import files
from countersign.connectors.wire.value import inner, text
from countersign.model import Window
from countersign.records import CallText, GatewayCall, InferenceLocation, Record, SurfaceAccess
from countersign.registry import plugin_id
from countersign.usage import Counters

_MODES: Final[Mapping[str, bool]] = {"stream": True, "oneshot": False}
_NOT_BILLED: Final = Counters(in_uncached=0, out_visible=0)


@dataclass(frozen=True)
class KongAI(Connector):
    """Calls that Kong's AI plugins made, one record for each plugin that asked a model.

    Reads: the JSON lines of file-log, http-log and the like, from an exported folder (`file:`)
    or from a web server that publishes them (`path`, where `{day}` makes one file a day). Lines
    without an `ai` object are other traffic and no calls.

    Credential: whatever opens the folder or the web server; Kong itself is not asked.

    Late: a line is written when the call has ended; file names follow the day of writing, so
    files of the days around are read too, and a day is read again for a day.

    Cannot tell: whether prompt tokens include cache reads for Anthropic and Bedrock (not
    documented: estimated when there are any). Streams that a client left and that Kong still
    logs as 200. A cost of 0 means no prices are configured, and stays NULL. The service's host
    is a setting, so a region rests on R1 at most. Which key of the provider was used.
    """

    kinds = (GatewayCall, InferenceLocation, SurfaceAccess, CallText)
    lag = timedelta(days=1)

    path: str = "/kong-{day}.jsonl"
    pipeline: str = "chat"

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """The published files of the window's days."""
        return files(fetch, self.path, window)

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the files whose path names a day around the window, and those that name none."""
        return around(folder, window, 1)

    def parse(self, page: bytes) -> Iterator[Record]:
        """The records of a log file, one line or one batch (a JSON array) after the other."""
        whole = plain(Page(plugin_id(type(self)), page))
        return whole.records(kong_line.lines(whole), self._records)

    def _records(self, line: Line) -> Iterator[Record]:
        for section in line.sections():
            call = self._call(line, section)
            yield call
            model = call.model_resolved or call.model_requested
            place = configured(call.endpoint_host or "", call.provider, model)
            if place is not None and not section.is_from_cache:
                yield location(call, place)
            yield from kong_line.texts(call, section)
        yield from kong_line.embeddings(line)

    def _call(self, line: Line, section: Section) -> GatewayCall:
        counters, worth = quality(section.reading, line.ending.status)
        if section.is_from_cache:
            counters, worth = _NOT_BILLED, "exact"
        elif section.is_doubtful and worth == "exact":
            worth = "estimated"
        return GatewayCall(
            call_id=section.call_id,
            request_id=line.request_id,
            started_at=line.started_at,
            provider=section.provider,
            attempt=line.attempts,
            stage="gateway_cache" if section.is_from_cache else section.stage,
            pipeline=self.pipeline,
            first_token_at=section.first_token_at,
            ended_at=line.ended_at,
            tenant=line.tenant,
            operation=operation(text(line.fields.get("upstream_uri"))),
            model_requested=text(section.meta.get("request_model")),
            model_resolved=text(section.meta.get("response_model")),
            provider_request_id=section.response_id,
            endpoint_host=text(inner(line.fields, "service").get("host")),
            stream=_MODES.get(text(section.meta.get("request_mode")) or ""),
            status=line.ending.status,
            http_status=line.http_status,
            ended_by=line.ending.ended_by,
            cancel_boundary=line.ending.boundary,
            peer_network=line.peer,
            cost_logged_usd_micros=section.cost,
            usage_quality=worth,
            usage_raw=raw(section.usage),
            **counters.columns(),
        )
