"""Dated knowledge about surfaces and jurisdictions: files that a person edits and reviews."""

from dataclasses import dataclass
from typing import ClassVar

from countersign.records.kind import Count, Instant, Record, Text

SURFACES = (
    "inference",
    "query_embedding",
    "vector_store",
    "reranker",
    "prompt_cache",
    "trace_store",
    "gateway",
    "log_store",
    "backup",
    "abuse_store",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceTerm(Record):
    """What a contract or policy says about one surface: where, by whom, for how long."""

    time_column: ClassVar[str] = ""
    identity: ClassVar[tuple[str, ...]] = (
        "pipeline",
        "surface",
        "provider",
        "product",
        "region",
        "valid_from",
    )

    pipeline: Text
    surface: Text
    provider: Text
    jurisdiction: Text
    valid_from: Instant
    valid_to: Instant | None = None
    product: Text | None = None
    region: Text | None = None
    operator: Text | None = None
    operator_parent_jurisdiction: Text | None = None
    key_custody: Text | None = None
    storage_jurisdiction: Text | None = None
    lifetime_days: Count | None = None
    transfer_mechanism: Text | None = None
    document_digest: Text | None = None
    retrieved_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdequacyTerm(Record):
    """A mechanism that permits a transfer between two jurisdictions, while valid."""

    time_column: ClassVar[str] = ""
    identity: ClassVar[tuple[str, ...]] = (
        "from_jurisdiction",
        "to_jurisdiction",
        "mechanism",
        "valid_from",
    )

    from_jurisdiction: Text
    to_jurisdiction: Text
    mechanism: Text
    valid_from: Instant
    valid_to: Instant | None = None
    document_digest: Text | None = None
