"""OpenTelemetry traces: files of a collector, or what the OTLP/HTTP receiver was sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from countersign.connectors.interface import Connector, Fetch, Folder
from countersign.connectors.wire import genai_text, otlp_cut, otlp_json, rotated
from countersign.connectors.wire.cut import Cut, Whose
from countersign.connectors.wire.genai_span import Meaning
from countersign.connectors.wire.genai_touch import Failures, access, attempt, either
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.otlp_json import Exported
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.place import location
from countersign.connectors.wire.published import files
from countersign.connectors.wire.span_row import span_row
from countersign.connectors.wire.value import micros
from countersign.model import Window
from countersign.records import CallText, GatewayCall, InferenceLocation, Record, SurfaceAccess
from countersign.records.trace import Span
from countersign.registry import plugin_id

_SPAN_ONLY: Final = ("span",)
_EXACT: Final = "R2"


@dataclass(frozen=True)
class Otlp(Connector):
    """Every span, and of those about models the call, its surface, its place and its text.

    Reads: OTLP-JSON, an export request a line: the collector's file exporter (`format: json`,
    no compression of its own) or the receiver of `countersign.meters.otlp_receiver`, from a
    folder (`file:`), or files that a web server publishes (`path`). Attributes of OpenTelemetry
    GenAI old and new, OpenInference, OpenLLMetry and the Vercel AI SDK, by one table.
    One trace is one request: its retries, its embedding, its retrieval and its reranking share
    the trace's id, which a reader's meter can know from `traceparent`. `request_attribute` names
    an attribute that says it better.

    Credential: whatever opens the folder or the web server.

    Late: exporters flush within seconds, spans end hours after they start, and files follow the
    time of writing: those of the days around are read too, and a day is read again for a day.
    Delivery is at least once: a span counts once by its trace and span id.

    Cannot tell: where a call was computed (`server.address` is where it entered; `cloud.region`
    is the client's, and is not used). Whether two instrumentations recorded one call twice, or
    whether the sampler dropped calls: compare with the provider. Which spans were retries of one
    call, except by failed siblings in the same file. Who cancelled. Whether an embedding was of
    a query. What people said and who they are is withheld from the span's attributes.
    """

    kinds = (GatewayCall, SurfaceAccess, InferenceLocation, CallText, Span)
    lag = timedelta(days=1)

    path: str = "/traces-{day}.jsonl"
    request_attribute: str = ""
    tenant_attribute: str = "tenant.id"
    pipeline_attribute: str = "service.name"
    pipelines: Mapping[str, str] = field(default_factory=dict)
    """By the value of `pipeline_attribute`, of the span or of its resource."""
    pipeline: str = "chat"
    withhold: tuple[str, ...] = ()
    """Further attributes, with everything below them, that no span record may show."""

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """The published files of the window's days."""
        return files(fetch, self.path, window)

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the files that can hold spans of the window: by day, by rotation, or undated."""
        return rotated.kept(folder, window, 1)

    def parse(self, page: bytes) -> Iterator[Record]:
        """The records of a file of export requests."""
        whole = plain(Page(plugin_id(type(self)), page))
        failures: Failures = {}
        return whole.records(otlp_json.spans(whole), lambda span: self._records(span, failures))

    def without(self, page: bytes, whose: Whose) -> Cut:
        """The page without the spans of somebody, each judged with its resource. Pure."""
        everything = replace(self, records=None)
        return otlp_cut.cut(Page(plugin_id(type(self)), page), everything.parse, whose)

    def _records(self, span: Exported, failures: Failures) -> Iterator[Record]:
        meaning = Meaning(span)
        request_id, tenant = self._request(span), either(span, self.tenant_attribute)
        yield span_row(meaning, request_id, tenant, self.withhold)
        if self.records == _SPAN_ONLY:
            return
        call = self._call(meaning, failures) if meaning.is_call else None
        if call is not None:
            yield call
            if meaning.place is not None:
                yield location(call, meaning.place)
        if meaning.surface is not None:
            yield access(meaning, request_id, call)
        if call is not None and call.operation != "embeddings":
            for role, words in genai_text.said(span):
                yield CallText(
                    call_id=call.call_id, role=role, text=words, started_at=span.started_at
                )

    def _call(self, meaning: Meaning, failures: Failures) -> GatewayCall:
        span, place, ending = meaning.span, meaning.place, meaning.ending
        counters, worth = meaning.counted()
        is_exact = place is not None and place.strength == _EXACT
        return GatewayCall(
            call_id=f"{span.trace_id}-{span.span_id}",
            request_id=self._request(span),
            started_at=span.started_at,
            provider=meaning.provider,
            attempt=attempt(meaning, failures),
            pipeline=self.pipelines.get(either(span, self.pipeline_attribute) or "", self.pipeline),
            first_token_at=meaning.first_token_at,
            ended_at=span.ended_at,
            tenant=either(span, self.tenant_attribute),
            user_commitment=meaning.text("user.id"),
            session_commitment=meaning.text("gen_ai.conversation.id"),
            feature=meaning.text("gen_ai.workflow.name"),
            environment=either(span, "deployment.environment.name")
            or either(span, "deployment.environment"),
            operation=meaning.operation,
            model_requested=meaning.text("gen_ai.request.model"),
            model_resolved=meaning.text("gen_ai.response.model"),
            provider_request_id=meaning.text("gen_ai.response.id"),
            endpoint_host=meaning.host,
            region_configured=place.region if place and place.is_asserted else None,
            region_observed=place.region if place and is_exact else None,
            service_tier=meaning.text("openai.response.service_tier"),
            stream=meaning.is_stream,
            status=ending.status,
            http_status=meaning.count("http.response.status_code"),
            error_type=meaning.text("error.type"),
            finish_reason=meaning.text("gen_ai.response.finish_reasons"),
            ended_by=ending.ended_by,
            cancel_boundary=ending.boundary,
            cost_logged_usd_micros=micros(meaning.text("cost_usd")),
            usage_quality=worth,
            usage_raw=meaning.usage_raw(),
            **counters.columns(),
        )

    def _request(self, span: Exported) -> str:
        return either(span, self.request_attribute) or span.trace_id
