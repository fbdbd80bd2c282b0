"""One LiteLLM entry as records: the attempt, the one that failed before it, its place, its text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from countersign.connectors.wire import spoken
from countersign.connectors.wire.place import Place, by_host, by_response
from countersign.connectors.wire.spend_log import Entry, host
from countersign.connectors.wire.value import (
    Row,
    flag,
    inner,
    instant,
    micros,
    optional_instant,
    text,
    verbatim,
)
from countersign.records import CallText, GatewayCall, InferenceLocation

_OPERATIONS: Mapping[str, str] = {
    "completion": "chat",
    "acompletion": "chat",
    "anthropic_messages": "chat",
    "responses": "chat",
    "aresponses": "chat",
    "text_completion": "text_completion",
    "atext_completion": "text_completion",
    "embedding": "embeddings",
    "aembedding": "embeddings",
}
"""LiteLLM's call types as OpenTelemetry GenAI operation names; others pass as they are."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the rows do not say about one upstream of the gateway.

    `key` is the provider's id of the key in use, `region` where the deployment is configured,
    `group` the model group that it serves: the promise is judged by the group that was asked.
    """

    key: str | None = None
    region: str | None = None
    pipeline: str = "chat"
    group: str | None = None
    provider: str | None = None


_UNKNOWN = Deployment()
Deployments = Mapping[str, Deployment]


def call(
    entry: Entry, deployments: Deployments, place: Place | None, talk: spoken.Talk
) -> GatewayCall:
    """The attempt that the entry is about."""
    fields, metadata, tags = entry.fields, entry.metadata, entry.tags()
    ending = entry.ending()
    counters, quality = entry.counted(ending)
    block = entry.usage_object
    own = _own(entry, deployments)
    ended_at = optional_instant(fields.get("endTime"))
    first_token_at = optional_instant(fields.get("completionStartTime"))
    return GatewayCall(
        call_id=entry.call_id,
        request_id=entry.litellm_call_id,
        started_at=instant(fields.get("startTime")),
        provider=entry.provider,
        attempt=1
        + entry.failures_before("attempted_retries")
        + entry.failures_before("attempted_fallbacks"),
        stage="gateway_cache" if entry.is_from_gateway_cache else None,
        pipeline=own.pipeline,
        first_token_at=first_token_at if first_token_at != ended_at else None,
        ended_at=ended_at,
        tenant=_tenant(entry),
        user_commitment=text(fields.get("end_user"))
        or text(metadata.get("user_api_key_end_user_id")),
        session_commitment=text(fields.get("session_id")) or text(fields.get("trace_id")),
        api_key_commitment=own.key,
        feature=tags.get("feature"),
        operation=_operation(fields),
        model_requested=text(fields.get("model_group")),
        model_resolved=entry.model,
        provider_request_id=entry.provider_request_id,
        endpoint_host=_host(entry),
        region_configured=_asked_for(entry, own, deployments).region,
        region_observed=place.region if place and place.is_asserted else None,
        service_tier=text(block.get("service_tier")),
        batch=True if entry.call_id.endswith("_batch_cost") else None,
        stream=flag(fields.get("stream")),
        status=ending.status,
        http_status=ending.http_status,
        error_type=ending.error_type,
        finish_reason=talk.finish_reason,
        ended_by=ending.ended_by,
        cancel_boundary=ending.boundary,
        intent=tags.get("intent"),
        language=tags.get("lang"),
        turns=talk.turns,
        tool_count=None if talk.turns is None else _tools(fields),
        cost_logged_usd_micros=micros(fields.get("spend", fields.get("response_cost"))),
        usage_quality=quality,
        usage_raw=verbatim(block) if block else None,
        **counters.columns(),
    )


def failed_attempt(
    entry: Entry, attempt: GatewayCall, deployments: Deployments
) -> GatewayCall | None:
    """The attempt that failed before a fallback: the row shows it only as a count and a group."""
    group = text(entry.metadata.get("original_model_group"))
    if group is None or not entry.failures_before("attempted_fallbacks"):
        return None
    asked = _asked_for(entry, _own(entry, deployments), deployments)
    return GatewayCall(
        call_id=f"{entry.call_id}#attempt-1",
        request_id=attempt.request_id,
        started_at=attempt.started_at,
        provider=asked.provider or attempt.provider,
        attempt=1,
        pipeline=attempt.pipeline,
        tenant=attempt.tenant,
        user_commitment=attempt.user_commitment,
        session_commitment=attempt.session_commitment,
        api_key_commitment=asked.key,
        feature=attempt.feature,
        operation=attempt.operation,
        model_requested=group,
        region_configured=asked.region,
        status="error",
        ended_by="upstream_error",
        intent=attempt.intent,
        language=attempt.language,
        usage_quality="missing",
    )


def place(entry: Entry) -> Place | None:
    """The best evidence for where the call ran; what the gateway itself answered ran nowhere."""
    if entry.is_from_gateway_cache:
        return None
    address = _host(entry)
    return (by_host(address) if address else None) or by_response(entry.usage_object)


def location(attempt: GatewayCall, place: Place) -> InferenceLocation:
    """Where the provider says the call ran. It belongs to the day on which the call started."""
    return InferenceLocation(
        provider=attempt.provider,
        region=place.region,
        evidence=place.evidence,
        observed_at=attempt.started_at,
        call_id=attempt.call_id,
        provider_request_id=attempt.provider_request_id,
        jurisdiction=place.jurisdiction,
        strength=place.strength,
    )


def texts(entry: Entry, talk: spoken.Talk) -> Iterator[CallText]:
    """What was asked and answered, where the gateway keeps it."""
    if talk.prompt is None and talk.answer is None:
        return
    started_at, language = instant(entry.fields.get("startTime")), entry.tags().get("lang")
    for role, said in (("prompt", talk.prompt), ("output", talk.answer)):
        if said is not None:
            yield CallText(
                call_id=entry.call_id,
                role=role,
                text=said,
                started_at=started_at,
                truncated=spoken.is_cut(said),
                language=language,
            )


def _own(entry: Entry, deployments: Deployments) -> Deployment:
    return deployments.get(text(entry.fields.get("model_id")) or "", _UNKNOWN)


def _asked_for(entry: Entry, own: Deployment, deployments: Deployments) -> Deployment:
    """The deployment of the group that the caller named, before any fallback."""
    answered_by = text(entry.fields.get("model_group"))
    group = text(entry.metadata.get("original_model_group")) or answered_by
    if group is None or own.group == group:
        return own
    known = next((d for d in deployments.values() if d.group == group), None)
    return known or (own if group == answered_by else _UNKNOWN)


def _host(entry: Entry) -> str | None:
    address = text(entry.fields.get("api_base")) or text(
        inner(entry.fields, "hidden_params").get("api_base")
    )
    return host(address) if address else None


def _tenant(entry: Entry) -> str | None:
    metadata = entry.metadata
    return (
        text(metadata.get("user_api_key_team_alias"))
        or text(entry.fields.get("team_id"))
        or text(metadata.get("user_api_key_team_id"))
    )


def _operation(fields: Row) -> str | None:
    said = text(fields.get("call_type"))
    return _OPERATIONS.get(said, said) if said else None


def _tools(fields: Row) -> int:
    tools = inner(fields, "model_parameters").get("tools")
    return len(tools) if isinstance(tools, list) else 0
