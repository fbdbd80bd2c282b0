"""Data residency: did each request, and everything derived from it, stay where it was promised?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from countersign.controls._residency_finding import Reading
from countersign.controls._residency_hop import hops
from countersign.controls._residency_mark import marks
from countersign.controls._residency_piece import pieces
from countersign.controls._residency_promise import (
    minimums,
    promises,
    stated_form,
    stated_minimum,
)
from countersign.controls._residency_term import Knowledge
from countersign.controls._residency_touch import touches
from countersign.controls._residency_verdict import most_telling, requests
from countersign.controls.interface import Conclusion, Control, Tables
from countersign.model import Window
from countersign.records import (
    AdequacyTerm,
    GatewayCall,
    InferenceLocation,
    SurfaceAccess,
    SurfaceTerm,
)


@dataclass(frozen=True)
class DataResidency(Control):
    """Every request of a tenant with a promise is followed hop by hop: the gateway, every attempt
    at a model (failed ones too), every other surface that it touched, and the state that stays.

    Each hop has a place by the strongest record of it and by the terms in force at that moment,
    with a strength from R0 (nothing known) to R5. A request violates its promise when one hop
    with evidence lies outside; it is unproven when one hop has less than the least strength asked
    for; only otherwise is it compliant. Its grade is that of its weakest hop, and that hop is
    named. Where the bytes are (residency), who can be compelled to hand them out (sovereignty)
    and who holds the keys (custody) are three verdicts.
    """

    promises: Sequence[Mapping[str, Any]] = ()
    """`{tenant, jurisdictions, valid_from, valid_to}`; ISO 3166-1 codes or `EU`."""
    minimum_strength: Mapping[str, Any] | Sequence[Mapping[str, Any]] = ()
    """`{path, derived, valid_from}`, or a list of them; R2 and R1 when nothing is said."""
    interval_gap_s: int = 600
    """Violating requests this close are one interval even when compliant ones lie between."""
    drawn_from: int = 1_000
    """The request that is drawn is one of so many, the most telling; every one's hops are kept."""
    observations_up_to: int = 10_000
    """At most so many violating requests are listed one by one; all are counted."""
    unproven_up_to: int = 1_000
    """At most so many unproven requests are listed one by one, the weakest; all are counted."""

    claim: ClassVar[str] = (
        "Each request, and everything derived from it, stayed where it was promised."
    )
    needs = (GatewayCall, SurfaceTerm)
    uses = (SurfaceAccess, InferenceLocation, AdequacyTerm)
    requests_a_piece: ClassVar[int] = 50_000
    """Bounds the memory of those who read the hops; it changes nothing that is concluded."""
    maps_to = (
        ("GDPR", "Art. 44"),
        ("DORA", "Art. 28(3)"),
        ("ISO/IEC 27001:2022", "A.5.23"),
    )

    def __post_init__(self) -> None:
        """Refuse settings that cannot be read; dates become text, as the packet prints them."""
        stated = tuple(stated_form(promise) for promise in promises(self.promises))
        object.__setattr__(self, "promises", stated)
        least = tuple(stated_minimum(minimum) for minimum in minimums(self.minimum_strength))
        object.__setattr__(self, "minimum_strength", least)

    def reduce(self, tables: Tables) -> dict[str, ir.Table]:
        """Grade every request in the engine; see `_residency_verdict` and `_residency_hop`."""
        known = self._known(tables)
        found = marks(known)
        asked, touched = tables.table(GatewayCall), tables.table(SurfaceAccess)
        located = tables.table(InferenceLocation)
        stray = touched.anti_join(asked, "request_id")
        return {
            "requests": requests(known, found),
            "drawable": hops(known, found, most_telling(known, found, self.drawn_from)),
            "touches": touches(known, found),
            "pipelines": asked.group_by(pipeline=asked.pipeline.coalesce("")).agg(
                nameless=asked.tenant.isnull().sum()
            ),
            "touched": touched.group_by("surface").agg(rows=touched.count()),
            "stray": stray.group_by("surface").agg(rows=stray.count()),
            "located": located.aggregate(rows=located.count()),
            "terms": known.terms,
            "adequacy": tables.table(AdequacyTerm),
        }

    def conclude(self, reduced: Mapping[str, pa.Table], window: Window) -> Conclusion:
        """Judge by the worst request; name what the evidence could not show."""
        return Reading(
            reduced,
            window,
            promises(self.promises),
            minimums(self.minimum_strength),
            interval_gap_s=self.interval_gap_s,
            observations_up_to=self.observations_up_to,
            unproven_up_to=self.unproven_up_to,
        ).conclusion()

    def leave(self, tables: Tables, conclusion: Conclusion) -> Iterator[tuple[str, ir.Table]]:
        """The hops of every request: `hops/` and the hour that a piece starts with."""
        known = self._known(tables)
        found = marks(known)
        for name, ids in pieces(conclusion.relations["requests"], self.requests_a_piece):
            yield f"hops/{name}", hops(known, found, ibis.memtable(ids))

    def _known(self, tables: Tables) -> Knowledge:
        return Knowledge(tables, promises(self.promises), minimums(self.minimum_strength))
