"""Strings that came from outside, made fit for a page: bounded, and with nothing invisible.

A finding quotes what sources said. Control characters, direction marks and lone surrogates are
printed as `[U+0007]`; a long string is cut, and its digest names the whole.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from countersign.canonical import digest

LIMIT: Final = 400
_LONG_ID: Final = re.compile(r"\b(?:[0-9a-f]{32,}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\b")
_LONG_COUNT: Final = re.compile(r"(?<![\w.,:/+-])[1-9]\d{3,14}(?![\w:/-])(?!\.\w)")
_YEARS: Final = range(1900, 2100)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def plain(value: object, limit: int = LIMIT) -> str:
    """One line of visible text, at most about `limit` characters long.

    What is cut beyond any ordinary length is named by its size and digest.
    """
    raw = value if isinstance(value, str) else _written(value)
    kept = raw if len(raw) <= limit else raw[:limit]
    line = "".join(map(_visible, " ".join(kept.split(" "))))
    if kept is raw:
        return line
    return f"{line.rstrip()}…" if len(raw) <= LIMIT else f"{line}… [cut, {_size(raw)}]"


def _written(value: object) -> str:
    """Lists and maps as JSON, which is what a person set; everything else as it prints."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def codepoint(character: str) -> str:
    """The name under which a character that cannot be printed is shown."""
    return f"[U+{ord(character):04X}]"


def words(identifier: str) -> str:
    """`token-reconciliation` as a title: `Token reconciliation`."""
    spaced = plain(identifier, 80).replace("-", " ").replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop, unless it has them."""
    stripped = text.strip()
    stripped = stripped[:1].upper() + stripped[1:]
    return stripped if not stripped or stripped[-1] in ".!?…]" else f"{stripped}."


def abbreviated(text: str) -> str:
    """The text with long identifiers cut to eight characters, and long counts grouped."""
    short = _LONG_ID.sub(lambda found: found.group()[:8], text)
    return _LONG_COUNT.sub(lambda found: _count(int(found.group())), short)


def _count(number: int) -> str:
    return str(number) if number in _YEARS else f"{number:,}"


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in _INVISIBLE
    return codepoint(character) if hidden else character


def _size(raw: str) -> str:
    content = raw.encode("utf-8", "surrogatepass")
    return f"{len(content):,} bytes, SHA-256 {digest(content)[:8]}"
