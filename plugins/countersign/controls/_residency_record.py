"""The residency record of one request, and the summary of a tenant's window: what is attested.

Field names follow the predicate `urn:countersign:attestation:llm-data-residency:v0.1`. Records
hold no text, no user and no id of a request: a request is named by the commitment handed in.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from countersign.canonical import Json
from countersign.model import US_PER_DAY, Window, instant, rfc3339

Row = Mapping[str, Any]
_NOWHERE = "R0"


def request_record(commitment: str, hops: Iterable[Row], verdict: str) -> dict[str, Json]:
    """The record of one request from its rows of the `hops` relation. Pure, order-free.

    `verdict` is the request's in the `requests` relation. Every hop without evidence is repeated
    in `gaps`: it is shown, never dropped.
    """
    rows = sorted(hops, key=lambda row: row["seq"])
    path = [row for row in rows if not row["derived"]]
    state = [row for row in rows if row["derived"]]
    return {
        "request": commitment,
        "tenant": rows[0]["tenant"] if rows else None,
        "at": _time(min(row["at"] for row in rows)) if rows else None,
        "hops": [_hop(row) for row in path],
        "derivedState": [_state(row) for row in state],
        "gaps": [_gap(row) for row in rows if row["strength"] == _NOWHERE],
        "result": {"verdict": verdict, "path": _weakest(path), "derivedState": _weakest(state)},
    }


def window_record(
    tenant: str | None,
    window: Window,
    requests: Iterable[Row],
    intervals: Sequence[Mapping[str, Json]] = (),
) -> dict[str, Json]:
    """The summary of a tenant's requests (of all tenants if None) from `requests` rows. Pure."""
    counts = dict.fromkeys(("compliant", "violating", "unproven", "unrestricted"), 0)
    path, state = [], []
    for row in requests:
        if tenant in (None, row["tenant"]):
            counts[row["verdict"]] += 1
            path.append(row["path_strength"])
            state.append(row["derived_strength"])
    return {
        "tenant": tenant,
        "window": {"start": rfc3339(window.start_us), "end": rfc3339(window.end_us)},
        "requests": sum(counts.values()),
        "compliant": counts["compliant"],
        "violating": counts["violating"],
        "unproven": counts["unproven"],
        "unrestricted": counts["unrestricted"],
        "intervals": [dict(one) for one in intervals if tenant in (None, one["tenant"])],
        "result": {
            "verdict": _summary(counts),
            "path": min(path, default=None),
            "derivedState": min((s for s in state if s is not None), default=None),
        },
    }


def _hop(row: Row) -> dict[str, Json]:
    return {
        "seq": row["seq"],
        "role": row["surface"],
        "jurisdiction": row["jurisdiction"],
        "region": row["region"],
        "operator": row["operator"] or row["provider"],
        "legalReach": row["operator_parent_jurisdiction"],
        "keyCustody": row.get("key_custody"),
        "strength": row["strength"],
        "status": row["status"],
        "evidence": _evidence(row),
    }


def _state(row: Row) -> dict[str, Json]:
    kept, created = row.get("lifetime_days"), _instant(row["at"])
    return {
        "seq": row["seq"],
        "kind": row["surface"],
        "jurisdiction": row["jurisdiction"],
        "operator": row["operator"] or row["provider"],
        "legalReach": row["operator_parent_jurisdiction"],
        "strength": row["strength"],
        "createdAt": rfc3339(created),
        "expiresAt": None if kept is None else rfc3339(created + kept * US_PER_DAY),
        "evidence": _evidence(row),
    }


def _evidence(row: Row) -> list[Json]:
    """Resource descriptors: the class of evidence, and the digest of the page that holds it."""
    if row["evidence"] is None:
        return []
    named: dict[str, Json] = {"name": row["evidence"]}
    if row["page_digest"]:
        named["digest"] = {"sha256": row["page_digest"]}
    return [named]


def _gap(row: Row) -> dict[str, Json]:
    where = "no region is stated" if row["region"] is None else f"no term places {row['region']}"
    found = row["jurisdiction"] is not None
    reason = "a place is stated without evidence" if found else where
    return {"seq": row["seq"], "role": row["surface"], "reason": reason}


def _weakest(rows: Sequence[Row]) -> dict[str, Json] | None:
    if not rows:
        return None
    set_by = min(rows, key=lambda row: (row["strength"], row["seq"]))
    return {"strength": set_by["strength"], "setBy": set_by["seq"]}


def _summary(counts: Mapping[str, int]) -> str:
    order = ("violating", "unproven", "compliant", "unrestricted")
    return next((verdict for verdict in order if counts[verdict]), "unrestricted")


def _instant(at: datetime | int) -> int:
    return at if isinstance(at, int) else instant(at)


def _time(at: datetime | int) -> str:
    return rfc3339(_instant(at))
