"""Dated terms as lookups: where a surface is by what held then, and whether that was promised.

All of it is small: eras (spans of the window in which no term, promise or minimum changes) x
tenants with a promise x surfaces x regions. Traffic joins it once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from countersign.controls._residency_promise import Minimum, Promise
from countersign.controls._residency_traffic import VAGUE, wheres
from countersign.controls.interface import Tables
from countersign.model import Window, moment
from countersign.records import AdequacyTerm, SurfaceTerm, schema

NOT_USED: Final = "none"
"""The provider of a term that says: this pipeline does not have this surface."""
ORDER: Final = (
    "gateway",
    "query_embedding",
    "vector_store",
    "reranker",
    "inference",
    "prompt_cache",
    "trace_store",
    "log_store",
    "abuse_store",
    "backup",
)
"""Surfaces as a path is drawn; the position is the surface's number in a grade."""
DERIVED: Final = ORDER[5:]
_TIME: Final = pa.timestamp("us", tz="UTC")
_PLACE: Final = ("era_start", "pipeline", "surface", "provider", "region")
SAYS: Final = ("term", "jurisdiction", "declared")
"""What a place carries: the number of its term, where it is, and whether a document backs it."""
DETAILS: Final = (
    "operator",
    "operator_parent_jurisdiction",
    "key_custody",
    "transfer_mechanism",
    "document_digest",
    "lifetime_days",
)
"""What stands in a term beside the place, found by the term's number."""
_CODE: Final = 2
"""Letters of a jurisdiction: ISO 3166-1 alpha-2, or EU. Anything else names no place."""


@dataclass(frozen=True)
class Knowledge:
    """Terms, promises and minimums over one window, as small relations."""

    tables: Tables
    promises: tuple[Promise, ...]
    minimums: tuple[Minimum, ...]

    @property
    def pinned(self) -> tuple[str, ...]:
        """Tenants that have a promise at some time."""
        return tuple(sorted({p.tenant for p in self.promises}))

    @cached_property
    def contexts(self) -> ir.Table:
        """Era x tenant: `pinned`, `min_path`, `min_derived`; tenant '' stands for all others."""
        least = _spans(
            [(m.valid_from, m.valid_to, m.path, m.derived) for m in self.minimums],
            min_path=pa.int64(),
            min_derived=pa.int64(),
        )
        promised = _spans(
            [(p.valid_from, p.valid_to, p.tenant) for p in self.promises], tenant_key=pa.string()
        )
        tenants = ibis.memtable(pa.table({"tenant_key": ["", *self.pinned]}))
        eras = self.eras
        each = eras.join(least, _within(eras, least)).cross_join(tenants)
        each = each.drop("since", "until")
        now = each.left_join(
            promised,
            [each.tenant_key == promised.tenant_key, *_within(each, promised)],
        )
        return now.select(*[each[name] for name in each.columns], pinned=promised.since.notnull())

    @cached_property
    def eras(self) -> ir.Table:
        """`era_start`, `era_end`: in between, nothing that is known changes."""
        window = self.tables.window
        bounded = (window.start_us, window.end_us)
        dated = [self.tables.table(kind) for kind in (SurfaceTerm, AdequacyTerm)]
        bounds = [
            *[t.select(era_start=t[c]) for t in dated for c in ("valid_from", "valid_to")],
            ibis.memtable(_instants(self._boundaries(window))),
        ]
        inside = ibis.union(*bounds).distinct()
        first, last = (ibis.literal(moment(at), "timestamp('UTC')") for at in bounded)
        inside = inside.filter(inside.era_start >= first, inside.era_start < last)
        after = inside.era_start.lead().over(ibis.window(order_by=inside.era_start))
        return inside.mutate(era_end=after.coalesce(last))

    @cached_property
    def terms(self) -> ir.Table:
        """Every surface term under a number that does not depend on the order of rows."""
        rows = self.tables.table(SurfaceTerm)
        order = [rows[name].asc(nulls_first=True) for name in schema(SurfaceTerm).names]
        return rows.select(
            *SurfaceTerm.identity[:3],
            "valid_from",
            "valid_to",
            "retrieved_at",
            *DETAILS,
            term=ibis.row_number().over(order_by=order),
            product=rows["product"].coalesce(""),
            region=rows.region.coalesce(""),
            jurisdiction=_place_of(rows),
            declared=rows.document_digest.notnull().cast("int64"),
        )

    @cached_property
    def in_force(self) -> ir.Table:
        """The term of each surface, provider, product and region in each era, one row each."""
        terms, eras = self.terms.drop(*DETAILS), self.eras
        held = terms.join(
            eras,
            [
                terms.valid_from <= eras.era_start,
                terms.valid_to.isnull() | (terms.valid_to > eras.era_start),
            ],
        )
        gateway = (held.surface == "gateway") & (held.provider != NOT_USED)
        held = held.mutate(provider=gateway.ifelse("*", held.provider))
        newest = ibis.row_number().over(
            group_by=[*_PLACE, "product"],
            order_by=[
                held.valid_from.desc(),
                held.retrieved_at.desc(nulls_first=False),
                held.term,
            ],
        )
        held = held.mutate(newest=newest).filter(lambda t: t.newest == 0)
        return held.select(*_PLACE, *SAYS, "product")

    @cached_property
    def wheres(self) -> ir.Table:
        """The distinct regions and stated jurisdictions of the traffic."""
        return wheres(self.tables)

    @cached_property
    def places(self) -> ir.Table:
        """Where a surface is, per era, pipeline, provider and region, and who stands behind it.

        `exact` when a term names the region; else the provider's term without a region, or, for
        traffic that names no region, what all terms of the provider agree on.
        """
        terms = self.in_force
        terms = terms.filter(terms.provider != NOT_USED)
        whole = _agreed(terms, _PLACE[:-1]).mutate(region=ibis.literal(""))
        named = _agreed(terms, _PLACE)
        general = (
            named.filter(named.region == "")
            .drop("region")
            .cross_join(self.wheres.select("region").distinct())
        )
        rows = ibis.union(
            *[
                table.mutate(exact=ibis.literal(rank == 0), rank=ibis.literal(rank)).select(
                    *_PLACE, *SAYS, "always", "exact", "rank"
                )
                for rank, table in enumerate((named.filter(named.region != ""), general, whole))
            ]
        )
        first = ibis.row_number().over(group_by=_PLACE, order_by=rows["rank"])
        nowhere = (rows.surface == "inference") & rows.region.isin(VAGUE)
        best = rows.mutate(first=first).filter(lambda t: t.first == 0, ~nowhere)
        return best.drop("first", "rank")

    @cached_property
    def unused(self) -> ir.Table:
        """Surfaces that a pipeline does not have, by a term that says so."""
        terms = self.in_force
        none = terms.filter(terms.provider == NOT_USED)
        return none.select("era_start", "pipeline", "surface").distinct()

    @cached_property
    def allowed(self) -> ir.Table:
        """Tenant x jurisdiction inside its promise, with the span in which it is."""
        return _spans(
            [(s, u, p.tenant, code) for p in self.promises for code, s, u in p.places()],
            tenant_key=pa.string(),
            allowed=pa.string(),
        )

    def beyond(self, rows: ir.Table) -> ir.Table:
        """Rows of an era and tenant, with `outside`: the promise does not name the jurisdiction."""
        allowed = self.allowed
        checked = rows.left_join(
            allowed,
            [
                rows.tenant_key == allowed.tenant_key,
                rows.jurisdiction == allowed.allowed,
                *_within(rows, allowed),
            ],
        )
        missed = rows.pinned & rows.jurisdiction.notnull() & allowed.since.isnull()
        return checked.select(*[rows[name] for name in rows.columns], outside=missed).distinct()

    def _boundaries(self, window: Window) -> list[int]:
        dated: list[Promise | Minimum] = [*self.promises, *self.minimums]
        ends = [at for item in dated for at in (item.valid_from, item.valid_to)]
        members = [at for p in self.promises for _, *span in p.places() for at in span]
        return sorted({window.start_us, *ends, *members})


