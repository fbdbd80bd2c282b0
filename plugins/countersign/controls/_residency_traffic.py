"""Traffic as residency needs it: attempts with their stated places, touches of other surfaces."""

from collections.abc import Sequence
from typing import Final

import ibis
import ibis.expr.types as ir

from countersign.controls.interface import Tables
from countersign.records import GatewayCall, InferenceLocation, SurfaceAccess

VAGUE: Final = ("global",)
"""Regions that a provider states and that are no place: the evidence is R0, whatever the terms."""
_NOT_SAID: Final = ("", "not_available", "unknown")
_CACHE_COUNTERS: Final = (
    "in_cache_read",
    "in_cache_write_5m",
    "in_cache_write_30m",
    "in_cache_write_1h",
    "in_cache_write_12h",
)
_DECLARING: Final = ("network", "deployment_sku")
"""Evidence that names the front door or an allowed area: R1 at most."""
_ASSERTING: Final = ("host", "header", "response_field", "invocation_log", "audit_log")
"""Evidence in which a provider states the place of one request: R2 at most."""
NO_EVIDENCE: Final = -1
_OBSERVED: Final = 2
_MARK: Final = "|"
_CODE: Final = 2


def calls(tables: Tables, pinned: Sequence[str], kept: ir.Table | None = None) -> ir.Table:
    """Every attempt, `tenant_key` being the tenant where a promise names it and else empty.

    With `kept`, attempts of those requests only.
    """
    rows = tables.table(GatewayCall)
    if kept is not None:
        rows = rows.semi_join(kept, "request_id").view()
    cached = [rows[counter].coalesce(0) > 0 for counter in _CACHE_COUNTERS]
    return rows.select(
        "request_id",
        "call_id",
        "tenant",
        "provider",
        "provider_request_id",
        "model_requested",
        "region_configured",
        "status",
        "page_digest",
        at=rows.started_at,
        attempt=rows.attempt.coalesce(1),
        pipeline=rows.pipeline.coalesce(""),
        tenant_key=rows.tenant.isin(list(pinned)).ifelse(rows.tenant, "").coalesce(""),
        observed=_said(rows.region_observed),
        configured=_said(rows.region_configured),
        cached=ibis.or_(*cached),
    )


def attempts(tables: Tables, pinned: Sequence[str], kept: ir.Table | None = None) -> ir.Table:
    """Attempts with `region`, `said` (a jurisdiction that the evidence itself names) and `stated`.

    `stated` is the strength of the evidence for the region, -1 when only a setting says it. An
    attempt for which two regions are stated gives two rows: both were touched, as far as known.
    """
    asked = calls(tables, pinned, kept)
    places = _statements(tables, asked, only=kept is not None)
    both = asked.left_join(places, asked.call_id == places.call_id)
    return both.select(
        *[asked[name] for name in asked.columns if name not in {"observed", "configured"}],
        region=ibis.coalesce(places.region, asked.observed, asked.configured, ""),
        said=places.said.coalesce(""),
        stated=ibis.coalesce(
            places.stated, asked.observed.notnull().ifelse(_OBSERVED, NO_EVIDENCE)
        ),
        evidence=places.proof.split(_MARK)[1].coalesce("region_observed"),
        stated_in=places.proof.split(_MARK)[2],
    ).view()


def accesses(tables: Tables) -> ir.Table:
    """Touches of surfaces other than inference attempts, with the strength of their evidence."""
    rows = tables.table(SurfaceAccess)
    return rows.select(
        "request_id",
        "surface",
        "provider",
        "at",
        "call_id",
        "evidence",
        "page_digest",
        provider_key=(rows.surface == "gateway").ifelse("*", rows.provider),
        region=_said(rows.region).coalesce(""),
        stated=_said(rows.region).isnull().ifelse(NO_EVIDENCE, _strength(rows)),
    )


def wheres(tables: Tables) -> ir.Table:
    """The distinct pairs of `region` and `said` that occur; none is a pair of empty texts."""
    asked = tables.table(GatewayCall)
    located = tables.table(InferenceLocation)
    touched = tables.table(SurfaceAccess)
    return ibis.union(
        located.select(region=_said(located.region).coalesce(""), said=_code(located.jurisdiction)),
        asked.select(region=_said(asked.region_observed).coalesce(""), said=ibis.literal("")),
        asked.select(region=_said(asked.region_configured).coalesce(""), said=ibis.literal("")),
        touched.select(region=_said(touched.region).coalesce(""), said=ibis.literal("")),
        ibis.memtable({"region": [""], "said": [""]}),
    ).distinct()


def _statements(tables: Tables, asked: ir.Table, *, only: bool) -> ir.Table:
    located = tables.table(InferenceLocation)
    located = located.filter(_said(located.region).notnull()).select(
        "call_id",
        "provider",
        "provider_request_id",
        "region",
        said=_code(located.jurisdiction),
        stated=_strength(located),
        proof=located.evidence + _MARK + located.page_digest,
    )
    named = located.filter(located.call_id.notnull()).drop("provider", "provider_request_id")
    named = named.semi_join(asked, "call_id").view() if only else named
    unnamed = located.filter(located.call_id.isnull()).drop("call_id")
    found = unnamed.inner_join(
        asked.select("call_id", "provider", "provider_request_id"),
        ["provider", "provider_request_id"],
    ).select(*named.columns)
    rows = named.union(found)
    return rows.group_by("call_id", "region", "said").agg(
        stated=rows.stated.max(),
        proof=(rows.stated.cast("string") + _MARK + rows.proof).max(),
    )


def _strength(rows: ir.Table) -> ir.IntegerValue:
    """What the class of evidence can carry; less if the source claims less."""
    claimed = rows.strength.substr(1, 1).try_cast("int64")
    carried = ibis.cases(
        (rows.region.isin(VAGUE), 0),
        (rows.evidence.isin(_DECLARING), 1),
        (rows.evidence.isin(_ASSERTING), _OBSERVED),
        else_=claimed.coalesce(0),
    )
    return ibis.least(claimed, carried)


def _said(region: ir.StringValue) -> ir.StringValue:
    return region.isin(_NOT_SAID).ifelse(ibis.null("string"), region)


def _code(jurisdiction: ir.StringValue) -> ir.StringValue:
    return (jurisdiction.length() == _CODE).ifelse(jurisdiction.upper(), "").coalesce("")
