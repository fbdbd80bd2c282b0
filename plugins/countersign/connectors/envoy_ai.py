"""Envoy AI Gateway's account of every call: Envoy's JSON access log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from countersign.connectors.interface import Connector, Fetch, Folder
from countersign.connectors.wire import envoy_line
from countersign.connectors.wire.dated_file import around
from countersign.connectors.wire.endpoint import configured
from countersign.connectors.wire.envoy_line import Backend, Fields, Line
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.logged import operation, quality, raw
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.place import location
from countersign.connectors.wire.provider_name import UNKNOWN, canonical
from countersign.connectors.wire.published import files
from countersign.model import Window
from countersign.records import GatewayCall, InferenceLocation, Record
from countersign.registry import plugin_id

_NOBODY = Backend()


@dataclass(frozen=True)
class EnvoyAI(Connector):
    """Calls that went through Envoy AI Gateway, one record for each line of its access log.

    Reads: the JSON lines of Envoy's access log, from an exported folder (`file:`) or from a web
    server that publishes them (`path`, where `{day}` makes one file a day). What a field is
    called is the operator's choice: `fields` names them, by default as the shipped EnvoyProxy
    template does; `cached_input_tokens` and the like must be asked for in `llmRequestCosts`.
    Lines without a model, a backend and any token count are other traffic and no calls.

    Credential: whatever opens the folder or the web server; Envoy itself is not asked.

    Late: a line is written when the call has ended; file names follow the day of writing, so
    files of the days around are read too, and a day is read again for a day.

    Cannot tell: the provider, for the template logs the backend's reference: `backends` says who
    and where it is, else the provider is `unknown`. Tokens of calls whose usage never came (null
    or "-") are missing. Retries inside Envoy are one line. A backend's host is a setting, so a
    region rests on R1 at most. Prices, text, the provider's response id.
    """

    kinds = (GatewayCall, InferenceLocation)
    lag = timedelta(days=1)

    path: str = "/envoy-{day}.jsonl"
    fields: Fields = field(default_factory=Fields)
    backends: Mapping[str, Backend] = field(default_factory=dict)
    """By the backend's reference, or by its beginning: `default/aoai-sweden`."""
    pipeline: str = "chat"

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """The published files of the window's days."""
        return files(fetch, self.path, window)

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the files whose path names a day around the window, and those that name none."""
        return around(folder, window, 1)

    def parse(self, page: bytes) -> Iterator[Record]:
        """The records of a log file, one line after the other."""
        whole = plain(Page(plugin_id(type(self)), page))
        return whole.records(envoy_line.lines(whole, self.fields), self._records)

    def _records(self, line: Line) -> Iterator[Record]:
        if not line.is_call:
            return
        backend = envoy_line.backend(line, self.backends) or _NOBODY
        call = self._call(line, backend)
        yield call
        place = configured(backend.host or "", call.provider, call.model_requested)
        if place is not None:
            yield location(call, place)

    def _call(self, line: Line, backend: Backend) -> GatewayCall:
        ending = line.ending
        counters, worth = quality(line.reading, ending.status)
        return GatewayCall(
            call_id=line.request_id,
            request_id=line.request_id,
            started_at=line.started_at,
            provider=canonical(backend.provider) if backend.provider else UNKNOWN,
            attempt=line.count("attempts"),
            pipeline=backend.pipeline or self.pipeline,
            ended_at=line.ended_at,
            tenant=line.text("tenant"),
            user_commitment=line.text("user"),
            session_commitment=line.text("session"),
            api_key_commitment=backend.key,
            operation=operation(line.text("path")),
            model_requested=line.text("request_model"),
            model_resolved=line.text("response_model"),
            endpoint_host=backend.host,
            region_configured=backend.region,
            status=ending.status,
            http_status=line.http_status,
            error_type=line.error_type,
            ended_by=ending.ended_by,
            cancel_boundary=ending.boundary,
            peer_network=line.peer,
            usage_quality=worth,
            usage_raw=raw(line.usage),
            **counters.columns(),
        )
