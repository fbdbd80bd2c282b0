"""Sealed JSON as read from outside: one encoding, and fields of the type that is expected."""

import json
from collections.abc import Mapping
from typing import TypeAlias

from countersign import canonical
from countersign.canonical import Json
from countersign.errors import EvidenceError, VerificationError

Document: TypeAlias = Mapping[str, Json]


def decode(content: bytes, thing: str) -> dict[str, Json]:
    """Read a canonical JSON object.

    Raises:
        VerificationError: no JSON object, or not in its canonical encoding (RFC 8785).
    """
    try:
        document = json.loads(content)
        repeated = canonical.encode(document)
    except (ValueError, RecursionError, EvidenceError) as error:
        raise VerificationError(thing, expected="canonical JSON", observed=str(error)) from None
    if not isinstance(document, dict):
        raise VerificationError(thing, expected="a JSON object", observed=type(document).__name__)
    if repeated != content:
        raise VerificationError(
            thing,
            expected="the canonical encoding (RFC 8785)",
            observed="another encoding of the same document",
        )
    return document


def text(document: Document, name: str, thing: str) -> str:
    """A string field."""
    value = document.get(name)
    if not isinstance(value, str):
        raise _wrong(thing, name, "a string", value)
    return value


def optional_text(document: Document, name: str, thing: str) -> str | None:
    """A string field that may be null."""
    return None if document.get(name) is None else text(document, name, thing)


def integer(document: Document, name: str, thing: str) -> int:
    """An integer field that is not negative."""
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _wrong(thing, name, "an integer of 0 or more", value)
    return value


def mapping(document: Document, name: str, thing: str) -> dict[str, Json]:
    """An object field."""
    value = document.get(name)
    if not isinstance(value, dict):
        raise _wrong(thing, name, "an object", value)
    return value


def mappings(document: Document, name: str, thing: str) -> list[dict[str, Json]]:
    """A field that is a list of objects."""
    value = document.get(name)
    if not isinstance(value, list):
        raise _wrong(thing, name, "a list", value)
    items = [item for item in value if isinstance(item, dict)]
    if len(items) != len(value):
        raise _wrong(thing, name, "a list of objects", value)
    return items


def _wrong(thing: str, name: str, expected: str, value: Json) -> VerificationError:
    observed = "nothing" if value is None else repr(value)[:60]
    return VerificationError(f"{thing}, field {name}", expected=expected, observed=observed)
