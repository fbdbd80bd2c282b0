"""Kinds that describe changes of what governs a model's behaviour, and how requests turned out."""

from dataclasses import dataclass
from typing import ClassVar

from countersign.records.kind import Count, Flag, Instant, Record, Text, Texts

ARTIFACT_KINDS = ("prompt", "model", "sampling", "tool_schema", "router", "retry")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChange(Record):
    """One change of a governed prompt or configuration: who wrote, reviewed and activated it."""

    time_column: ClassVar[str] = ""
    identity: ClassVar[tuple[str, ...]] = ("change_id", "artifact")

    change_id: Text
    artifact: Text
    content_hash: Text
    """SHA-256 of the artifact's bytes; of no bytes at all, where the change removed it."""
    artifact_kind: Text | None = None
    parent_hash: Text | None = None
    author: Text | None = None
    reviewers: Texts | None = None
    ticket: Text | None = None
    eval_run_id: Text | None = None
    eval_score_ppm: Count | None = None
    eval_threshold_ppm: Count | None = None
    created_at: Instant | None = None
    approved_at: Instant | None = None
    approved_by: Text | None = None
    activated_at: Instant | None = None
    activated_by: Text | None = None
    cohorts: Texts | None = None
    rollback_of: Text | None = None
    """The last change that this one takes back: the content is one that was live before it."""
    is_evidence_output: Flag | None = None
    compliance_approval: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Record):
    """How one request or session turned out, and who judged it."""

    time_column: ClassVar[str] = "at"
    identity: ClassVar[tuple[str, ...]] = ("request_id", "session_id", "judged_by")

    resolved: Flag
    at: Instant
    request_id: Text | None = None
    session_id: Text | None = None
    human_handoff: Flag | None = None
    score_ppm: Count | None = None
    judged_by: Text | None = None
    inclusion_ppm: Count | None = None
