"""Grades of a residency statement, derived from its parts: the weakest link, and its name."""

from collections.abc import Sequence
from typing import Final

from countersign.attest import document
from countersign.attest.document import Document
from countersign.canonical import Json
from countersign.errors import VerificationError
from countersign.model import Strength

VERDICTS: Final = ("compliant", "violating", "unproven", "unrestricted")


def check(facts: Document) -> tuple[str, str, str]:
    """Derive the grades again and return verdict, path grade and derived-state grade as text.

    Raises:
        VerificationError: a grade is not the minimum over its parts, a hop of unknown place is
            not named as a gap, or a verdict is compliant below the required strength.
    """
    thing = "residency"
    result = document.mapping(facts, "result", thing)
    verdict = document.text(result, "verdict", thing)
    if verdict not in VERDICTS:
        raise VerificationError(
            f"{thing} verdict", expected=" or ".join(VERDICTS), observed=verdict
        )
    hops = document.mappings(facts, "hops", thing)
    derived = document.mappings(facts, "derivedState", thing)
    found = grades(hops, derived)
    for name, grade in found.items():
        if result.get(name) != grade:
            raise VerificationError(
                f"{thing} result, {name}", expected=str(grade), observed=str(result.get(name))
            )
    _check_gaps(unknown_parts(hops, derived), document.mappings(facts, "gaps", thing))
    if verdict == "compliant":
        _check_minimum(document.mapping(facts, "policy", thing), found)
    return verdict, _sentence(found["path"]), _sentence(found["derivedState"])


def grades(hops: Sequence[Document], derived: Sequence[Document]) -> dict[str, dict[str, Json]]:
    """Strength and the part that set it, for the processing path and for derived state."""
    return {
        "path": _weakest([(_strength(hop), hop_name(hop)) for hop in hops]),
        "derivedState": _weakest([(_strength(item), _derived_name(item)) for item in derived]),
    }


def hop_name(hop: Document) -> str:
    """How a hop is named in grades and gaps: `hop 2 (inference)`."""
    return f"hop {document.integer(hop, 'seq', 'hop')} ({document.text(hop, 'role', 'hop')})"


def unknown_parts(hops: Sequence[Document], derived: Sequence[Document]) -> list[str]:
    """Names of the parts whose place nothing says (R0): each must be named as a gap."""
    parts = [*map(hop_name, hops), *map(_derived_name, derived)]
    strengths = map(_strength, (*hops, *derived))
    return [p for p, s in zip(parts, strengths, strict=True) if s is Strength.R0]


def _strength(part: Document) -> Strength:
    text = document.text(part, "strength", "hop or derived state")
    if text not in {strength.value for strength in Strength}:
        raise VerificationError("strength of evidence", expected="R0 to R5", observed=text)
    return Strength(text)


def _weakest(parts: Sequence[tuple[Strength, str]]) -> dict[str, Json]:
    if not parts:
        return {"strength": None, "setBy": "nothing recorded"}
    strength, name = min(parts, key=lambda part: part[0].value)
    return {"strength": strength.value, "setBy": name}


def _check_gaps(unknown: Sequence[str], gaps: Sequence[Document]) -> None:
    named = {document.text(gap, "part", "gap") for gap in gaps}
    for part in unknown:
        if part not in named:
            raise VerificationError(
                "residency gaps", expected=f"{part}, whose place is unknown", observed="not named"
            )


def _derived_name(item: Document) -> str:
    return document.text(item, "kind", "derived state")


def _check_minimum(policy: Document, found: dict[str, dict[str, Json]]) -> None:
    minimum = document.mapping(policy, "minimumStrength", "residency policy")
    for name, grade in found.items():
        required = document.text(minimum, name, "residency policy")
        observed = grade["strength"]
        if name == "derivedState" and observed is None:
            continue  # nothing was derived
        if not isinstance(observed, str) or observed < required:
            raise VerificationError(
                f"residency verdict compliant, {name}",
                expected=f"evidence of strength {required} or more",
                observed=f"{observed}, set by {grade['setBy']}",
            )


def _sentence(grade: Document) -> str:
    return f"{grade['strength'] or 'ungraded'}, set by {grade['setBy']}"
