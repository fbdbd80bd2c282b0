"""Amazon's binary event stream (`application/vnd.amazon.eventstream`), read without the SDK.

A message: total length and header length (32-bit, big-endian), CRC-32 of those 8 bytes, headers,
payload, CRC-32 of all before. A header: name length (1), name, type (1), value.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from countersign.errors import Fault, SourceError

_PRELUDE = struct.Struct(">III")
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header value by type: the booleans, the integers, timestamp, UUID."""


def is_event_stream(body: bytes) -> bool:
    """Whether the bytes begin with a message prelude whose checksum is right."""
    if len(body) < _PRELUDE.size:
        return False
    *_, checksum = _PRELUDE.unpack_from(body)
    return bool(zlib.crc32(body[:8]) == checksum)


def messages(source: str, body: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every complete message as (event type, JSON payload); a cut last one is left out.

    Raises:
        SourceError: a checksum is wrong.
    """
    at = 0
    while at + _PRELUDE.size <= len(body):
        total, head, checksum = _PRELUDE.unpack_from(body, at)
        end = at + total
        if zlib.crc32(body[at : at + 8]) != checksum or total < head + 16:
            raise _damaged(source, at)
        if end > len(body):
            return
        if zlib.crc32(body[at : end - 4]) != int.from_bytes(body[end - 4 : end], "big"):
            raise _damaged(source, at)
        try:
            headers = _headers(body[at + 12 : at + 12 + head])
        except (IndexError, UnicodeDecodeError):
            raise _damaged(source, at) from None
        kind = headers.get(":event-type") or headers.get(":exception-type", "")
        yield kind, _payload(source, at, body[at + 12 + head : end - 4])
        at = end


def _headers(block: bytes) -> dict[str, str]:
    found, at = {}, 0
    while at < len(block):
        name_end = at + 1 + block[at]
        name, kind = block[at + 1 : name_end].decode(), block[name_end]
        at = name_end + 1
        if kind in _FIXED:
            at += _FIXED[kind]
            continue
        size = int.from_bytes(block[at : at + 2], "big")
        found[name] = block[at + 2 : at + 2 + size].decode(errors="replace")
        at += 2 + size
    return found


def _payload(source: str, at: int, payload: bytes) -> dict[str, Any]:
    try:
        document = json.loads(payload or b"{}")
    except (ValueError, RecursionError):
        raise _damaged(source, at) from None
    return document if isinstance(document, dict) else {}


def _damaged(source: str, at: int) -> SourceError:
    return SourceError(
        source,
        Fault.MALFORMED,
        page="reply",
        expected="an intact event stream message",
        observed=f"a wrong checksum or length at byte {at}",
        remedy="Keep the body as binary; text conversion destroys it.",
    )
