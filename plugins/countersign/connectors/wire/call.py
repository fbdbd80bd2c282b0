"""What many LiteLLM entries have in common, read once: which upstream, how asked, how ended.

A gateway makes a million calls in some hundred combinations of deployment, operation and
ending; each combination is read once a page, and its values are handed to every row of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Final, NamedTuple

from countersign.connectors.wire.exchange import host
from countersign.connectors.wire.place import Place, by_host, by_response
from countersign.connectors.wire.provider_name import canonical
from countersign.connectors.wire.spend_log import Entry, Failure, Metadata, UsageObject
from countersign.connectors.wire.value import flag

CLIENT_CLOSED: Final = "499"
_TIMEOUTS: Final = ("408", "504")
_UNSAID: Final = "unknown"
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


_UNKNOWN: Final = Deployment()
Deployments = Mapping[str, Deployment]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended. LiteLLM calls a stream that the client left a success, with code 499."""

    status: str
    ended_by: str
    http_status: int | None = None
    error_type: str | None = None
    boundary: str | None = None


_COMPLETED: Final = Ending("ok", "completed")
_NO_FAILURE: Final = Failure()


class Said(NamedTuple):
    """What the entries of one combination say alike, as they say it."""

    provider: str | None
    model: str | None
    model_id: str | None
    group: str | None
    api_base: str | None
    call_type: str | None
    status: str | None
    error_code: str | int | None
    error_class: str | None
    stream: str | bool | None
    retries: int | None
    fallbacks: int | None
    asked_group: str | None
    geo: str | None
    tier: str | None
    is_cached: bool
    is_batch: bool


_OF_ENTRY: Final = attrgetter(
    *("custom_llm_provider", "model", "model_id", "model_group", "api_base", "call_type"),
    *("status", "stream"),
)
_OF_METADATA: Final = attrgetter("attempted_retries", "attempted_fallbacks", "original_model_group")
_OF_USAGE: Final = attrgetter("inference_geo", "service_tier")
Key = tuple[object, ...]


def key(entry: Entry, about: Metadata, block: UsageObject) -> Key:
    """What tells the combinations apart: equal keys are said alike."""
    call_id, hit, hidden = entry.call_id, entry.cache_hit, entry.hidden_params
    return (
        _OF_ENTRY(entry),
        _OF_METADATA(about),
        _OF_USAGE(block),
        _told(about.error_information),
        _told(entry.error_information),
        hidden and hidden.api_base,
        "_cache_hit" in call_id or hit is True or hit == "True",
        call_id.endswith("_batch_cost"),
    )


def said(entry: Entry, about: Metadata, block: UsageObject) -> Said:
    """The combination that an entry belongs to."""
    provider, model, model_id, group, api_base, call_type, status, stream = _OF_ENTRY(entry)
    hidden, call_id = entry.hidden_params, entry.call_id
    failure = _failure(about.error_information, entry.error_information)
    return Said(
        provider=provider,
        model=model,
        model_id=model_id,
        group=group,
        api_base=api_base or (hidden.api_base if hidden is not None else None),
        call_type=call_type,
        status=status,
        error_code=failure.error_code,
        error_class=failure.error_class,
        stream=stream,
        retries=about.attempted_retries,
        fallbacks=about.attempted_fallbacks,
        asked_group=about.original_model_group,
        geo=block.inference_geo,
        tier=block.service_tier,
        is_cached="_cache_hit" in call_id or entry.cache_hit in (True, "True"),
        is_batch=call_id.endswith("_batch_cost"),
    )


