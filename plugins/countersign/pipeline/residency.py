"""From the residency finding's relations to the records that are sealed hour by hour.

A request is named by a salted commitment, SHA-256(salt || request id); the salt stays in the
lake and opens exactly one request on demand.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pyarrow.compute as pc

from countersign.attest import hours
from countersign.attest.residency import Derived, Hop, Policy, Request, Resource
from countersign.canonical import digest, encode
from countersign.lake.salts import Salts
from countersign.model import Strength, Window, instant
from countersign.pipeline.assess import findings
from countersign.pipeline.findings import Kept
from countersign.pipeline.workspace import Workspace

CONTROL = "data-residency"
Row = Mapping[str, Any]


def finding(ws: Workspace, window: Window) -> Kept | None:
    """The residency finding of a window, when it left the hops of its requests."""
    kept = findings(ws).latest(window, CONTROL)
    if kept is None or not (kept.folder / "hops.parquet").exists():
        return None
    return kept


def is_complete(kept: Kept) -> bool:
    """Whether every request left its hops; a large window keeps only the most telling ones."""
    hops = kept.relation("hops")["request_id"].unique()
    return bool(len(hops) == kept.relation("requests").num_rows)


def commitment(salt: bytes, request_id: str) -> str:
    """The name under which a request is sealed."""
    return hashlib.sha256(salt + request_id.encode()).hexdigest()


def requests(ws: Workspace, kept: Kept, hour: str | None = None) -> dict[str, Request]:
    """The residency facts of every request of the window, or of one hour, by request id."""
    judged, hops = kept.relation("requests"), kept.relation("hops")
    if hour is not None:
        start = datetime.fromisoformat(hour)
        end = start + timedelta(hours=1)
        judged = judged.filter((pc.field("at") >= start) & (pc.field("at") < end))
        hops = hops.filter(pc.field("request_id").isin(judged["request_id"].to_pylist()))
    verdicts = {row["request_id"]: row for row in judged.to_pylist()}
    hops = hops.sort_by([("request_id", "ascending"), ("seq", "ascending")])
    parameters = kept.finding["parameters"]
    salts = _salts(ws.lake.salts, verdicts)
    return {
        request_id: _request(verdicts[request_id], list(rows), parameters, salts[request_id])
        for request_id, rows in groupby(hops.to_pylist(), key=lambda row: row["request_id"])
    }


def by_hour(
    found: Mapping[str, Request], window: Window
) -> Iterator[tuple[str, list[hours.Record]]]:
    """Every hour of the window with its records; an hour without requests is there, empty."""
    sorted_out: dict[str, list[hours.Record]] = {}
    for request in found.values():
        record = request.record()
        sorted_out.setdefault(hours.hour_of(record.at), []).append(record)
    for day in window.days():
        for hour in range(24):
            name = f"{day}T{hour:02d}:00:00Z"
            yield name, sorted_out.get(name, [])


def logged_version(entry: bytes) -> tuple[int, str | None]:
    """Version of an hour's log entry, and the digest of the entry it supersedes."""
    document = json.loads(entry)
    return document["version"], document["supersedes"]


def _salts(salts: Salts, verdicts: Mapping[str, Row]) -> dict[str, bytes]:
    days: dict[str, list[str]] = {}
    for request_id, row in verdicts.items():
        days.setdefault(row["at"].date().isoformat(), []).append(request_id)
    found: dict[str, bytes] = {}
    for day, names in sorted(days.items()):
        found |= salts.request_salts(day, sorted(names))
    return found


def _request(verdict: Row, rows: list[Row], parameters: Mapping[str, Any], salt: bytes) -> Request:
    hops = tuple(_hop(row) for row in rows if not row["derived"])
    gaps = [
        (f"hop {seq} ({hop.role})", "no evidence of where it was")
        for seq, hop in enumerate(hops)
        if hop.strength is Strength.R0
    ]
    return Request(
        tenant=verdict["tenant"] or "",
        at_us=instant(verdict["at"]),
        request=commitment(salt, verdict["request_id"]),
        policy=policy(verdict["tenant"], parameters),
        verdict=verdict["verdict"],
        hops=hops,
        derived=tuple(_derived(row) for row in rows if row["derived"]),
        gaps=tuple(gaps),
    )


def policy(tenant: str | None, parameters: Mapping[str, Any]) -> Policy:
    """What a tenant was promised, by the parameters of the finding."""
    own = [p for p in parameters["promises"] if p["tenant"] == tenant]
    if not own:
        return Policy(name="no promise of residency")
    named = "; ".join(" or ".join(p["jurisdictions"]) for p in own)
    return Policy(name=f"residency of {tenant}: {named}", sha256=digest(encode(own)))


def _hop(row: Row) -> Hop:
    return Hop(
        role=row["surface"],
        strength=Strength(row["strength"]),
        operator=row["operator"] or row["provider"],
        jurisdiction=row["jurisdiction"],
        region=row["region"],
        legal_reach=row["operator_parent_jurisdiction"],
        status=row["status"],
        evidence=_evidence(row),
    )


def _derived(row: Row) -> Derived:
    return Derived(
        kind=row["surface"],
        strength=Strength(row["strength"]),
        operator=row["operator"] or row["provider"],
        jurisdiction=row["jurisdiction"],
        region=row["region"],
        evidence=_evidence(row),
    )


def _evidence(row: Row) -> tuple[Resource, ...]:
    if not row["page_digest"]:
        return ()
    return (Resource(row["evidence"] or "record", sha256=row["page_digest"]),)