def _place_of(terms: ir.Table) -> ir.StringValue:
    kept = terms.surface.isin(DERIVED)
    place = kept.ifelse(terms.storage_jurisdiction.coalesce(terms.jurisdiction), terms.jurisdiction)
    return (place.length() == _CODE).ifelse(place.upper(), ibis.null("string"))


def _agreed(terms: ir.Table, by: Sequence[str]) -> ir.Table:
    """One row per key; where its terms (of several products) disagree, it has no place."""
    agree = (terms.jurisdiction.nunique() == 1) & (terms.jurisdiction.count() == terms.count())
    return terms.group_by(*by).agg(
        jurisdiction=agree.ifelse(terms.jurisdiction.min(), ibis.null("string")),
        term=agree.ifelse(terms.term.min(), ibis.null("int64")),
        declared=terms.declared.min(),
        always=(terms["product"] == "always").any(),
    )


def _within(rows: ir.Table, spans: ir.Table) -> list[ir.BooleanValue]:
    return [spans.since <= rows.era_start, spans.until > rows.era_start]


def _spans(rows: Sequence[tuple[Any, ...]], **columns: pa.DataType) -> ir.Table:
    """A small relation whose rows hold from `since` until `until`."""
    types = {"since": _TIME, "until": _TIME, **columns}
    cells = list(zip(*rows, strict=True)) or [()] * len(types)
    arrays = [pa.array(cell, type=kind) for cell, kind in zip(cells, types.values(), strict=True)]
    return ibis.memtable(pa.table(arrays, names=list(types)))


def _instants(instants: Sequence[int]) -> pa.Table:
    return pa.table({"era_start": pa.array(instants, type=_TIME)})