@dataclass(frozen=True)
class Combination:
    """What the entries of one combination have in common, as columns name it."""

    said: Said
    deployments: Deployments

    @cached_property
    def provider(self) -> str:
        """The provider, by LiteLLM's name; failures may lack it."""
        model = self.said.model or ""
        return self.said.provider or (model.partition("/")[0] if "/" in model else _UNSAID)

    @cached_property
    def ending(self) -> Ending:
        """How the call ended, by the error information; `status` alone hides the client's leave."""
        code, kind = str(self.said.error_code or ""), self.said.error_class or None
        if code == CLIENT_CLOSED:
            return Ending("cancelled", "client_disconnect", int(code), kind, "proxy")
        if self.said.status != "failure":
            return _COMPLETED
        slow = code in _TIMEOUTS or "timeout" in (kind or "").lower()
        status = int(code) if code.isascii() and code.isdigit() and len(code) == 3 else None
        return Ending("error", "timeout" if slow else "upstream_error", status, kind)

    @cached_property
    def host(self) -> str | None:
        """Where the gateway sent the call."""
        return host(self.said.api_base) if self.said.api_base else None

    @cached_property
    def place(self) -> Place | None:
        """The best evidence for where it ran; what the gateway itself answered ran nowhere."""
        if self.said.is_cached:
            return None
        by_address = by_host(self.host) if self.host else None
        return by_address or by_response({"inference_geo": self.said.geo})

    @cached_property
    def own(self) -> Deployment:
        """The deployment that answered."""
        return self.deployments.get(self.said.model_id or "", _UNKNOWN)

    @cached_property
    def asked(self) -> Deployment:
        """The deployment of the group that the caller named, before any fallback."""
        answered_by = self.said.group or None
        group = self.said.asked_group or answered_by
        if group is None or self.own.group == group:
            return self.own
        known = next((d for d in self.deployments.values() if d.group == group), None)
        return known or (self.own if group == answered_by else _UNKNOWN)

    @property
    def has_earlier(self) -> bool:
        """Whether an attempt failed before a fallback: shown only as a count and a group."""
        return bool(self.said.asked_group) and _positive(self.said.fallbacks) > 0

    @property
    def shared(self) -> dict[str, object]:
        """Columns that are the same for an attempt that failed before."""
        kind = self.said.call_type or None
        return {
            "pipeline": self.own.pipeline,
            "operation": _OPERATIONS.get(kind or "", kind),
            "region_configured": self.asked.region,
        }

    @property
    def columns(self) -> dict[str, object]:
        """Columns of the attempt that the entry is about."""
        said, ending, place = self.said, self.ending, self.place
        model = (said.model or "").removeprefix(f"{self.provider}/")
        return self.shared | {
            "provider": canonical(self.provider),
            "attempt": 1 + _positive(said.retries) + _positive(said.fallbacks),
            "stage": "gateway_cache" if said.is_cached else None,
            "api_key_commitment": self.own.key,
            "model_requested": said.group or None,
            "model_resolved": model if said.model else None,
            "endpoint_host": self.host,
            "region_observed": place.region if place and place.is_asserted else None,
            "service_tier": said.tier or None,
            "batch": True if said.is_batch else None,
            "stream": flag(said.stream),
            "status": ending.status,
            "http_status": ending.http_status,
            "error_type": ending.error_type,
            "ended_by": ending.ended_by,
            "cancel_boundary": ending.boundary,
        }

    @property
    def earlier(self) -> dict[str, object]:
        """Columns of the attempt that failed before the fallback."""
        return self.shared | {
            "provider": canonical(self.asked.provider or self.provider),
            "attempt": 1,
            "api_key_commitment": self.asked.key,
            "model_requested": self.said.asked_group or None,
            "status": "error",
            "ended_by": "upstream_error",
            "usage_quality": "missing",
        }


def _told(failure: Failure | None) -> object:
    return None if failure is None else (failure.error_code, failure.error_class)


def _failure(*candidates: Failure | None) -> Failure:
    """The first that says anything."""
    told: Sequence[Failure] = [c for c in candidates if c and (c.error_code or c.error_class)]
    return told[0] if told else _NO_FAILURE


def _positive(count: int | None) -> int:
    return count if count is not None and count > 0 else 0
