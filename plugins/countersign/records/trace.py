"""Kinds that describe traces: one span, as whoever exported it saw it."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from countersign.records.kind import Count, Instant, Record, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Span(Record):
    """One OpenTelemetry span, with nanoseconds as it was exported.

    `started_at` is `start_ns` in whole microseconds, rounded down: the time column, which puts
    the span into its day. `attributes` and `resource` are JSON objects of plain values; `links`
    is a JSON list of `trace_id`, `span_id` and `attributes`. `inclusion_ppm` is the probability
    with which such a span was kept, NULL where the exporter does not say; `kept_by` names the
    sampling policy that kept it. Whose span it is, and of which request, stands in columns of its
    own, for statistics on clustered rows and for erasure; attributes that hold words or people
    are withheld.
    """

    time_column: ClassVar[str] = "started_at"
    identity: ClassVar[tuple[str, ...]] = ("trace_id", "span_id")
    aliases: ClassVar = MappingProxyType({"ts": "started_at", "timestamp": "started_at"})

    trace_id: Text
    span_id: Text
    name: Text
    started_at: Instant
    start_ns: Count
    end_ns: Count
    parent_span_id: Text | None = None
    links: Text | None = None
    kind: Text | None = None
    service: Text | None = None
    scope: Text | None = None
    schema_url: Text | None = None
    status: Text | None = None
    attributes: Text | None = None
    resource: Text | None = None
    inclusion_ppm: Count | None = None
    kept_by: Text | None = None
    request_id: Text | None = None
    tenant: Text | None = None
    user_commitment: Text | None = None
    session_commitment: Text | None = None
    cluster_bucket: Count | None = None
