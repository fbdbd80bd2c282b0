"""A row of Vertex AI's request-response log: one request with its whole response."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from countersign import usage
from countersign.connectors.wire import bigquery
from countersign.connectors.wire.cloud_region import of_vertex
from countersign.connectors.wire.place import Place
from countersign.connectors.wire.place import location as located_at
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    exact,
    inner,
    text,
)
from countersign.records import GatewayCall, InferenceLocation

PROVIDER: Final = "gcp.vertex_ai"
_LOCATION: Final = re.compile(r"(?:^|/)locations/([a-z0-9-]+)(?:/|$)")
_MODEL: Final = re.compile(r"/(?:models|endpoints)/([^/]+)$")
_STREAMS: Final = ("streamgeneratecontent", "streamrawpredict")
_CHATS: Final = ("generatecontent", "rawpredict", *_STREAMS)


def call(fields: Row) -> GatewayCall:
    """The call of a row. A streamed response may be a list of chunks: the last usage holds."""
    chunks = _chunks(bigquery.decoded(fields, "full_response"))
    response_id = _last(chunks, "responseId") or _last(chunks, "id")
    request_id = response_id or text(fields.get("request_id"))
    if request_id is None:
        raise UnreadableError("neither responseId nor request_id is there")
    wire, block = _usage_block(chunks)
    reading = usage.reading(wire, block)
    method, endpoint = text(fields.get("api_method")) or "", text(fields.get("endpoint")) or ""
    error = inner(chunks[-1], "error") if chunks else {}
    quality = "estimated" if reading.unaccounted else "exact"
    return GatewayCall(
        call_id=request_id,
        request_id=request_id,
        started_at=bigquery.moment(fields.get("logging_time")),
        provider=PROVIDER,
        operation=("chat" if method.lower() in _CHATS else method) or None,
        model_requested=_model(fields, endpoint),
        model_resolved=_last(chunks, "modelVersion") or _last(chunks, "model"),
        provider_request_id=request_id,
        region_configured=location(endpoint),
        service_tier=text(block.get("trafficType")),
        stream=method.lower() in _STREAMS if method else None,
        finish_reason=_finish_reason(chunks),
        usage_quality="missing" if reading.counters.is_empty else quality,
        usage_raw=exact(block) if block else None,
        **_ending(error),
        **reading.counters.columns(),
    )


def located(call: GatewayCall) -> Iterator[InferenceLocation]:
    """Where the endpoint's path lets the call run. `global` is anywhere; no path says nothing."""
    if call.region_configured is None:
        return
    where = _place(call.region_configured)
    yield located_at(call, where)


def location(endpoint: str) -> str | None:
    """`europe-west4` of `projects/p/locations/europe-west4/publishers/...`."""
    match = _LOCATION.search(endpoint)
    return match[1] if match else None


def _place(said: str) -> Place:
    """A location that Google's table does not list promises nothing."""
    country = of_vertex(said)
    if said == "global" or country is None:
        return Place(said, "host", "R0")
    return Place(said, "host", "R2", country)


def _chunks(response: Any) -> list[Row]:
    found = response if isinstance(response, list) else [response]
    return [chunk for chunk in found if isinstance(chunk, dict)]


def _usage_block(chunks: Sequence[Row]) -> tuple[str, Row]:
    """The block and its wire: Gemini's own, or Anthropic's for Claude on Vertex."""
    gemini = [block for chunk in chunks if (block := inner(chunk, "usageMetadata"))]
    if gemini:
        return "gemini", gemini[-1]
    others = [block for chunk in chunks if (block := inner(chunk, "usage"))]
    wire = "anthropic" if others and "input_tokens" in others[-1] else "openai-chat"
    return wire, others[-1] if others else {}


def _model(fields: Row, endpoint: str) -> str | None:
    match = _MODEL.search(endpoint)
    return text(fields.get("model")) or (match[1] if match else None)


def _ending(error: Row) -> Mapping[str, Any]:
    if not error:
        return {"status": "ok"}
    code = error.get("code")
    return {
        "status": "error",
        "ended_by": "upstream_error",
        "error_type": text(error.get("status")),
        "http_status": code if type(code) is int and 0 < code < 1_000 else None,
    }


def _finish_reason(chunks: Sequence[Row]) -> str | None:
    candidates = chunks[-1].get("candidates") if chunks else None
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    if isinstance(first, dict):
        return text(first.get("finishReason"))
    return _last(chunks, "stop_reason")


def _last(chunks: Sequence[Row], name: str) -> str | None:
    return next((said for chunk in reversed(chunks) if (said := text(chunk.get(name)))), None)
