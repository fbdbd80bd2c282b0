"""Anthropic's usage and cost reports, as their pages look. Amounts are cents, as decimal text."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from countersign.model import moment, rfc3339
from countersign.world.books import Books, Line
from countersign.world.installation import ANTHROPIC, COUNTERS, PriceList
from countersign.world.reply import Query, RefusedError
from countersign.world.report import DAY_US, HOUR_US, USAGE_LIMITS, Page, Span, page, totals, whole

USAGE_GROUPS: Final = (
    "api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo",
)  # fmt: skip
COST_GROUPS: Final = ("workspace_id", "description")
_COST_LIMITS: Final = {"1d": (DAY_US, 7, 31)}
_TOKEN_TYPES: Final = (
    ("uncached_input_tokens", "Input Tokens"),
    ("cache_read_input_tokens", "Input Tokens, Cache Read"),
    ("cache_creation.ephemeral_5m_input_tokens", "Input Tokens, Cache Write 5m"),
    ("cache_creation.ephemeral_1h_input_tokens", "Input Tokens, Cache Write 1h"),
    ("output_tokens", "Output Tokens"),
)
"""By place in `installation.COUNTERS`."""
_PICO_PER_CENT: Final = 10**10
_FILTERS: Final = {"workspace_ids": "project", "api_key_ids": "key", "models": "model"}


def usage(books: Books, query: Query) -> bytes:
    """`GET /v1/organizations/usage_report/messages`."""
    span = _span(books, query, USAGE_LIMITS)
    grouped = _groups(query, USAGE_GROUPS)
    return _usage_page(page(books, ANTHROPIC, span, query, _kept(query)), grouped)


def costs(books: Books, query: Query, prices: PriceList) -> bytes:
    """`GET /v1/organizations/cost_report`."""
    span = _span(books, query, _COST_LIMITS)
    grouped = _groups(query, COST_GROUPS)
    return _cost_page(page(books, ANTHROPIC, span, query, _kept(query)), grouped, prices)


def exported_usage(books: Books, start_us: int, end_us: int) -> bytes:
    """The hourly usage of a span as one page."""
    found = whole(books, ANTHROPIC, start_us, end_us, HOUR_US)
    return _usage_page(found, tuple(n for n in USAGE_GROUPS if n != "context_window"))


def exported_costs(books: Books, start_us: int, end_us: int, prices: PriceList) -> bytes:
    """The daily costs of a span as one page."""
    return _cost_page(whole(books, ANTHROPIC, start_us, end_us, DAY_US), COST_GROUPS, prices)


def _span(books: Books, query: Query, limits: Mapping[str, tuple[int, int, int]]) -> Span:
    start = query.instant("starting_at")
    end = query.instant("ending_at") if query.one("ending_at") else books.now_us
    return Span.of(query, start, max(end, start + 1), limits)


def _groups(query: Query, allowed: tuple[str, ...]) -> tuple[str, ...]:
    wanted = query.many("group_by")
    if unknown := [name for name in wanted if name not in allowed]:
        raise RefusedError(f"group_by: Input should be one of {allowed}, got {unknown[0]!r}")
    return wanted


def _kept(query: Query) -> Any:
    wanted = {field: set(query.many(name)) for name, field in _FILTERS.items() if query.many(name)}

    def keep(line: Line) -> bool:
        return all(getattr(line.group, field) in values for field, values in wanted.items())

    return keep


def _key(line: Line, grouped: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    values = {
        "api_key_id": line.group.key,
        "workspace_id": line.group.project,
        "model": line.group.model,
        "service_tier": "standard",
        "context_window": "0-200k",
        "inference_geo": "global",
    }
    return tuple((name, values[name] if name in grouped else None) for name in USAGE_GROUPS)


def _usage_page(found: Page, grouped: tuple[str, ...]) -> bytes:
    buckets = []
    for bucket in found.buckets:
        sums = totals(bucket.lines, lambda line: _key(line, grouped))
        results = [
            {
                "uncached_input_tokens": counts[0],
                "cache_read_input_tokens": counts[1],
                "cache_creation": {
                    "ephemeral_5m_input_tokens": counts[2],
                    "ephemeral_1h_input_tokens": counts[3],
                },
                "output_tokens": counts[4],
                "server_tool_use": {"web_search_requests": 0},
                **dict(key),
            }
            for key, (counts, _) in sums.items()
        ]
        buckets.append(_bucket(bucket.start_us, bucket.end_us, results))
    return _envelope(buckets, found.next_page)


def _cost_page(found: Page, grouped: tuple[str, ...], prices: PriceList) -> bytes:
    buckets = []
    for bucket in found.buckets:
        day = moment(bucket.start_us).date()
        results: dict[tuple[str | None, str | None, str | None], int] = {}
        for line in bucket.lines:
            unit = prices.of(line.group.model, day)
            for place, _ in enumerate(COUNTERS):
                key = _cost_key(line, place, grouped)
                results[key] = results.get(key, 0) + line.counts[place] * unit[place]
        rows = [_cost(*key, pico) for key, pico in sorted(results.items(), key=str) if pico]
        buckets.append(_bucket(bucket.start_us, bucket.end_us, rows))
    return _envelope(buckets, found.next_page)


def _cost_key(
    line: Line, place: int, grouped: tuple[str, ...]
) -> tuple[str | None, str | None, str | None]:
    """Workspace, model and token type; the last two are known only when grouped by description."""
    workspace = line.group.project if "workspace_id" in grouped else None
    if "description" not in grouped:
        return workspace, None, None
    return workspace, line.group.model, _TOKEN_TYPES[place][0]


def _cost(
    workspace: str | None, model: str | None, token_type: str | None, pico: int
) -> dict[str, Any]:
    title = dict(_TOKEN_TYPES).get(token_type or "")
    return {
        "currency": "USD",
        "amount": format(Decimal(pico) / _PICO_PER_CENT, "f"),
        "workspace_id": workspace,
        "description": f"{model} Usage - {title}" if model else None,
        "cost_type": "tokens" if model else None,
        "context_window": "0-200k" if model else None,
        "model": model,
        "service_tier": "standard" if model else None,
        "token_type": token_type,
        "inference_geo": "global" if model else None,
    }


def _bucket(start_us: int, end_us: int, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"starting_at": rfc3339(start_us), "ending_at": rfc3339(end_us), "results": results}


def _envelope(buckets: list[dict[str, Any]], next_page: str | None) -> bytes:
    document = {"data": buckets, "has_more": next_page is not None, "next_page": next_page}
    return json.dumps(document, separators=(",", ":")).encode()
