"""in-toto Statement v1: what is said (predicate) about which artifacts (subjects, by digest)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from countersign import canonical
from countersign.attest import document
from countersign.canonical import Json
from countersign.errors import VerificationError

TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_THING = "statement"


@dataclass(frozen=True, slots=True)
class Subject:
    """An artifact; it is matched by digest alone, the name means nothing to a verifier."""

    name: str
    digest: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. The type of the predicate says how to read it."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Json]


def encode(statement: Statement) -> bytes:
    """The canonical bytes of a statement: the payload of its envelope."""
    subjects: list[Json] = [{"name": s.name, "digest": dict(s.digest)} for s in statement.subjects]
    return canonical.encode(
        {
            "_type": TYPE,
            "subject": subjects,
            "predicateType": statement.predicate_type,
            "predicate": dict(statement.predicate),
        }
    )


def decode(payload: bytes) -> Statement:
    """Read a verified payload. Fields that the specification does not know are ignored.

    Raises:
        VerificationError: another type or version, no subject, or a subject without a digest.
    """
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise VerificationError(_THING, expected="JSON", observed=str(error)) from None
    if not isinstance(found, dict):
        raise VerificationError(_THING, expected="a JSON object", observed=type(found).__name__)
    kind = document.text(found, "_type", _THING)
    if kind != TYPE:
        raise VerificationError(f"{_THING}, field _type", expected=TYPE, observed=kind)
    subjects = tuple(map(_subject, document.mappings(found, "subject", _THING)))
    if not subjects:
        raise VerificationError(f"{_THING}, field subject", expected="a subject", observed="none")
    predicate_type = document.text(found, "predicateType", _THING)
    predicate = document.mapping(found, "predicate", _THING) if "predicate" in found else {}
    return Statement(subjects, predicate_type, predicate)


def _subject(found: document.Document) -> Subject:
    digest = document.mapping(found, "digest", f"{_THING} subject")
    values = {name: value for name, value in digest.items() if isinstance(value, str) and value}
    if not values or len(values) != len(digest):
        raise VerificationError(
            f"{_THING} subject, field digest", expected="digests by algorithm", observed=str(digest)
        )
    name = document.optional_text(found, "name", f"{_THING} subject")
    return Subject(name or "_", values)
