"""Violating requests as contiguous intervals: from when to when, how much of it, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.canonical import Json
from countersign.controls._residency_verdict import CAUSE
from countersign.model import PPM, US_PER_SECOND, Observation, rfc3339


@dataclass(frozen=True, slots=True)
class Interval:
    """One span in which a tenant's requests left the promise; `start` and `end` are requests."""

    tenant: str
    start: int
    end: int
    requests: int
    interval_requests: int
    week_requests: int
    cause: str

    @property
    def duration_s(self) -> int:
        """Whole seconds between the first and the last violating request."""
        return (self.end - self.start) // US_PER_SECOND

    @property
    def interval_share_ppm(self) -> int:
        """Violating requests per million requests of the tenant inside the interval."""
        return self.requests * PPM // self.interval_requests

    @property
    def week_share_ppm(self) -> int:
        """Violating requests of the interval per million requests of the tenant in the window."""
        return self.requests * PPM // self.week_requests

    def document(self) -> dict[str, Json]:
        """A row of the packet's table."""
        return {
            "tenant": self.tenant,
            "start": rfc3339(self.start),
            "end": rfc3339(self.end),
            "duration_s": self.duration_s,
            "requests": self.requests,
            "interval_requests": self.interval_requests,
            "interval_share_ppm": self.interval_share_ppm,
            "week_requests": self.week_requests,
            "week_share_ppm": self.week_share_ppm,
            "cause": self.cause,
        }

    def observation(self, promised: str) -> Observation:
        """The interval as an exception of its tenant."""
        return Observation(
            subject=self.tenant,
            fact="out-of-region-interval",
            expected=f"in {promised}",
            observed=self.cause,
            holds=False,
            measures={
                "requests": self.requests,
                "interval_requests": self.interval_requests,
                "interval_share_ppm": self.interval_share_ppm,
                "week_requests": self.week_requests,
                "week_share_ppm": self.week_share_ppm,
                "duration_s": self.duration_s,
            },
            since_us=self.start,
            until_us=self.end,
        )


def intervals(requests: pa.Table, gap_s: int) -> list[Interval]:
    """The contiguous intervals of `requests` (in order of tenant and time), most hit first.

    An interval goes on while no compliant request of the tenant lies between two violating ones,
    or while they are at most `gap_s` apart.
    """
    rows = _numbered(requests, gap_s)
    spans = rows.group_by(["tenant", "interval"]).aggregate(
        [("us", "min"), ("us", "max"), ("position", "min"), ("position", "max"), ("us", "count")]
    )
    causes = _causes(rows)
    weeks = dict(zip(*(c.to_pylist() for c in _weeks(requests)), strict=True))
    found = [
        Interval(
            tenant=span["tenant"],
            start=span["us_min"],
            end=span["us_max"],
            requests=span["us_count"],
            interval_requests=span["position_max"] - span["position_min"] + 1,
            week_requests=weeks[span["tenant"]],
            cause=causes[span["tenant"], span["interval"]],
        )
        for span in spans.to_pylist()
    ]
    return sorted(found, key=lambda one: (-one.requests, one.tenant, one.start))


def cause(row: Mapping[str, Any]) -> str:
    """Why one request left, in the words of its own columns."""
    if row["ran"] is None:
        return f"{row['set_by']} outside the promise"
    configured = row["configured"] or "no region"
    said = f"configured {configured}, ran in {row['ran']}"
    if row["asked"] is not None and row["asked"] != row["used"]:
        return f"{said}: fallback from {row['asked']}"
    return said


def _numbered(requests: pa.Table, gap_s: int) -> pa.Table:
    """Violating rows with `position` among all rows, and the number of their `interval`."""
    verdict = requests["verdict"]
    compliant = np.cumsum(pc.equal(verdict, "compliant").to_numpy())
    position = np.flatnonzero(pc.equal(verdict, "violating").to_numpy())
    hit = requests.take(pa.array(position))
    at = pc.cast(hit["at"], pa.int64())
    tenant = hit["tenant"].combine_chunks()
    other = pc.not_equal(tenant[1:], tenant[:-1]).to_numpy(zero_copy_only=False)
    apart = np.diff(at.to_numpy()) > gap_s * US_PER_SECOND
    parted = (np.diff(compliant[position]) > 0) & apart | other
    interval = np.concatenate(([0], np.cumsum(parted)))[: len(position)]
    columns = {"us": at, "position": pa.array(position), "interval": pa.array(interval)}
    for name, values in columns.items():
        hit = hit.append_column(name, values)
    return hit


def _weeks(requests: pa.Table) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    counted = requests.group_by("tenant").aggregate([("request_id", "count")])
    return counted["tenant"], counted["request_id_count"]


def _causes(rows: pa.Table) -> dict[tuple[str, int], str]:
    """The most frequent cause of each interval; of equally frequent ones the first by name."""
    counted = rows.group_by(["tenant", "interval", "set_by", *CAUSE]).aggregate([("us", "count")])
    ranked = sorted(counted.to_pylist(), key=cause, reverse=True)
    ranked.sort(key=lambda row: row["us_count"])
    return {(row["tenant"], row["interval"]): cause(row) for row in ranked}
