"""Rows of BigQuery tables as its JSON exports write them."""

import json
import re
from typing import Any, Final

from countersign.connectors.wire.value import Row, UnreadableError, instant

_SECONDS: Final = re.compile(r"-?\d{1,12}(?:\.\d+)?(?:[eE]\+?\d{1,2})?")


def moment(value: object) -> int:
    """A TIMESTAMP: `2026-11-02 10:00:04.5 UTC` by an extract, seconds as text by the API."""
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        return instant(float(value))
    return instant(value.removesuffix(" UTC") if isinstance(value, str) else value)


def decoded(fields: Row, name: str) -> Any:
    """A JSON column, which exports write as JSON or as its text; absent is None."""
    value = fields.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise UnreadableError(f"{name} is no JSON") from None
