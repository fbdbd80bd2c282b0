"""The hops of each request: attempts, other surfaces that it touched, and the state it left."""

from typing import Final

import ibis
import ibis.expr.types as ir

from countersign.controls._residency_mark import SITUATION
from countersign.controls._residency_term import DERIVED, DETAILS, ORDER, Knowledge
from countersign.controls._residency_traffic import NO_EVIDENCE, accesses, attempts, calls

HOPS: Final = (
    "request_id",
    "tenant",
    "at",
    "seq",
    "surface",
    "provider",
    "operator",
    "operator_parent_jurisdiction",
    "region",
    "jurisdiction",
    "strength",
    "evidence",
    "status",
    "call_id",
    "derived",
    "page_digest",
    "attempt",
    "outside",
    "key_custody",
    "lifetime_days",
)
"""Columns of the `hops` relation; `strength` is `R0` to `R5`."""
_TERM: Final = "surface_term"
_PLACE: Final = ("surface", "provider", "region", "jurisdiction", "term", "strength", "outside")
_ROW: Final = (
    "request_id",
    "tenant",
    *_PLACE,
    "call_id",
    "status",
    "attempt",
    "evidence",
    "page_digest",
)


def hops(known: Knowledge, found: ir.Table, kept: ir.Table) -> ir.Table:
    """Every hop of the kept requests, HOPS columns, numbered: the path, then what it left."""
    touched = accesses(known.tables).semi_join(kept, "request_id").view()
    asked = fronted(attempts(known.tables, known.pinned, kept), touched)
    rows = _attempted(found, asked).union(_accessed(known, touched, owners(known, kept)))
    once = rows.group_by(*_ROW).agg(at=rows.at.min())
    once = once.mutate(derived=once.surface.isin(DERIVED))
    order = [
        once.derived,
        once.derived.ifelse(number(once.surface), (once.surface != ORDER[0]).cast("int64")),
        once.at,
        once.attempt,
        number(once.surface),
        *[once[name].asc(nulls_first=True) for name in ("provider", "region", "call_id", "term")],
    ]
    place = ibis.row_number().over(group_by="request_id", order_by=order)
    return _detailed(once.mutate(seq=place + 1), known)


def number(surface: ir.StringValue) -> ir.IntegerValue:
    """A surface's position on a path."""
    return surface.cases(*((name, at) for at, name in enumerate(ORDER)), else_=len(ORDER))


def strength_of(
    stated: ir.IntegerValue, exact: ir.BooleanValue, declared: ir.IntegerValue
) -> ir.IntegerValue:
    """The strength of a place: of its evidence if a term maps that region, else of the term."""
    return ibis.cases(
        (stated == NO_EVIDENCE, declared),
        (exact, stated),
        else_=ibis.least(stated, declared),
    )


def fronted(asked: ir.Table, touched: ir.Table) -> ir.Table:
    """Attempts, with whether a record of the request shows its gateway."""
    seen = touched.filter(touched.surface == ORDER[0])
    return asked.mutate(fronted=asked.request_id.isin(seen.request_id)).view()


def marked(found: ir.Table, asked: ir.Table, *carried: str) -> ir.Table:
    """The hops of attempts: themselves, the state they leave, and the gateway by its terms.

    A gateway that a record of the request shows is not taken from terms.
    """
    found = found.view()
    by = [name for name in SITUATION if name != "era_start"]
    both = asked.inner_join(
        found,
        [
            *[asked[name] == found[name] for name in by],
            asked.at >= found.era_start,
            asked.at < found.era_end,
            (found.surface != "prompt_cache") | found.always | asked.cached,
            (found.surface != ORDER[0]) | ~asked.fronted,
        ],
    )
    strength = strength_of(asked.stated, found.exact, found.declared)
    strength = (found.surface == "inference").ifelse(strength, found.declared)
    strength = found.jurisdiction.isnull().ifelse(0, strength)
    return both.select(
        *[asked[name] for name in carried],
        *[found[name] for name in ("era_start", "surface", "jurisdiction", "term")],
        provider=found.store,
        region=found.kept_in.nullif(""),
        strength=strength,
        outside=found.outside & (strength > 0),
    )


