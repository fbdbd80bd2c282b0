"""The packet's own fonts, and what they cannot print.

WeasyPrint draws an empty box for a character that no font has, without a warning, or takes
whatever font the machine offers. So every string is checked against the fonts' character maps
first, and what is left is printed as `[U+738B]`.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from io import BytesIO
from typing import Final

from fontTools.ttLib import TTFont

from countersign.packet.text import codepoint

_SPACES: Final = frozenset("\n\t\r \u00a0")


@lru_cache(maxsize=32)
def characters(font: bytes) -> frozenset[int]:
    """The code points that a font file has a glyph for."""
    with TTFont(BytesIO(font), lazy=True) as face:
        return frozenset(face.getBestCmap())


@lru_cache(maxsize=32)
def advances(font: bytes) -> Mapping[int, int]:
    """The width of each code point in thousandths of the type size."""
    with TTFont(BytesIO(font), lazy=True) as face:
        metrics, em = face["hmtx"], face["head"].unitsPerEm
        return {code: metrics[name][0] * 1000 // em for code, name in face.getBestCmap().items()}


def printable(fonts: Iterable[bytes], extra: Iterable[bytes] = ()) -> frozenset[int]:
    """The code points that every one of our fonts has, and those that a fallback font has.

    The intersection, because text may appear in any face.
    """
    own = frozenset.intersection(*(characters(font) for font in fonts))
    return own.union(*(characters(font) for font in extra))


def replace_unprintable(text: str, known: frozenset[int]) -> str:
    """The text with each character that no font has written as its code point."""
    missing = {c for c in set(text) if ord(c) not in known and c not in _SPACES}
    return text.translate({ord(c): codepoint(c) for c in missing}) if missing else text
