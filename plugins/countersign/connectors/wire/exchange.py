"""What a log kept of one exchange, under the names that several gateways share."""

import json
from collections.abc import Collection, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Final, NoReturn
from urllib.parse import urlsplit

from countersign.connectors.wire.place import Place, location
from countersign.connectors.wire.spoken import Talk
from countersign.connectors.wire.value import Row
from countersign.records import CallText, GatewayCall, Record

TEXT: Final = "call_text"


def wants(records: Collection[str] | None, kind: str) -> bool:
    """Whether a source's setting `records` takes a kind."""
    return records is None or kind in records


def opened(value: object) -> Row:
    """An object, also as JSON text or as the pairs of a Parquet map; anything else is empty."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            value = json.loads(value, parse_float=Decimal, parse_constant=_refused)
        except (ValueError, RecursionError):
            return {}
    if isinstance(value, list) and all(isinstance(p, tuple) and len(p) == 2 for p in value):
        return {str(name): inner for name, inner in value}
    return value if isinstance(value, dict) else {}


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


@lru_cache(maxsize=1024)
def host(address: str) -> str | None:
    """The host of an address, with or without a scheme; None where it is no address."""
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname
    except ValueError:
        return None


def told(call: GatewayCall, place: Place | None, talk: Talk) -> Iterator[Record]:
    """A call, where it ran if anything says so, and its text where it is kept."""
    yield call
    if place is not None:
        yield location(call, place)
    yield from texts(call, talk)


def texts(call: GatewayCall, talk: Talk, language: str | None = None) -> Iterator[CallText]:
    """What was asked last, and what was answered."""
    for role, said in (("prompt", talk.prompt), ("output", talk.answer)):
        if said is not None:
            yield CallText(
                call_id=call.call_id,
                role=role,
                text=said,
                started_at=call.started_at,
                language=language,
            )
