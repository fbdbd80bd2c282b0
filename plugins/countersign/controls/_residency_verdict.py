"""One verdict per request: its weakest path hop, its weakest derived state, and what lies outside.

Only integers travel: a grade is strength x 10^6 + surface x 10^3 + attempt, so that the least
grade of a request also names the hop that set it.
"""

from typing import Final

import ibis
import ibis.expr.types as ir

from countersign.controls._residency_hop import (
    number,
    placed_accesses,
    strength_of,
)
from countersign.controls._residency_mark import SITUATION
from countersign.controls._residency_term import DERIVED, ORDER, Knowledge
from countersign.controls._residency_traffic import accesses, attempts

REQUESTS: Final = (
    "request_id",
    "tenant",
    "at",
    "verdict",
    "path_strength",
    "derived_strength",
    "set_by",
)
"""Columns of the `requests` relation."""
CAUSE: Final = ("configured", "ran", "asked", "used")
"""Why a violating request left: regions asked for and run in, models asked for and used."""
_GRADE: Final = 1_000_000
_SLOT: Final = 1_000
_INFERENCE: Final = ORDER.index("inference") * _SLOT
_CACHE: Final = ORDER.index("prompt_cache") * _SLOT
_FRONT: Final = ORDER[0]
_RANKED: Final = ("violating", "unproven", "compliant", "unrestricted")


def requests(known: Knowledge, found: ir.Table) -> ir.Table:
    """Every request with its verdict, REQUESTS and CAUSE columns, in order of tenant and time."""
    judged = _judged(known, found)
    return judged.select(*REQUESTS, *CAUSE).order_by("tenant", "at", "request_id")


def most_telling(known: Knowledge, found: ir.Table, limit: int) -> ir.Table:
    """Ids of at most `limit` requests: violating first, then the weakest unproven, then others."""
    judged = _judged(known, found)
    rank = judged.verdict.cases(*((name, at) for at, name in enumerate(_RANKED)), else_=9)
    least = ibis.least(judged.path_strength, judged.derived_strength)
    ordered = judged.order_by(rank, least, judged.at, judged.request_id)
    return ordered.limit(limit).select("request_id")


