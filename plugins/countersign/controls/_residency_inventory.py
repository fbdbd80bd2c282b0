"""What the evidence could not show: surfaces that no term names, and kinds that are absent."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from countersign.canonical import Json
from countersign.controls._residency_term import DERIVED, NOT_USED
from countersign.model import Window, instant

SIX: Final = (
    "inference",
    "query_embedding",
    "vector_store",
    "reranker",
    "prompt_cache",
    "trace_store",
)
"""The surfaces that touch a customer's bytes; each is declared, or declared as not used."""
_TOUCHED: Final = ("query_embedding", "vector_store", "reranker")
Row = Mapping[str, Any]


def inventory(
    pipelines: Sequence[str], terms: Sequence[Row], window: Window
) -> list[dict[str, Json]]:
    """Each of the six surfaces of each pipeline: declared, not used, or missing."""
    providers: dict[tuple[str, str], set[str]] = {}
    for term in terms:
        ended = term["valid_to"] is not None and instant(term["valid_to"]) <= window.start_us
        if instant(term["valid_from"]) < window.end_us and not ended:
            key = (term["pipeline"], term["surface"])
            providers.setdefault(key, set()).add(term["provider"])
    return [
        {"pipeline": name, "surface": surface, "state": _state(providers.get((name, surface)))}
        for name in sorted(pipelines)
        for surface in SIX
    ]


def surfaces(touches: Sequence[Row]) -> list[Json]:
    """How many requests touched each place, whoever operates it."""
    names = ("surface", "provider", "region", "jurisdiction", "strength")
    counts: dict[tuple[Any, ...], int] = {}
    for touch in touches:
        key = tuple(touch[name] for name in names)
        counts[key] = counts.get(key, 0) + touch["requests"]
    return [
        {
            **dict(zip(names, key, strict=True)),
            "strength": f"R{key[-1]}",
            "requests": counts[key],
            "derived": key[0] in DERIVED,
        }
        for key in sorted(counts, key=lambda key: tuple(str(cell) for cell in key))
    ]


def not_examined(
    listed: Sequence[Mapping[str, Json]],
    touches: Sequence[Row],
    touched: Mapping[str, int],
    located: int,
) -> Iterator[str]:
    """A sentence for each thing that the evidence of this window could not show."""
    yield from _missing(listed)
    yield from _silent(listed, touched)
    yield from _unplaced(touches)
    if not touched:
        yield (
            "No surface_access: gateways are known by their terms alone (R1 at most), and no"
            " embedding, vector store, reranker or trace store is on any path."
        )
    if not located:
        yield (
            "No inference_location: where calls ran is known by configuration and terms alone"
            " (R1 at most)."
        )
    yield (
        "Hops are not chained by digests here: the finding says where each request went as far"
        " as records show, not that nothing else left."
    )


def _state(providers: set[str] | None) -> str:
    if not providers:
        return "missing"
    return "not used" if providers == {NOT_USED} else "declared"


def _missing(listed: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    for name in sorted({str(row["pipeline"]) for row in listed}):
        absent = _surfaces(listed, name, "missing")
        if absent:
            yield (
                f"Pipeline {name or 'without a name'}: no surface_term says where"
                f" {', '.join(absent)} is, or that it is not used; its inventory is incomplete."
            )


def _silent(listed: Sequence[Mapping[str, Json]], touched: Mapping[str, int]) -> Iterator[str]:
    for name in sorted({str(row["pipeline"]) for row in listed}):
        declared = _surfaces(listed, name, "declared")
        silent = [surface for surface in declared if surface in _TOUCHED and surface not in touched]
        if silent:
            yield (
                f"Pipeline {name}: {', '.join(silent)} is declared, but no surface_access"
                " records it; it is on no request's path."
            )


def _unplaced(touches: Sequence[Row]) -> Iterator[str]:
    counts: dict[tuple[str, str, str], int] = {}
    for row in touches:
        if row["jurisdiction"] is None and row["region"] is not None:
            key = (row["surface"], str(row["provider"]), row["region"])
            counts[key] = counts.get(key, 0) + row["requests"]
    for (surface, provider, region), requests in sorted(counts.items()):
        yield (
            f"{surface} {provider}, region {region}: no surface_term in force gives it a"
            f" jurisdiction; {requests} requests have a hop there."
        )


def _surfaces(listed: Sequence[Mapping[str, Json]], name: str, state: str) -> list[str]:
    return [
        str(row["surface"]) for row in listed if row["pipeline"] == name and row["state"] == state
    ]
