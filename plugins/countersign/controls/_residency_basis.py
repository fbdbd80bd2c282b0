"""Who stands behind the hops of promised traffic: legal reach, transfer basis, custody of keys."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from countersign.canonical import Json
from countersign.controls._residency_promise import ALWAYS, EU, Promise, promised_at
from countersign.model import State, instant

INSIDE: Final = "inside the promise"
NEEDS_BASIS: Final = "needs-basis"
UNKNOWN: Final = "parent not stated"
_UNION: Final = Promise("", (EU,), ALWAYS)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Party:
    """One operator behind one surface for one tenant, and what lets its parent's state reach in."""

    tenant: str
    surface: str
    provider: str | None
    operator: str | None
    parent: str | None
    custody: str | None
    basis: str
    requests: int

    def document(self) -> dict[str, Json]:
        """A row of the packet's table."""
        return {
            "tenant": self.tenant,
            "surface": self.surface,
            "provider": self.provider,
            "operator": self.operator,
            "operator_parent": self.parent,
            "key_custody": self.custody,
            "basis": self.basis,
            "requests": self.requests,
        }


def parties(
    touches: Sequence[Row], adequacy: Sequence[Row], promises: Sequence[Promise]
) -> list[Party]:
    """The parties behind tenants' promised traffic, each judged by the adequacy of its era."""
    counts: dict[tuple[Any, ...], int] = {}
    for touch in touches:
        promise = promised_at(promises, touch["tenant_key"], instant(touch["era_start"]))
        if promise is not None:
            key = _key(touch, basis(touch, adequacy, promise))
            counts[key] = counts.get(key, 0) + touch["requests"]
    order = sorted(counts, key=lambda key: tuple(str(part) for part in key))
    return [Party(*(*key, counts[key])) for key in order]


def basis(touch: Row, adequacy: Sequence[Row], promise: Promise) -> str:
    """Why the operator's parent may be reached: its own place, or a mechanism that is in force.

    A mechanism that the surface's term names holds by itself, unless dated adequacy terms exist
    for it: then one of them must be in force.
    """
    at, parent = instant(touch["era_start"]), touch["operator_parent_jurisdiction"]
    if parent is None:
        return UNKNOWN
    if promise.inside(parent, at):
        return INSIDE
    named = touch["transfer_mechanism"]
    dated = {term["mechanism"] for term in adequacy}
    if named and named not in dated:
        return str(named)
    return next(_in_force(touch, adequacy, promise), NEEDS_BASIS)


def sovereignty(found: Sequence[Party]) -> str:
    """`needs-basis` as soon as one parent lies outside without one; unknown parents decide less."""
    bases = {party.basis for party in found}
    if NEEDS_BASIS in bases:
        return NEEDS_BASIS
    undecided = UNKNOWN in bases or not bases
    return str(State.INCONCLUSIVE if undecided else State.SATISFIED)


def custody(found: Sequence[Party]) -> str:
    """Who holds the keys, where one answer fits all; else that it is mixed, or not stated."""
    stated = {party.custody for party in found}
    if None in stated or not stated:
        return "not stated"
    names = sorted(str(name) for name in stated)
    return names[0] if len(names) == 1 else f"mixed: {', '.join(names)}"


def _key(touch: Row, reason: str) -> tuple[Any, ...]:
    return (
        touch["tenant_key"],
        touch["surface"],
        touch["provider"],
        touch["operator"],
        touch["operator_parent_jurisdiction"],
        touch["key_custody"],
        reason,
    )


def _in_force(touch: Row, adequacy: Sequence[Row], promise: Promise) -> Iterator[str]:
    at = instant(touch["era_start"])
    sources = {*promise.jurisdictions, touch["jurisdiction"]}
    if any(code is not None and _UNION.inside(code, at) for code in sources):
        sources.add(EU)
    for term in sorted(adequacy, key=lambda term: str(term["mechanism"])):
        began, ends = instant(term["valid_from"]), term["valid_to"]
        covers = term["from_jurisdiction"] in sources
        reaches = term["to_jurisdiction"] == touch["operator_parent_jurisdiction"]
        named = touch["transfer_mechanism"] in (None, "", term["mechanism"])
        if covers and reaches and named and began <= at and (ends is None or at < instant(ends)):
            yield str(term["mechanism"])