def _attempted(found: ir.Table, asked: ir.Table) -> ir.Table:
    carried = ("at", "request_id", "tenant", "call_id", "status", "attempt", "evidence", "stated")
    rows = marked(found, asked, *carried, "stated_in", "page_digest")
    attempt, nothing = rows.surface == "inference", ibis.null("string")
    of_call = attempt | (rows.surface == "prompt_cache")
    backed = attempt & (rows.stated != NO_EVIDENCE)
    page = attempt.ifelse(rows.page_digest, nothing)
    return rows.mutate(
        call_id=of_call.ifelse(rows.call_id, nothing),
        status=attempt.ifelse(rows.status, nothing),
        attempt=of_call.ifelse(rows.attempt, 0),
        evidence=backed.ifelse(rows.evidence, nothing),
        page_digest=backed.ifelse(rows.stated_in.coalesce(rows.page_digest), page),
    ).select("at", *_ROW)


def _accessed(known: Knowledge, touched: ir.Table, owned: ir.Table) -> ir.Table:
    found = placed_accesses(known, touched, owned)
    return found.mutate(status=ibis.null("string"), attempt=ibis.literal(0, "int64")).select(
        "at", *_ROW
    )


def _detailed(rows: ir.Table, known: Knowledge) -> ir.Table:
    """Hops with what their term says; a hop without evidence of its own rests on the term."""
    details = known.terms.select("term", *DETAILS).view()
    drawn = rows.left_join(details, "term")
    by_term = rows.evidence.isnull() & details.document_digest.notnull()
    said = {name: details[name] for name in DETAILS}
    said |= {
        "evidence": by_term.ifelse(_TERM, rows.evidence),
        "page_digest": by_term.ifelse(details.document_digest, rows.page_digest),
        "strength": ibis.literal("R") + rows.strength.cast("string"),
    }
    shown = {name: said[name] if name in said else rows[name] for name in HOPS}
    return drawn.select(**shown).order_by("request_id", "seq")


def owners(known: Knowledge, kept: ir.Table | None = None) -> ir.Table:
    """Tenant and pipeline of each request, or of each kept one."""
    asked = calls(known.tables, known.pinned, kept)
    return asked.group_by("request_id").agg(
        tenant=asked.tenant.max(), tenant_key=asked.tenant_key.max(), pipeline=asked.pipeline.max()
    )


def placed_accesses(known: Knowledge, touched: ir.Table, owned: ir.Table) -> ir.Table:
    """Touches of the owned requests, each with its place, strength and whether it is outside."""
    contexts = known.contexts
    places = known.beyond(known.places.inner_join(contexts, "era_start"))
    of = touched.inner_join(owned, "request_id")
    of = of.inner_join(
        contexts.select("era_start", "era_end", "tenant_key"),
        ["tenant_key", of.at >= contexts.era_start, of.at < contexts.era_end],
    )
    keys = ("era_start", "tenant_key", "pipeline", "surface", "region")
    both = of.left_join(
        places,
        [*[of[name] == places[name] for name in keys], of.provider_key == places.provider],
    )
    strength = strength_of(of.stated, places.exact.coalesce(False), places.declared.coalesce(0))
    strength = places.jurisdiction.isnull().ifelse(0, strength)
    silent = of.stated == NO_EVIDENCE
    return both.select(
        *[of[name] for name in of.columns if name not in {"evidence", "region"}],
        *[places[name] for name in ("jurisdiction", "term")],
        region=of.region.nullif(""),
        evidence=silent.ifelse(ibis.null("string"), of.evidence),
        strength=strength,
        outside=places.outside.coalesce(False) & (strength > 0),
    )
