"""Kinds that describe requests: attempts at upstreams, their text, what was shown, and where."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

from countersign.records.kind import Count, Flag, Instant, Record, Text, Texts, Vector

UsageQuality = Literal["exact", "estimated", "missing"]
COUNTERS = (
    "in_uncached",
    "in_cache_read",
    "in_cache_write_5m",
    "in_cache_write_30m",
    "in_cache_write_1h",
    "in_cache_write_12h",
    "in_tool_use",
    "out_visible",
    "out_reasoning",
    "out_other",
)
"""Disjoint token counters: their sum is what can be priced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Record):
    """Carries the disjoint token counters: NULL is not reported, 0 is reported zero."""

    in_uncached: Count | None = None
    in_cache_read: Count | None = None
    in_cache_write_5m: Count | None = None
    in_cache_write_30m: Count | None = None
    in_cache_write_1h: Count | None = None
    in_cache_write_12h: Count | None = None
    in_tool_use: Count | None = None
    out_visible: Count | None = None
    out_reasoning: Count | None = None
    out_other: Count | None = None
    usage_quality: Text | None = None
    usage_raw: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayCall(Counted):
    """One attempt at an upstream; retries, fallbacks and cascade stages share `request_id`."""

    time_column: ClassVar[str] = "started_at"
    identity: ClassVar[tuple[str, ...]] = ("call_id",)
    aliases: ClassVar = MappingProxyType(
        {
            "ts": "started_at",
            "timestamp": "started_at",
            "user_id": "user_commitment",
            "session_id": "session_commitment",
            "model": "model_requested",
        }
    )

    call_id: Text
    request_id: Text
    started_at: Instant
    provider: Text
    attempt: Count | None = None
    stage: Text | None = None
    parent_call_id: Text | None = None
    pipeline: Text | None = None
    first_token_at: Instant | None = None
    cancel_requested_at: Instant | None = None
    upstream_closed_at: Instant | None = None
    ended_at: Instant | None = None
    tenant: Text | None = None
    cohort: Text | None = None
    user_commitment: Text | None = None
    session_commitment: Text | None = None
    api_key_commitment: Text | None = None
    cluster_bucket: Count | None = None
    feature: Text | None = None
    environment: Text | None = None
    operation: Text | None = None
    model_requested: Text | None = None
    model_resolved: Text | None = None
    provider_request_id: Text | None = None
    endpoint_host: Text | None = None
    region_configured: Text | None = None
    region_observed: Text | None = None
    service_tier: Text | None = None
    batch: Flag | None = None
    stream: Flag | None = None
    status: Text | None = None
    http_status: Count | None = None
    error_type: Text | None = None
    finish_reason: Text | None = None
    ended_by: Text | None = None
    cancel_boundary: Text | None = None
    rtt_us: Count | None = None
    peer_network: Text | None = None
    ingress_digest: Text | None = None
    egress_digest: Text | None = None
    route: Text | None = None
    router_confidence_ppm: Count | None = None
    experiment: Text | None = None
    arm: Text | None = None
    intent: Text | None = None
    language: Text | None = None
    turns: Count | None = None
    tool_count: Count | None = None
    prompt_characters: Count | None = None
    output_characters: Count | None = None
    output_tokens_counted: Count | None = None
    tokenizer: Text | None = None
    unseen_term_ppm: Count | None = None
    cluster: Text | None = None
    prompt_commitment: Text | None = None
    prompt_hash: Text | None = None
    config_fingerprint: Text | None = None
    embedding: Vector | None = None
    embedding_model: Text | None = None
    quality_ppm: Count | None = None
    cost_logged_usd_micros: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallText(Record):
    """The text of one call; readable at admission only, which derives the text columns."""

    time_column: ClassVar[str] = "started_at"
    identity: ClassVar[tuple[str, ...]] = ("call_id", "role")

    call_id: Text
    role: Text
    text: Text
    started_at: Instant
    truncated: Flag | None = None
    language: Text | None = None
    retention_class: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Record):
    """What one client was actually shown."""

    time_column: ClassVar[str] = "started_at"
    identity: ClassVar[tuple[str, ...]] = ("request_id", "meter")

    request_id: Text
    started_at: Instant
    ended: Text
    call_id: Text | None = None
    meter: Text | None = None
    ended_at: Instant | None = None
    rendered_characters: Count | None = None
    rendered_tokens: Count | None = None
    tokenizer: Text | None = None
    rendered_commitment: Text | None = None
    tenant: Text | None = None
    cluster_bucket: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceAccess(Record):
    """One touch of a gateway, cache, embedding, vector, reranker or trace store for a request."""

    time_column: ClassVar[str] = "at"
    identity: ClassVar[tuple[str, ...]] = ("request_id", "surface", "provider", "at")

    request_id: Text
    surface: Text
    provider: Text
    at: Instant
    call_id: Text | None = None
    region: Text | None = None
    evidence: Text | None = None
    strength: Text | None = None
    hit: Flag | None = None
    ingress_digest: Text | None = None
    egress_digest: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceLocation(Record):
    """Where the provider says one call ran, with the strength of that evidence."""

    time_column: ClassVar[str] = "observed_at"
    identity: ClassVar[tuple[str, ...]] = ("provider", "call_id", "provider_request_id", "evidence")

    provider: Text
    region: Text
    evidence: Text
    observed_at: Instant
    call_id: Text | None = None
    provider_request_id: Text | None = None
    jurisdiction: Text | None = None
    strength: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenCase(Record):
    """One case of a golden or shadow set, with its result in one run."""

    time_column: ClassVar[str] = ""
    identity: ClassVar[tuple[str, ...]] = ("set", "case_id", "run_id")

    set: Text
    case_id: Text
    set_version: Text | None = None
    added_at: Instant | None = None
    intent: Text | None = None
    language: Text | None = None
    tenant: Text | None = None
    run_id: Text | None = None
    run_at: Instant | None = None
    instrument: Text | None = None
    prompt_hash: Text | None = None
    config_fingerprint: Text | None = None
    passed: Flag | None = None
    score_ppm: Count | None = None
    inclusion_ppm: Count | None = None
    embedding: Vector | None = None
    embedding_model: Text | None = None
    unseen_term_ppm: Count | None = None
    tags: Texts | None = None
