"""From what the residency finding left to the records that are sealed hour by hour.

A request is named by a salted commitment, SHA-256(salt || request id); the salt stays in the
lake and opens exactly one request on demand. The hops lie in pieces: one at a time is in memory,
however large the week.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from countersign.attest import hours
from countersign.attest.residency import Derived, Hop, Policy, Request, Resource
from countersign.canonical import digest, encode
from countersign.errors import EvidenceError
from countersign.lake.salts import Salts
from countersign.model import Strength, Window, instant
from countersign.pipeline.assess import findings
from countersign.pipeline.findings import Kept
from countersign.pipeline.workspace import Workspace

CONTROL = "data-residency"
ERASED = "erased:"
_HOPS = "hops"
_HOUR = len("2026-11-09T10")
_COLUMNS = (
    "request_id",
    "derived",
    "surface",
    "strength",
    "operator",
    "provider",
    "jurisdiction",
    "region",
    "operator_parent_jurisdiction",
    "status",
    "evidence",
    "page_digest",
)
"""What is sealed of a hop."""
Row = Mapping[str, Any]


def finding(ws: Workspace, window: Window) -> Kept | None:
    """The residency finding of a window, when it left the verdicts of its requests."""
    kept = findings(ws).latest(window, CONTROL)
    if kept is None or not (kept.folder / "requests.parquet").exists():
        return None
    return kept


def commitment(salt: bytes, request_id: str) -> str:
    """The name under which a request is sealed."""
    if request_id.startswith(ERASED):
        return request_id.removeprefix(ERASED)
    return hashlib.sha256(salt + request_id.encode()).hexdigest()


def erased_names(salts: Salts, day: str, requests: Iterable[str]) -> dict[str, str]:
    """The names of erased requests in a finding's relations: those of their sealed records.

    A request without a salt was never sealed; it has none here.
    """
    known = salts.known_request_salts(day)
    return {
        request: ERASED + commitment(known[request], request)
        for request in requests
        if request in known
    }


def requests(ws: Workspace, kept: Kept, hour: str) -> dict[str, Request]:
    """The residency facts of every request of an hour, by request id."""
    judged = _judged_in(kept.relation("requests"), hour)
    salts = _salts(ws.lake.salts, judged)
    return _requests(judged, _read(_piece(kept, hour)), kept.finding["parameters"], salts)


def by_hour(ws: Workspace, kept: Kept, window: Window) -> Iterator[tuple[str, list[hours.Record]]]:
    """Every hour of the window with its records; an hour without requests is there, empty."""
    names = [f"{day}T{hour:02d}:00:00Z" for day in window.days() for hour in range(24)]
    everything, parameters = kept.relation("requests"), kept.finding["parameters"]
    for file, inside in groupby(names, key=lambda hour: _piece(kept, hour)):
        hops = _read(file)
        judged = {hour: _judged_in(everything, hour) for hour in inside}
        salts = _salts(ws.lake.salts, pa.concat_tables(judged.values()))
        for hour, rows in judged.items():
            found = _requests(rows, hops, parameters, salts)
            yield hour, [request.record() for request in found.values()]


def logged_version(entry: bytes) -> tuple[int, str | None]:
    """Version of an hour's log entry, and the digest of the entry it supersedes."""
    document = json.loads(entry)
    return document["version"], document["supersedes"]


def _piece(kept: Kept, hour: str) -> Path | None:
    """The last piece that starts no later than an hour: nothing of the hour lies elsewhere."""
    started = [file for file in kept.pieces(_HOPS) if file.stem <= hour[:_HOUR]]
    return started[-1] if started else None


def _read(piece: Path | None) -> pa.Table | None:
    """The hops of a piece, in order."""
    return None if piece is None else pq.read_table(piece, columns=list(_COLUMNS))


def _judged_in(judged: pa.Table, hour: str) -> pa.Table:
    start = datetime.fromisoformat(hour)
    return judged.filter((pc.field("at") >= start) & (pc.field("at") < start + timedelta(hours=1)))


def _requests(
    judged: pa.Table, hops: pa.Table | None, parameters: Row, salts: Mapping[str, bytes]
) -> dict[str, Request]:
    if not judged.num_rows:
        return {}
    verdicts = {row["request_id"]: row for row in judged.to_pylist()}
    ids = judged["request_id"].combine_chunks()
    rows = () if hops is None else _rows(hops.filter(pc.is_in(hops["request_id"], ids)))
    promised = {tenant: policy(tenant, parameters) for tenant in set(judged["tenant"].to_pylist())}
    found = {}
    for name, of in groupby(rows, key=itemgetter(0)):
        verdict = verdicts[name]
        parts = [_part(*row) for _, *row in of]
        found[name] = _request(verdict, parts, promised[verdict["tenant"]], salts[name])
    if lacking := sorted(verdicts.keys() - found.keys()):
        raise EvidenceError(
            f"hops of request {lacking[0]}",
            expected="kept with the residency finding",
            observed=f"none, as for {len(lacking)} requests of its hour",
            remedy="Assess data-residency again.",
        )
    return found


def _salts(salts: Salts, judged: pa.Table) -> dict[str, bytes]:
    days: dict[str, list[str]] = {}
    found: dict[str, bytes] = {}
    for row in judged.select(["request_id", "at"]).to_pylist():
        if row["request_id"].startswith(ERASED):
            found[row["request_id"]] = b""  # its name is that of its record already
        else:
            days.setdefault(row["at"].date().isoformat(), []).append(row["request_id"])
    for day, names in sorted(days.items()):
        found |= salts.request_salts(day, sorted(names))
    return found


def _rows(hops: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(hops[name].to_pylist() for name in _COLUMNS), strict=True)


def _request(
    verdict: Row, parts: Sequence[Hop | Derived], promised: Policy, salt: bytes
) -> Request:
    hops = tuple(part for part in parts if isinstance(part, Hop))
    gaps = [
        (f"hop {seq} ({hop.role})", "no evidence of where it was")
        for seq, hop in enumerate(hops)
        if hop.strength is Strength.R0
    ]
    return Request(
        tenant=verdict["tenant"] or "",
        at_us=instant(verdict["at"]),
        request=commitment(salt, verdict["request_id"]),
        policy=promised,
        verdict=verdict["verdict"],
        hops=hops,
        derived=tuple(part for part in parts if isinstance(part, Derived)),
        gaps=tuple(gaps),
    )


def policy(tenant: str | None, parameters: Row) -> Policy:
    """What a tenant was promised, by the parameters of the finding."""
    own = [p for p in parameters["promises"] if p["tenant"] == tenant]
    if not own:
        return Policy(name="no promise of residency")
    named = "; ".join(" or ".join(p["jurisdictions"]) for p in own)
    return Policy(name=f"residency of {tenant}: {named}", sha256=digest(encode(own)))


@lru_cache(maxsize=4_096)
def _part(*values: Any) -> Hop | Derived:
    """A row of the hops as a part of a record; most requests share theirs."""
    row = dict(zip(_COLUMNS[1:], values, strict=True))
    return _derived(row) if row["derived"] else _hop(row)


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
