"""OpenAI's organization usage and costs APIs, as their pages look."""

import json
from collections.abc import Mapping
from typing import Any, Final

from countersign.model import US_PER_SECOND, moment
from countersign.world.books import Books, Line
from countersign.world.installation import COUNTERS, OPENAI, PriceList
from countersign.world.reply import Query, RefusedError
from countersign.world.report import DAY_US, HOUR_US, USAGE_LIMITS, Page, Span, page, totals, whole

USAGE_GROUPS: Final = ("project_id", "user_id", "api_key_id", "model", "batch", "service_tier")
COST_GROUPS: Final = ("project_id", "line_item", "api_key_id")
_COST_LIMITS: Final = {"1d": (DAY_US, 7, 180)}
_LINE_ITEMS: Final[Mapping[str, int]] = {
    "input_tokens": COUNTERS.index("in_uncached"),
    "cached_input_tokens": COUNTERS.index("in_cache_read"),
    "output_tokens": COUNTERS.index("out"),
}
_PICO: Final = 10**12
_FILTERS: Final = {"project_ids": "project", "api_key_ids": "key", "models": "model"}


def usage(books: Books, query: Query) -> bytes:
    """`GET /v1/organization/usage/completions`."""
    span = _span(books, query, USAGE_LIMITS)
    grouped = _groups(query, USAGE_GROUPS)
    return _usage_page(page(books, OPENAI, span, query, _kept(query)), grouped)


def costs(books: Books, query: Query, prices: PriceList) -> bytes:
    """`GET /v1/organization/costs`."""
    span = _span(books, query, _COST_LIMITS)
    grouped = _groups(query, COST_GROUPS)
    return _cost_page(page(books, OPENAI, span, query, _kept(query)), grouped, prices)


def exported_usage(books: Books, start_us: int, end_us: int) -> bytes:
    """The hourly usage of a span as one page."""
    found = whole(books, OPENAI, start_us, end_us, HOUR_US)
    return _usage_page(found, ("project_id", "api_key_id", "model", "batch", "service_tier"))


def exported_costs(books: Books, start_us: int, end_us: int, prices: PriceList) -> bytes:
    """The daily costs of a span as one page."""
    found = whole(books, OPENAI, start_us, end_us, DAY_US)
    return _cost_page(found, ("project_id", "line_item"), prices)


def _span(books: Books, query: Query, limits: Mapping[str, tuple[int, int, int]]) -> Span:
    latest = 10**11
    start = query.number("start_time", None, 0, latest)
    end = query.number("end_time", max(start + 1, books.now_us // US_PER_SECOND), 0, latest)
    return Span.of(query, start * US_PER_SECOND, end * US_PER_SECOND, limits)


def _groups(query: Query, allowed: tuple[str, ...]) -> tuple[str, ...]:
    wanted = query.many("group_by")
    if unknown := [name for name in wanted if name not in allowed]:
        raise RefusedError(f"Invalid value: '{unknown[0]}' in 'group_by'.", param="group_by")
    return wanted


def _kept(query: Query) -> Any:
    wanted = {field: set(query.many(name)) for name, field in _FILTERS.items() if query.many(name)}

    def keep(line: Line) -> bool:
        return all(getattr(line.group, field) in values for field, values in wanted.items())

    return keep


def _key(line: Line, grouped: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    group = line.group
    values: dict[str, Any] = {
        "project_id": group.project,
        "user_id": None,
        "api_key_id": group.key,
        "model": group.model,
        "batch": False,
        "service_tier": "default",
    }
    return tuple((name, values[name] if name in grouped else None) for name in USAGE_GROUPS)


def _usage_page(found: Page, grouped: tuple[str, ...]) -> bytes:
    buckets = []
    for bucket in found.buckets:
        sums = totals(bucket.lines, lambda line: _key(line, grouped))
        results = [
            {
                "object": "organization.usage.completions.result",
                "input_tokens": counts[0] + counts[1],
                "input_cached_tokens": counts[1],
                "input_cache_write_tokens": 0,
                "input_uncached_tokens": counts[0],
                "output_tokens": counts[4],
                "input_text_tokens": counts[0],
                "input_audio_tokens": 0,
                "input_image_tokens": 0,
                "output_text_tokens": counts[4],
                "output_audio_tokens": 0,
                "output_image_tokens": 0,
                "num_model_requests": requests,
                **dict(key),
            }
            for key, (counts, requests) in sums.items()
        ]
        buckets.append(_bucket(bucket.start_us, bucket.end_us, results))
    return _envelope(buckets, found.next_page)


def _cost_page(found: Page, grouped: tuple[str, ...], prices: PriceList) -> bytes:
    buckets = []
    for bucket in found.buckets:
        results: dict[tuple[Any, ...], list[int]] = {}
        unit = {model: prices.of(model, moment(bucket.start_us).date()) for model in _models(found)}
        for line in bucket.lines:
            for item, place in _LINE_ITEMS.items():
                key = (line.group.project, f"{line.group.model}, {item}", line.group.key)
                kept = tuple(
                    k if n in grouped else None for k, n in zip(key, COST_GROUPS, strict=True)
                )
                total = results.setdefault(kept, [0, 0])
                total[0] += line.counts[place] * unit[line.group.model][place]
                total[1] += line.counts[place]
        rows = [_cost(key, pico, n) for key, (pico, n) in sorted(results.items(), key=str) if n]
        buckets.append(_bucket(bucket.start_us, bucket.end_us, rows))
    return _envelope(buckets, found.next_page)


def _models(found: Page) -> set[str]:
    return {line.group.model for bucket in found.buckets for line in bucket.lines}


def _cost(key: tuple[Any, ...], pico: int, tokens: int) -> dict[str, Any]:
    project, line_item, api_key = key
    return {
        "object": "organization.costs.result",
        "amount": {"value": pico / _PICO, "currency": "usd"},
        "line_item": line_item,
        "project_id": project,
        "api_key_id": api_key,
        "quantity": tokens if line_item else None,
        "quantity_unit": "tokens" if line_item else None,
    }


def _bucket(start_us: int, end_us: int, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "object": "bucket",
        "start_time": start_us // US_PER_SECOND,
        "end_time": end_us // US_PER_SECOND,
        "results": results,
    }


def _envelope(buckets: list[dict[str, Any]], next_page: str | None) -> bytes:
    document = {
        "object": "page",
        "data": buckets,
        "has_more": next_page is not None,
        "next_page": next_page,
    }
    return json.dumps(document, separators=(",", ":")).encode()
