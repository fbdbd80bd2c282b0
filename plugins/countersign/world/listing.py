"""The list APIs of ready rows: LiteLLM's `/spend/logs/v2` and the meters' `/v1/deliveries`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from countersign.model import US_PER_DAY, US_PER_SECOND, instant
from countersign.world.reply import Query, RefusedError
from countersign.world.row_files import Row, RowFiles

ROW_CAP: Final = 10_000
"""LiteLLM counts no further and shows no row beyond."""
_WRITTEN_AFTER_US: Final = 10 * US_PER_SECOND
"""The proxy writes its queue about every ten seconds."""
_FILTERS: Final = ("request_id", "model", "model_group", "model_id", "team_id", "end_user",
                   "session_id", "api_key")  # fmt: skip


def spend_logs(files: RowFiles, query: Query) -> bytes:
    """`GET /spend/logs/v2`: both dates inclusive, newest first unless asked otherwise."""
    start_us, _ = _date(query, "start_date")
    _, end_us = _date(query, "end_date")
    page = query.number("page", 1, 1, 10**9)
    size = query.number("page_size", 50, 1, 1_000)
    by_end = query.choice("sort_by", ("startTime", "endTime"), "startTime") == "endTime"
    newest_first = query.choice("sort_order", ("asc", "desc"), "desc") == "desc"
    written = RowFiles(files.folder, files.now_us - _WRITTEN_AFTER_US)
    rows = _filtered(written.between(start_us, end_us), query)
    if by_end:
        rows.sort(key=lambda row: row.end_us)
    if newest_first:
        rows.reverse()
    total = min(len(rows), ROW_CAP)
    shown = rows[:ROW_CAP][(page - 1) * size : page * size]
    tail = {"total": total, "page": page, "page_size": size, "total_pages": -(-total // size)}
    return _enveloped(shown, tail)


def deliveries(files: RowFiles, query: Query) -> bytes:
    """`GET /v1/deliveries`: start inclusive, end exclusive, by the meter's clock."""
    start_us, end_us = query.instant("start"), query.instant("end")
    limit = query.number("limit", 500, 1, 5_000)
    skipped = _skipped(query.one("after"))
    rows = files.between(start_us, end_us - 1)
    beyond = skipped + limit
    cursor = f"after-{beyond}" if beyond < len(rows) else None
    return _enveloped(rows[skipped:beyond], {"next": cursor})


def _enveloped(rows: list[Row], tail: Mapping[str, object]) -> bytes:
    end = json.dumps(tail, separators=(",", ":"))[1:].encode()
    return b'{"data":[' + b",".join(row.body for row in rows) + b"]," + end


def _filtered(rows: list[Row], query: Query) -> list[Row]:
    wanted = {name: query.one(name) for name in _FILTERS if query.one(name)}
    if not wanted:
        return rows
    return [row for row in rows if _matches(json.loads(row.body), wanted)]


def _matches(row: dict[str, object], wanted: dict[str, str | None]) -> bool:
    return all(row[name] == value for name, value in wanted.items())


def _date(query: Query, name: str) -> tuple[int, int]:
    """First and last microsecond that the text names: a day, or a second."""
    text = query.needed(name)
    for form, width_us in (("%Y-%m-%d %H:%M:%S", US_PER_SECOND), ("%Y-%m-%d", US_PER_DAY)):
        try:
            at = instant(datetime.strptime(text, form).replace(tzinfo=UTC))
        except ValueError:
            continue
        # A row at exactly the named second is in; the table keeps milliseconds.
        return at, at if width_us == US_PER_SECOND else at + US_PER_DAY - 1
    raise RefusedError(
        f"Invalid date format for {name}: {text}. Expected YYYY-MM-DD or YYYY-MM-DD HH:MM:SS",
        param=name,
    )


def _skipped(cursor: str | None) -> int:
    if cursor is None:
        return 0
    digits = cursor.removeprefix("after-")
    if not digits.isdigit():
        raise RefusedError(f"unknown cursor {cursor!r}", param="after")
    return int(digits)