def _judged(known: Knowledge, found: ir.Table) -> ir.Table:
    graded = _graded(known, found)
    rows = _with_accesses(known, graded)
    out = rows.out.notnull()
    weak_path = (rows.path // _GRADE) < rows.min_path
    weak_state = (rows.state // _GRADE) < rows.min_derived
    decides = ibis.cases(
        (out & rows.pinned, rows.out),
        (~rows.pinned | weak_path, rows.path),
        (weak_state, rows.state),
        else_=rows.path,
    )
    verdict = ibis.cases(
        (~rows.pinned, "unrestricted"),
        (out, "violating"),
        (weak_path | weak_state.coalesce(False), "unproven"),
        else_="compliant",
    )
    return rows.mutate(
        verdict=verdict,
        path_strength=_strength(rows.path),
        derived_strength=_strength(rows.state),
        set_by=_name(decides),
    )


def _with_accesses(known: Knowledge, graded: ir.Table) -> ir.Table:
    """Requests with the grades of their attempts and of every other surface they touched."""
    owned = _per_request(graded)
    touched = placed_accesses(known, accesses(known.tables), owned)
    grade = touched.strength * _GRADE + number(touched.surface) * _SLOT
    state = touched.surface.isin(DERIVED)
    found = touched.group_by("request_id").agg(
        a_path=grade.min(where=~state),
        a_state=grade.min(where=state),
        a_out=(grade % _GRADE).min(where=touched.outside),
        fronts=(touched.surface == _FRONT).sum(),
    )
    both = owned.left_join(found, "request_id")
    silent = found.fronts.coalesce(0) == 0
    return both.select(
        *[owned[name] for name in owned.columns if name not in {"path", "state", "out"}],
        path=ibis.least(owned.path, found.a_path, silent.ifelse(owned.front, owned.path)),
        state=ibis.least(owned.state, found.a_state),
        out=ibis.least(
            owned.out,
            found.a_out,
            silent.ifelse(owned.front_out, ibis.null("int64")),
        ),
    )


def _per_request(graded: ir.Table) -> ir.Table:
    failed = (graded.status == "error") & ~graded.ran_outside
    return graded.group_by("request_id").agg(
        tenant=graded.tenant.max(),
        tenant_key=graded.tenant_key.max(),
        pipeline=graded.pipeline.max(),
        at=graded.at.min(),
        pinned=graded.pinned.any(),
        min_path=graded.min_path.max(),
        min_derived=graded.min_derived.max(),
        path=graded.path.min(),
        state=graded.state.min(),
        out=graded.out.min(),
        front=graded.front.min(),
        front_out=graded.front_out.min(),
        ran=graded.region.min(where=graded.ran_outside),
        configured=graded.region_configured.min(where=graded.ran_outside),
        used=graded.model_requested.min(where=graded.ran_outside),
        asked=graded.model_requested.min(where=failed),
    )


def _graded(known: Knowledge, found: ir.Table) -> ir.Table:
    asked = attempts(known.tables, known.pinned)
    at = _situations(found).view()
    both = asked.inner_join(
        at,
        [
            *[asked[name] == at[name] for name in SITUATION if name != "era_start"],
            asked.at >= at.era_start,
            asked.at < at.era_end,
        ],
    )
    slot = _INFERENCE + ibis.least(asked.attempt, _SLOT - 1)
    strength = strength_of(asked.stated, at.exact, at.declared)
    strength = at.placed.ifelse(strength, 0)
    cached = asked.cached | at.always
    ran_outside = at.outside & (strength > 0)
    return both.select(
        *[asked[name] for name in ("request_id", "tenant", "tenant_key", "pipeline", "at")],
        *[asked[name] for name in ("region", "region_configured", "model_requested", "status")],
        *[at[name] for name in ("pinned", "min_path", "min_derived", "front", "front_out")],
        ran_outside=ran_outside,
        path=strength * _GRADE + slot,
        state=ibis.least(at.standing, cached.ifelse(at.prompt, at.standing)),
        out=ibis.least(
            ran_outside.ifelse(slot, ibis.null("int64")),
            at.standing_out,
            cached.ifelse(at.prompt_out, ibis.null("int64")),
        ),
    )


def _situations(rows: ir.Table) -> ir.Table:
    """The marks of each situation as grades."""
    attempt, cache = rows.surface == "inference", rows.surface == "prompt_cache"
    front = rows.surface == _FRONT
    stays = ~(attempt | cache | front)
    placed = rows.jurisdiction.notnull()
    slot = number(rows.surface) * _SLOT
    grade = placed.ifelse(rows.declared, 0) * _GRADE + slot
    out = rows.outside & (rows.declared > 0)
    return rows.group_by(*SITUATION, "era_end", "pinned", "min_path", "min_derived").agg(
        placed=(attempt & placed).any(),
        exact=(attempt & rows.exact).any(),
        declared=rows.declared.max(where=attempt),
        outside=(attempt & rows.outside).any(),
        prompt=grade.min(where=cache),
        prompt_out=slot.min(where=cache & out),
        always=(cache & rows.always).any(),
        standing=grade.min(where=stays),
        standing_out=slot.min(where=stays & out),
        front=grade.min(where=front),
        front_out=slot.min(where=front & out),
    )


def _strength(grade: ir.IntegerValue) -> ir.StringValue:
    return ibis.literal("R") + (grade // _GRADE).cast("string")


def _name(grade: ir.IntegerValue) -> ir.StringValue:
    slot = grade % _GRADE
    surface = (slot // _SLOT).cases(*enumerate(ORDER), else_="surface")
    again = slot % _SLOT
    return (again > 1).ifelse(surface + " attempt " + again.cast("string"), surface)
