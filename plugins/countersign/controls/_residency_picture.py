"""The one request that is drawn: which it is, and its hops as the picture wants them."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from countersign.canonical import Json
from countersign.controls._residency_exception import weakest_first
from countersign.model import instant, rfc3339

_LABELS: Final = {
    "gateway": "Gateway",
    "query_embedding": "Embedding",
    "vector_store": "Vectors",
    "reranker": "Reranker",
    "inference": "Model",
    "prompt_cache": "Cache",
    "trace_store": "Traces",
    "log_store": "Logs",
    "abuse_store": "Abuse store",
    "backup": "Backup",
}


def picture(requests: pa.Table, hops: pa.Table) -> dict[str, Json]:
    """The most telling request: most jurisdictions if violating, weakest if unproven, else longest.

    Equally telling ones: the earliest, then the first by id. Empty when no hops were kept.
    """
    named = most_telling(requests, hops)
    if named is None:
        return {}
    rows = hops.filter(pc.equal(hops["request_id"], named)).sort_by("seq").to_pylist()
    attempts = sum(row["surface"] == "inference" for row in rows)
    weakest = min(rows, key=lambda row: (row["strength"], row["seq"]))
    return {
        "request": named,
        "tenant": rows[0]["tenant"],
        "at": rfc3339(min(instant(row["at"]) for row in rows)),
        "hops": [_drawn(row, attempts) for row in rows],
        "weakest": weakest["seq"],
    }


def most_telling(requests: pa.Table, hops: pa.Table) -> str | None:
    """The id of the request to draw, of those whose hops were kept."""
    kept = requests.filter(pc.is_in(requests["request_id"], pc.unique(hops["request_id"])))
    for verdict in ("violating", "unproven", "compliant", "unrestricted"):
        of = kept.filter(pc.equal(kept["verdict"], verdict))
        if of.num_rows:
            if verdict == "unproven":
                return str(weakest_first(of)["request_id"][0].as_py())
            return _widest(of, hops, verdict)
    return None


def _widest(of: pa.Table, hops: pa.Table, verdict: str) -> str:
    counted = "jurisdiction" if verdict == "violating" else "seq"
    rows = hops.filter(pc.is_in(hops["request_id"], of["request_id"]))
    sizes = rows.group_by("request_id").aggregate([(counted, "count_distinct")])
    sized = of.join(sizes, "request_id")
    wide = (f"{counted}_count_distinct", "descending")
    keys = [wide, ("at", "ascending"), ("request_id", "ascending")]
    best = pc.select_k_unstable(sized, k=1, sort_keys=keys)
    return str(sized["request_id"][best[0].as_py()].as_py())


def _drawn(row: dict[str, Any], attempts: int) -> dict[str, Json]:
    label = _LABELS.get(row["surface"], row["surface"])
    if row["surface"] == "inference" and attempts > 1:
        label = f"{label}, attempt {row['attempt']}"
    return {
        "seq": row["seq"],
        "surface": row["surface"],
        "label": label,
        "jurisdiction": row["jurisdiction"],
        "region": row["region"],
        "operator": row["operator"] or row["provider"],
        "operator_parent": row["operator_parent_jurisdiction"],
        "strength": row["strength"],
        "status": row["status"],
        "derived": row["derived"],
        "violating": row["outside"],
    }
