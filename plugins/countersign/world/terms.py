"""The dated knowledge that a person would keep: list prices and surface terms, as TOML."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from countersign.world.installation import CLAUDE, GATEWAY_REGION, GPT, PriceList

_PICO_PER_USD_PER_MILLION: Final = 10**6
_COUNTERS: Final = (
    ("in_uncached", 0), ("in_cache_read", 1), ("in_cache_write_5m", 2),
    ("in_cache_write_1h", 3), ("out_visible", 4), ("out_reasoning", 4),
)  # fmt: skip
"""Counter names of the records, with the place of their price in `installation.COUNTERS`."""
_OPENAI_EU: Final = {
    "provider": "openai", "region": "eu", "jurisdiction": "EU",
    "operator": "OpenAI Ireland Ltd", "operator_parent_jurisdiction": "US",
    "key_custody": "provider", "transfer_mechanism": "EU-US DPF",
}  # fmt: skip
_OPENAI_US: Final = {
    "provider": "openai", "region": "us", "jurisdiction": "US",
    "operator": "OpenAI OpCo, LLC", "operator_parent_jurisdiction": "US",
    "key_custody": "provider",
}  # fmt: skip
_ANTHROPIC: Final = {
    "provider": "anthropic", "region": "global", "jurisdiction": "US",
    "operator": "Anthropic, PBC", "operator_parent_jurisdiction": "US",
    "key_custody": "provider",
}  # fmt: skip
_OWN: Final = {
    "provider": "platform", "region": GATEWAY_REGION, "jurisdiction": "DE",
    "operator": "Platform engineering", "operator_parent_jurisdiction": "DE",
    "key_custody": "customer",
}  # fmt: skip
_UNUSED: Final = ("query_embedding", "vector_store", "reranker", "trace_store")

Term = Mapping[str, str | int]


def prices(price_list: PriceList) -> str:
    """`terms/prices`: one row per model, counter and time."""
    first, cut = date(price_list.start.year, 1, 1).isoformat(), price_list.cut_on.isoformat()
    tables = ["# List prices in dollars per million tokens. A price is valid until the next."]
    for model in (GPT, CLAUDE):
        before = price_list.of(model.name, price_list.start)
        after = price_list.of(model.name, price_list.cut_on)
        for counter, place in _COUNTERS:
            row = {"provider": model.provider, "model": model.name, "token_type": counter}
            if before[place] == after[place]:
                times = [(before[place], {"valid_from": first})]
            else:
                old = {"valid_from": first, "valid_to": cut}
                times = [(before[place], old), (after[place], {"valid_from": cut})]
            for pico, valid in times:
                tables.append(_table("price", {**row, "usd_per_million": _usd(pico), **valid}))
    return "\n".join(tables)


def surfaces(price_list: PriceList) -> str:
    """`terms/surfaces`: what contracts say about every place that a request touches."""
    valid = {"valid_from": date(price_list.start.year, 1, 1).isoformat()}
    tables = ["# What contracts and policies say about each surface of the pipeline `chat`."]
    tables += [
        _table("surface", {"pipeline": "chat", **term, **valid}) for term in _surface_terms()
    ]
    return "\n".join(tables)


def _surface_terms() -> Iterator[Term]:
    yield {**_OWN, "surface": "gateway", "provider": "litellm", "document": "Hosting order, 2"}
    for party, paper in (
        (_OPENAI_EU, "OpenAI data processing addendum, annex: European data residency"),
        (_OPENAI_US, "OpenAI data processing addendum"),
        (_ANTHROPIC, "Anthropic commercial terms, data processing addendum"),
    ):
        yield {**party, "surface": "inference", "document": f"{paper}, processing"}
        yield {
            **party,
            "surface": "prompt_cache",
            "lifetime_days": 1,
            "document": f"{paper}, prompt caching",
        }
        yield {
            **party,
            "surface": "abuse_store",
            "lifetime_days": 30,
            "document": f"{paper}, abuse monitoring",
        }
    yield {**_OWN, "surface": "log_store", "lifetime_days": 90, "document": "Retention policy, 3"}
    yield {
        **_OWN,
        "surface": "backup",
        "region": "eu-west-1",
        "jurisdiction": "IE",
        "lifetime_days": 35,
        "document": "Retention policy, 5",
    }
    for surface in _UNUSED:
        yield {
            "surface": surface,
            "provider": "none",
            "jurisdiction": "none",
            "document": "Architecture record: the pipeline has no such surface",
        }


def _usd(pico: int) -> str:
    return format(Decimal(pico) / _PICO_PER_USD_PER_MILLION, "f")


def _table(name: str, row: Mapping[str, str | int]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in row.items()]
    return "\n".join(["", f"[[{name}]]", *lines])


def _value(value: str | int) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'
