"""What an attempt touches by knowledge alone, per situation, before any request is read.

A situation is an era, tenant with a promise, pipeline, model provider, region and jurisdiction
that the evidence names. Its marks are the attempt itself, the provider's prompt cache, the stores
that keep what passed, and the gateway in front. Small; requests join it once.
"""

from collections.abc import Mapping
from typing import Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from countersign.controls._residency_term import NOT_USED, SAYS, Knowledge
from countersign.controls._residency_traffic import calls
from countersign.records import SurfaceTerm

STANDING: Final = ("log_store", "abuse_store", "backup", "trace_store")
"""Derived state that every request of a pipeline leaves, by its terms."""
EXPECTED: Final = STANDING[:3]
"""Standing state that exists unless a term says that it does not: without a term it is R0."""
SITUATION: Final = ("era_start", "tenant_key", "pipeline", "provider", "region", "said")
_CONTEXT: Final = ("era_end", "pinned", "min_path", "min_derived")
_GATEWAY: Final = {"surface": "gateway", "store": "gateway", "kept_in": ""}
MARK: Final = ("surface", "store", "kept_in", *SAYS, "always", "exact")


def marks(known: Knowledge) -> ir.Table:
    """Situation columns, context columns, MARK columns and `outside`, one row per mark."""
    places = known.places
    at = _situations(known)
    found = ibis.union(
        *[_single(at, places, surface) for surface in ("inference", "prompt_cache")],
        _gateway(known, at, places),
        *_standing(known, at, places),
    )
    found = found.mutate(
        **{name: found[name].coalesce(False) for name in ("always", "exact")},
        declared=found.declared.coalesce(0),
    )
    return known.beyond(found)


def _situations(known: Knowledge) -> ir.Table:
    asked = calls(known.tables, known.pinned).select("tenant_key", "pipeline", "provider")
    each = asked.distinct().cross_join(known.wheres)
    return each.inner_join(known.contexts, "tenant_key").select(*SITUATION, *_CONTEXT)


def _single(at: ir.Table, places: ir.Table, surface: str) -> ir.Table:
    """The model provider's own surface; a jurisdiction that the evidence names comes first."""
    of_surface = places.filter(places.surface == surface).drop("surface")
    by = ["era_start", "pipeline", "provider", "region"]
    both = at.left_join(of_surface, by)
    says = {name: of_surface[name] for name in (*SAYS, "always", "exact")}
    if surface == "inference":
        named = at.said != ""
        says["jurisdiction"] = named.ifelse(at.said, of_surface.jurisdiction)
        says["exact"] = named | of_surface.exact.coalesce(False)
    where = {"surface": ibis.literal(surface), "store": at.provider, "kept_in": at.region}
    return _row(both, at, {**says, **where})


def _gateway(known: Knowledge, at: ir.Table, places: ir.Table) -> ir.Table:
    """The gateway as its terms declare it, for requests without evidence of their own."""
    declared = places.filter(places.surface == "gateway", places.region == "")
    both = at.left_join(declared.drop("surface", "provider", "region"), ["era_start", "pipeline"])
    says = {name: declared[name] for name in (*SAYS, "always", "exact")}
    where = {name: ibis.literal(text) for name, text in _GATEWAY.items()}
    rows = _row(both, at, {**says, **where})
    return rows.anti_join(known.unused, ["era_start", "pipeline", "surface"])


def _standing(known: Knowledge, at: ir.Table, places: ir.Table) -> list[ir.Table]:
    """A store of a model provider holds what went to that provider, any other store everything.

    A store that must exist and has no term has no place.
    """
    stores = places.filter(places.surface.isin(STANDING))
    by = ["era_start", "pipeline", "provider", "region"]
    says = {name: stores[name] for name in (*SAYS, "always", "exact", "surface")}
    where = {"store": at.provider, "kept_in": at.region}
    kept = _row(at.inner_join(stores, by), at, {**says, **where})
    own = _own_stores(known)
    says = {name: own[name] for name in (*SAYS, "surface", "store", "kept_in")}
    says |= {"always": ibis.literal(True), "exact": ibis.literal(True)}
    held = kept.union(_row(at.inner_join(own, by[:2]), at, says))
    due = at.cross_join(ibis.memtable(pa.table({"surface": list(EXPECTED)})))
    due = due.anti_join(held, [*SITUATION, "surface"])
    due = due.anti_join(known.unused, ["era_start", "pipeline", "surface"])
    unknown = {name: ibis.null(kept[name].type()) for name in MARK if name != "surface"}
    return [held, due.select(*at.columns, "surface", **unknown).select(*held.columns)]


def _own_stores(known: Knowledge) -> ir.Table:
    terms = known.in_force
    asked = calls(known.tables, known.pinned).select("pipeline", "provider")
    stated = known.tables.table(SurfaceTerm)
    stated = stated.filter(stated.surface == "inference").select("pipeline", "provider")
    own = terms.filter(terms.surface.isin(STANDING), terms.provider != NOT_USED)
    own = own.anti_join(asked.union(stated).distinct(), ["pipeline", "provider"])
    return own.select(
        "era_start",
        "pipeline",
        "surface",
        *SAYS,
        store=own.provider,
        kept_in=own.region,
    )


def _row(both: ir.Table, at: ir.Table, says: Mapping[str, ir.Value]) -> ir.Table:
    rows = both.select(*[at[name] for name in at.columns], **says)
    return rows.select(*at.columns, *MARK)
