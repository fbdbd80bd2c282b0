"""The one encoding of every document that is hashed or signed: RFC 8785 (JCS).

Documents hold integers, strings, booleans, null, lists and string-keyed maps. A float is
refused: sealed quantities are integers of the smallest unit, or decimal strings.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias, Union

import rfc8785

from countersign.errors import EvidenceError

Json: TypeAlias = Union[bool, int, str, list["Json"], dict[str, "Json"], None]  # noqa: UP007 - recursive

_SAFE: Final = 2**53 - 1


def encode(document: Json) -> bytes:
    """Return the canonical bytes of a document.

    Raises:
        EvidenceError: a float, or an integer outside +-(2**53 - 1), which JSON readers round.
    """
    _refuse_inexact(document, "$")
    try:
        return rfc8785.dumps(document)
    except rfc8785.CanonicalizationError as error:
        raise EvidenceError(
            "sealed document", expected="string keys and valid Unicode", observed=str(error)
        ) from None


def join(members: Mapping[str, bytes]) -> bytes:
    """The canonical bytes of an object, from those of its members: what repeats is encoded once."""
    placed = sorted((*_key(name), content) for name, content in members.items())
    return b"{" + b",".join(key + content for _, key, content in placed) + b"}"


def digest(content: bytes) -> str:
    """SHA-256 of the bytes, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=1_024)
def _key(name: str) -> tuple[bytes, bytes]:
    """Where a member stands (RFC 8785, 3.2.3: by UTF-16 code units), and its name as written."""
    return name.encode("utf-16-be"), encode(name) + b":"


def _refuse_inexact(value: object, path: str) -> None:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, int):
        if abs(value) > _SAFE:
            raise EvidenceError(
                f"sealed integer at {path}",
                expected="at most 2^53 - 1 in size",
                observed=str(value),
                remedy="Write it as a decimal string.",
            )
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_inexact(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            _refuse_inexact(item, f"{path}[{position}]")
    else:
        raise EvidenceError(
            f"sealed value at {path}",
            expected="an integer, string, boolean, null, list or map",
            observed=type(value).__name__,
            remedy="Sealed data holds no floats: use the smallest unit or a decimal string.",
        )
