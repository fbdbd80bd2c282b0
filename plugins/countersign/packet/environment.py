"""What the bytes of a packet depend on besides its input: libraries, fonts, templates.

Two machines with the same digest render the same bytes; with another digest a comparison says
"cannot compare", never "invalid".
"""

import zlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pikepdf
from weasyprint.text.ffi import harfbuzz, pango

from countersign.canonical import digest, encode
from countersign.packet import reports

_LIBRARIES: Final = (
    "weasyprint", "pydyf", "tinycss2", "tinyhtml5", "cssselect2", "fonttools", "jinja2", "pikepdf",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Environment:
    """The digest that is printed, and the rows that it is the digest of."""

    digest: str
    rows: tuple[tuple[str, str], ...]


def environment(override: Path | None = None, fallback_fonts: tuple[Path, ...] = ()) -> Environment:
    """The render environment of this process."""
    rows = (
        *((name, version(name)) for name in _LIBRARIES),
        ("Pango", _pango()),
        ("HarfBuzz", _harfbuzz()),
        ("qpdf", pikepdf.__libqpdf_version__),
        ("zlib", zlib.ZLIB_RUNTIME_VERSION),
        (
            "fonts",
            _digest_of(
                {
                    **{n: c for n, c in reports.assets(override).items() if n.startswith("fonts/")},
                    **{font.name: font.read_bytes() for font in fallback_fonts},
                }
            ),
        ),
        ("templates", _digest_of(reports.templates(override))),
    )
    return Environment(digest(encode([list(row) for row in rows])), rows)


def _pango() -> str:
    number = int(pango.pango_version())
    return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"


def _harfbuzz() -> str:
    """The library only answers whether it is at least a version: the greatest yes is it."""
    parts: list[int] = []
    for _ in range(3):
        rest = [0] * (2 - len(parts))
        reached = [n for n in range(100) if harfbuzz.hb_version_atleast(*parts, n, *rest)]
        parts.append(max(reached, default=0))
    return ".".join(map(str, parts))


def _digest_of(content: dict[str, bytes]) -> str:
    return digest(encode({name: digest(part) for name, part in content.items()}))[:16]
