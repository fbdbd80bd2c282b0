"""Pages that came packed: what a gzip file holds, within bounds."""

import zlib
from typing import Final

from countersign.canonical import digest
from countersign.connectors.wire.page import Page
from countersign.errors import Fault

_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = 31
_FLOOR: Final = 16 * 2**20
_CEILING: Final = 512 * 2**20
_RATIO: Final = 128
"""Logs shrink to a twentieth, seldom to a hundredth; a bomb to a thousandth."""


def plain(page: Page) -> Page:
    """The page itself, or the content of all members of the gzip file that it is.

    The packed bytes are what was collected: errors name their digest.

    Raises:
        SourceError: the file is cut short or damaged, or unpacks to more than a log can.
    """
    if not page.body.startswith(_MAGIC):
        return page
    named = page.name or f"sha256:{digest(page.body)[:16]}"
    return Page(page.source, b"".join(_members(page)), named)


def _members(page: Page) -> list[bytes]:
    limit = min(_CEILING, max(_FLOOR, _RATIO * len(page.body)))
    parts: list[bytes] = []
    rest = page.body
    while rest.startswith(_MAGIC):
        part, rest = _member(page, rest, limit)
        parts.append(part)
        limit -= len(part)
    if rest.strip(b"\x00"):
        raise page.fault(Fault.MALFORMED, "gzip members only", f"{len(rest)} other bytes behind")
    return parts


def _member(page: Page, packed: bytes, limit: int) -> tuple[bytes, bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(packed, limit + 1)
    except zlib.error as error:
        raise page.fault(Fault.MALFORMED, "gzip", str(error)) from None
    if len(content) > limit:
        raise page.fault(
            Fault.MALFORMED,
            f"at most {_RATIO} times what was sent",
            f"{len(page.body)} bytes that unpack to more than {len(content) - 1}",
        )
    if not unpacker.eof:
        raise page.fault(Fault.TRUNCATED, "a whole gzip file", f"{len(page.body)} bytes of it")
    return content, unpacker.unused_data
