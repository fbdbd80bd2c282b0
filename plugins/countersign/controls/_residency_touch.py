"""How many requests touched each place: the aggregate under the tables of surfaces and parties."""

from typing import Final

import ibis
import ibis.expr.types as ir

from countersign.controls._residency_hop import fronted, marked, owners, placed_accesses
from countersign.controls._residency_term import ORDER, Knowledge
from countersign.controls._residency_traffic import accesses, attempts

_PLACE: Final = (
    "era_start",
    "tenant_key",
    "surface",
    "provider",
    "region",
    "jurisdiction",
    "term",
    "strength",
)
_ASKED: Final = ("tenant_key", "pipeline", "provider", "region", "said", "stated", "cached")


def touches(known: Knowledge, found: ir.Table) -> ir.Table:
    """Distinct requests per era, tenant with a promise, and place; `term` numbers its term.

    Most requests are one attempt behind one recorded gateway and touch each of their places
    once: they are counted by situation, without their ids. Only the others are told apart.
    """
    asked, touched = attempts(known.tables, known.pinned), accesses(known.tables)
    several = _several(asked, touched)
    counted = _situations(known, fronted(asked, touched), several)
    passed = marked(found, counted, "tenant_key", "request_id", "weight")
    placed = placed_accesses(known, touched, owners(known))
    placed = placed.mutate(weight=ibis.literal(1, "int64"), request_id=_told(placed, several))
    rows = passed.select(*_PLACE, "request_id", "weight")
    rows = rows.union(placed.select(*rows.columns))
    alone = rows.weight.sum(where=rows.request_id.isnull()).coalesce(0)
    return rows.group_by(*_PLACE).agg(requests=alone + rows.request_id.nunique())


def _several(asked: ir.Table, touched: ir.Table) -> ir.Table:
    """Requests that may touch a place twice: by attempts, gateways, or any other surface."""
    both = asked.select("request_id", other=ibis.literal(False)).union(
        touched.filter(touched.surface == ORDER[0]).select(
            request_id=touched.request_id, other=ibis.literal(True)
        )
    )
    twice = both.group_by("request_id", "other").agg(rows=both.count())
    beside = touched.filter(touched.surface != ORDER[0]).select("request_id")
    return twice.filter(twice.rows > 1).select("request_id").union(beside).distinct()


def _told(rows: ir.Table, several: ir.Table) -> ir.StringValue:
    nobody = ibis.null("string")
    return rows.request_id.isin(several.request_id).ifelse(rows.request_id, nobody)


def _situations(known: Knowledge, asked: ir.Table, several: ir.Table) -> ir.Table:
    contexts = known.contexts.select("era_start", "era_end", "tenant_key").view()
    told = asked.mutate(request_id=_told(asked, several)).view()
    then = told.inner_join(
        contexts,
        [
            told.tenant_key == contexts.tenant_key,
            told.at >= contexts.era_start,
            told.at < contexts.era_end,
        ],
    )
    rows = then.select(
        *[told[name] for name in (*_ASKED, "fronted", "request_id")], at=contexts.era_start
    )
    return rows.group_by(*rows.columns).agg(weight=rows.count()).view()
