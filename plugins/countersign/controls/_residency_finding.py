"""From graded requests to a conclusion: counts, exceptions, tables and what was not examined."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from countersign.canonical import Json
from countersign.controls._residency_basis import Party, custody, parties, sovereignty
from countersign.controls._residency_exception import unproven, violating
from countersign.controls._residency_interval import Interval, intervals
from countersign.controls._residency_inventory import inventory, not_examined, surfaces
from countersign.controls._residency_picture import picture
from countersign.controls._residency_promise import Minimum, Promise, promised_at
from countersign.controls._residency_term import DERIVED, DETAILS
from countersign.controls._residency_verdict import REQUESTS
from countersign.controls.interface import Conclusion
from countersign.model import PPM, Grade, Observation, State, Window, moment

_VERDICTS: Final = ("compliant", "violating", "unproven", "unrestricted")
_PROVES: Final = 2
"""From R2 on a hop has evidence of its own request, not a declaration alone."""


@dataclass(frozen=True)
class Reading:
    """The reduced relations of one window, read once each."""

    reduced: Mapping[str, pa.Table]
    window: Window
    promises: Sequence[Promise]
    minimums: Sequence[Minimum]
    interval_gap_s: int
    observations_up_to: int
    unproven_up_to: int

    def conclusion(self) -> Conclusion:
        """Violating beats unproven beats compliant; nothing promised is nothing concluded."""
        count = self.counts
        return Conclusion(
            state=self.state,
            reason=self.reason,
            grade=self.grade,
            observations=tuple(self.observations()),
            examined=self.pinned,
            holding=count["compliant"],
            not_holding=count["violating"],
            undecided=count["unproven"],
            measures=self.measures(),
            picture=picture(self.reduced["requests"], self.reduced["drawable"]),
            tables=self.tables(),
            not_examined=tuple(self.sentences()),
            relations={"requests": self.reduced["requests"].select(list(REQUESTS))},
            verdicts={
                "residency": str(self.state),
                "sovereignty": sovereignty(self.parties),
                "custody": custody(self.parties),
            },
        )

    @cached_property
    def by_tenant(self) -> dict[str | None, dict[str, int]]:
        """Requests of each tenant by verdict."""
        rows = self.reduced["requests"].group_by(["tenant", "verdict"])
        found: dict[str | None, dict[str, int]] = {}
        for row in rows.aggregate([("request_id", "count")]).to_pylist():
            of = found.setdefault(row["tenant"], dict.fromkeys(_VERDICTS, 0))
            of[row["verdict"]] = row["request_id_count"]
        return dict(sorted(found.items(), key=lambda item: item[0] or ""))

    @cached_property
    def counts(self) -> dict[str, int]:
        """Requests by verdict."""
        return {name: sum(of[name] for of in self.by_tenant.values()) for name in _VERDICTS}

    @property
    def pinned(self) -> int:
        """Requests that a promise covers."""
        return sum(self.counts[name] for name in _VERDICTS[:3])

    @cached_property
    def state(self) -> State:
        """What the counts say."""
        if self.counts["violating"]:
            return State.NOT_SATISFIED
        undecided = self.counts["unproven"] or not self.pinned
        return State.INCONCLUSIVE if undecided else State.SATISFIED

    @property
    def reason(self) -> str:
        """One sentence: the value, its limit, the unit."""
        if not self.promises:
            return "No promise is configured: there is nothing to hold the requests against."
        if not self.pinned:
            return "No request of a tenant with a promise lies in the window."
        left, short = self.counts["violating"], self.counts["unproven"]
        said = f"{left} of {self.pinned} requests left their promised residency; the limit is 0."
        if self.intervals:
            said += f" Longest: {self._told(max(self.intervals, key=lambda one: one.requests))}."
        if short:
            weakest = f"{self.grade.set_by}, {self.grade.value}"
            said += f" {short} are unproven; the weakest link is {weakest}."
        return said

    def _told(self, one: Interval) -> str:
        """An interval as a clause: when, how long, and which share it was."""
        start = moment(one.start).strftime("%Y-%m-%d %H:%M")
        return (
            f"{one.tenant} on {start} UTC for {one.duration_s // 60} min, {one.requests} requests, "
            f"{one.interval_share_ppm / 10_000:.1f} % of its requests then and "
            f"{one.week_share_ppm / 10_000:.1f} % of its week"
        )

    @cached_property
    def promised(self) -> pa.Table:
        """The `requests` rows that a promise covers."""
        rows = self.reduced["requests"]
        return rows.filter(pc.not_equal(rows["verdict"], "unrestricted"))

    @cached_property
    def grade(self) -> Grade:
        """The least strength on any promised request, path and derived state together."""
        path, state = self._least("path_strength"), self._least("derived_strength")
        value = min((one for one in (path, state) if one is not None), default="R0")
        touched = [t for t in self.touches if t["tenant_key"] and f"R{t['strength']}" == value]
        size = itemgetter("requests")
        worst = max(touched, key=size, default=None)
        if worst is None:
            return Grade(value, "no request with a promise")
        kind = "derived state" if worst["surface"] in DERIVED else "path"
        return Grade(value, f"{worst['surface']} {worst['provider'] or 'without a term'} ({kind})")

    @cached_property
    def touches(self) -> list[dict[str, Any]]:
        """Requests per place with what its term says, in a fixed order."""
        terms = {term["term"]: term for term in self.reduced["terms"].to_pylist()}
        unsaid = dict.fromkeys(DETAILS)
        rows = [
            {**row, **{name: terms.get(row["term"], unsaid)[name] for name in DETAILS}}
            for row in self.reduced["touches"].to_pylist()
        ]
        return sorted(rows, key=lambda row: tuple(str(cell) for cell in row.values()))

    @cached_property
    def parties(self) -> list[Party]:
        """Who stands behind the hops of promised requests."""
        return parties(self.touches, self.reduced["adequacy"].to_pylist(), self.promises)

    @cached_property
    def intervals(self) -> list[Interval]:
        """Contiguous intervals of violating requests."""
        return intervals(self.reduced["requests"], self.interval_gap_s)

    @cached_property
    def inventory(self) -> list[dict[str, Json]]:
        """Six surfaces per pipeline."""
        names = self.reduced["pipelines"]["pipeline"].to_pylist()
        return inventory(names, self.reduced["terms"].to_pylist(), self.window)

    def observations(self) -> Iterator[Observation]:
        """Intervals, then violating requests, then the weakest unproven ones."""
        for one in self.intervals:
            yield one.observation(self._label(one.tenant, one.start) or "none")
        requests = self.reduced["requests"]
        yield from violating(requests, self.promises, self.observations_up_to)
        yield from unproven(requests, self.minimums, self.unproven_up_to)

    def measures(self) -> dict[str, int | None]:
        """Counts, the two grades, and how much of the path has evidence of its own."""
        exposed = self._decided_by("prompt_cache")
        path, state = self._least("path_strength"), self._least("derived_strength")
        return {
            "requests": sum(self.counts.values()),
            "pinned_requests": self.pinned,
            **self.counts,
            "intervals": len(self.intervals),
            "path_strength": None if path is None else int(path[1:]),
            "derived_strength": None if state is None else int(state[1:]),
            "cache_exposed": exposed,
            "path_coverage_ppm": self._coverage(),
            "missing_surfaces": sum(row["state"] == "missing" for row in self.inventory),
            "needs_basis": sum(party.basis == "needs-basis" for party in self.parties),
        }

    def tables(self) -> dict[str, Json]:
        """The tables of the control's page."""
        return {
            "tenants": [
                {
                    "tenant": name,
                    "promise": self._label(name, self.window.end_us - 1),
                    "requests": sum(of.values()),
                    **{verdict: of[verdict] for verdict in _VERDICTS[:3]},
                }
                for name, of in self.by_tenant.items()
            ],
            "intervals": [one.document() for one in self.intervals],
            "surfaces": surfaces(self.touches),
            "parties": [party.document() for party in self.parties],
            "inventory": list(self.inventory),
        }

    def sentences(self) -> Iterator[str]:
        """What the evidence could not show."""
        rows = {name: _counted(self.reduced[name]) for name in ("touched", "stray")}
        located = self.reduced["located"]["rows"][0].as_py()
        yield from not_examined(self.inventory, self.touches, rows["touched"], located)
        nameless = pc.sum(self.reduced["pipelines"]["nameless"]).as_py() or 0
        if nameless:
            yield f"{nameless} calls name no tenant: no promise could be applied to them."
        for surface, stray in rows["stray"].items():
            yield f"{stray} records of {surface} belong to no request of this window's calls."
        left = self.counts["violating"] - self.observations_up_to
        if left > 0:
            yield f"{left} more violating requests are in the requests table only."

    def _label(self, tenant: str | None, at: int) -> str | None:
        promise = promised_at(self.promises, tenant or "", at)
        return None if promise is None else promise.label

    def _least(self, column: str) -> str | None:
        least: str | None = pc.min(self.promised[column]).as_py()
        return least

    def _decided_by(self, surface: str) -> int:
        failed = pc.is_in(self.promised["verdict"], pa.array(["violating", "unproven"]))
        by = pc.equal(self.promised["set_by"], surface)
        return pc.sum(pc.and_(failed, by)).as_py() or 0

    def _coverage(self) -> int | None:
        of = [t for t in self.touches if t["tenant_key"] and t["surface"] not in DERIVED]
        total = sum(t["requests"] for t in of)
        proven = sum(t["requests"] for t in of if t["strength"] >= _PROVES)
        return proven * PPM // total if total else None


def _counted(table: pa.Table) -> dict[str, int]:
    pairs = zip(table["surface"].to_pylist(), table["rows"].to_pylist(), strict=True)
    return dict(sorted(pairs))
