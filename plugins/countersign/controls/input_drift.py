"""Input drift: are the inputs still those that the golden set and the limits were made for?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import ibis.expr.types as ir
import pyarrow as pa

from countersign.controls import _drift_conclusion as concluding
from countersign.controls import _drift_reduce as reducing
from countersign.controls._drift_verdict import Limits
from countersign.controls._drift_weeks import Reference
from countersign.controls.interface import Conclusion, Control, Tables
from countersign.model import Window
from countersign.records import GatewayCall, GoldenCase, Record

DEFAULT_FEATURES = (
    "intent",
    "language",
    "tenant",
    "model_requested",
    "prompt_tokens",
    "turns",
    "tool_count",
    "hour",
    "unseen_term",
)
SAMPLE_FEATURES = ("intent", "language", "model_requested", "prompt_tokens", "output_tokens")
"""Two files differ in their hours and tenants by the way they were cut."""


@dataclass(frozen=True)
class InputDrift(Control):
    """The week's requests are compared, feature by feature, with dated reference weeks.

    A feature has moved when its whole distribution departs from the reference by more than
    chance among users (a bootstrap of 128 clusters) and by more than ordinary weeks depart from
    each other, or when single levels do by a test that allows for both; when false discoveries
    are held over all features; and when the change is surely larger than the smallest that
    matters. The effect is the Jensen-Shannon divergence in bits, less its bias. The reference
    is the earliest weeks that are kept (or a pinned span), not the weeks just before: a rolling
    reference learns a slow drift and hides it. A name that is new, with enough rows and users,
    is reported with the day it was first seen. Weeks are compared weekday by weekday.
    Requests count once, by their last attempt. Without enough weeks, rows or clusters, or when
    one cluster dominates, a feature is refused and the reason is printed; when that is more
    than a third of the features, there is no conclusion.
    """

    claim: ClassVar[str] = (
        "The inputs are still those that the golden set and the SLOs were made for."
    )
    needs: ClassVar[tuple[type[Record], ...]] = (GatewayCall,)
    uses: ClassVar[tuple[type[Record], ...]] = (GoldenCase,)
    history_weeks: ClassVar[int] = 12
    maps_to: ClassVar[tuple[tuple[str, str], ...]] = (
        ("EU AI Act", "Art. 72"),
        ("ISO/IEC 42001", "A.6.2.6"),
    )

    features: tuple[str, ...] = DEFAULT_FEATURES
    reference: str = ""
    """START/END of the pinned reference; the earliest weeks of the history when empty."""
    reference_weeks: int = 8
    min_reference_weeks: int = 8
    holidays: tuple[str, ...] = ()
    alpha_ppm: int = 50_000
    false_discovery_ppm: int = 50_000
    minimum_js_microbits: int = 2_000
    minimum_level_ppm: int = 10_000
    minimum_new_ppm: int = 5_000
    minimum_users: int = 10
    minimum_clusters: int = 30
    maximum_cluster_ppm: int = 50_000
    minimum_rows: int = 500
    golden_cases_per_intent: int = 5

    def reduce(self, tables: Tables) -> dict[str, ir.Table]:
        """Counts per feature by day and cluster; by thousandths of each file for two files."""
        golden = reducing.golden(tables.table(GoldenCase))
        # Two files given on the command line: the history is the reference file, undated.
        if getattr(tables, "reference", False):
            undated = Window(date.min, tables.window.start)
            past = tables.over(undated).table(GatewayCall)
            now = tables.table(GatewayCall)
            features = (*SAMPLE_FEATURES, *reducing.own_columns(past, now))
            return {"golden": golden, **reducing.by_slot(past, now, features)}
        span = tables.over(tables.window.with_history(self.history_weeks))
        calls = span.table(GatewayCall)
        return {
            "golden": golden,
            **reducing.by_cluster(calls, self.features, tables.window),
        }

    def conclude(self, reduced: Mapping[str, pa.Table], window: Window) -> Conclusion:
        """Judge every feature that exists, then all of them together."""
        if "slots" in reduced:
            return concluding.of_samples(reduced, self._limits())
        past = Window.parse(self.reference) if self.reference else None
        reference = Reference(
            window=window,
            past=past or window.history(self.history_weeks),
            weeks=self.history_weeks if past else self.reference_weeks,
            holidays={date.fromisoformat(day) for day in self.holidays},
            is_pinned=past is not None,
        )
        return concluding.of_weeks(reduced, reference, self._limits())

    def _limits(self) -> Limits:
        return Limits(
            alpha_ppm=self.alpha_ppm,
            false_discovery_ppm=self.false_discovery_ppm,
            minimum_js_microbits=self.minimum_js_microbits,
            minimum_level_ppm=self.minimum_level_ppm,
            minimum_new_ppm=self.minimum_new_ppm,
            minimum_users=self.minimum_users,
            minimum_weeks=self.min_reference_weeks,
            minimum_clusters=self.minimum_clusters,
            maximum_cluster_ppm=self.maximum_cluster_ppm,
            minimum_rows=self.minimum_rows,
            golden_cases=self.golden_cases_per_intent,
        )
