"""LiteLLM's table `LiteLLM_SpendLogs`, read in place: which columns, and in which order.

Times are UTC without a zone. `startTime` decides the day; `created_at` is when the row was
written (seconds after the call ends, hours after a database outage), in recent versions only.
Versions differ in their columns, so the table is asked for those that it has.
"""

import json
from collections.abc import Iterator
from typing import Final

from countersign.connectors.interface import Database
from countersign.errors import Fault, SourceError
from countersign.model import Window, moment

_NEEDED: Final = ("request_id", "startTime", "endTime", "metadata")
_READ: Final = (
    *_NEEDED,
    "litellm_call_id",
    "call_type",
    "completionStartTime",
    "spend",
    "total_tokens",
    "prompt_tokens",
    "completion_tokens",
    "model",
    "model_id",
    "model_group",
    "custom_llm_provider",
    "api_base",
    "team_id",
    "organization_id",
    "end_user",
    "user",
    "api_key",
    "session_id",
    "request_tags",
    "cache_hit",
    "status",
    "created_at",
    "updated_at",
)
_SPOKEN: Final = ("messages", "response")
_COLUMNS: Final = (
    "SELECT column_name FROM information_schema.columns"
    " WHERE table_name = 'LiteLLM_SpendLogs' AND table_schema = ANY (current_schemas(false))"
)
_SLIM: Final = (
    "CASE jsonb_typeof(metadata) WHEN 'object' THEN metadata - 'model_map_information'"
    " ELSE metadata END AS metadata"
)
"""Four fifths of a row are LiteLLM's price map for the model, repeated in each."""


def rows(database: Database, window: Window, source: str, *, with_text: bool) -> Iterator[bytes]:
    """Yield the window's rows by their start, oldest first, as pages of JSON Lines.

    Raises:
        SourceError: there is no such table, it lacks a needed column, or the database refuses.
    """
    found = frozenset(_names(database))
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        raise SourceError(
            source,
            Fault.REFUSED,
            page="LiteLLM_SpendLogs",
            expected=f"columns {', '.join(_NEEDED)}",
            observed=f"no {', '.join(missing)}" if found else "no such table that may be read",
            remedy="Name the proxy's own database in `url`, and GRANT SELECT on the table.",
        )
    wanted = [name for name in (*_READ, *(_SPOKEN if with_text else ())) if name in found]
    columns = ", ".join(_SLIM if name == "metadata" else f'"{name}"' for name in wanted)
    yield from database(
        f'SELECT {columns} FROM "LiteLLM_SpendLogs"'
        ' WHERE "startTime" >= %s::timestamp AND "startTime" < %s::timestamp'
        ' ORDER BY "startTime", request_id',
        (_naive(window.start_us), _naive(window.end_us)),
    )


def _names(database: Database) -> Iterator[str]:
    for page in database(_COLUMNS):
        yield from (json.loads(line)["column_name"] for line in page.splitlines())


def _naive(instant_us: int) -> str:
    """`2026-11-09 00:00:00`, in the table's own zone."""
    return moment(instant_us).strftime("%Y-%m-%d %H:%M:%S")
