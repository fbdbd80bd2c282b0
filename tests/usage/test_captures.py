"""Every real capture: its counters are what its wire's identity says, or a known exception."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from countersign import usage
from countersign.errors import SourceError
from countersign.usage import Counters, Reading, Usage

WIRE = {
    "oai_chat": "openai-chat",
    "oai_resp": "openai-responses",
    "anthropic": "anthropic",
    "bedrock": "bedrock",
    "gemini": "gemini",
    "cohere": "cohere",
}
HIDDEN_THOUGHTS = {(35, 12, 109): 62, (66, 6, 100): 28}
"""Gemini behind its OpenAI-compatible endpoint: prompt, completion, total -> tokens not shown."""


def _figure(block: dict[str, Any], *path: str) -> int:
    value: Any = block
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value or 0


def _expected_total(wire: str, block: dict[str, Any]) -> int:
    """The identity of each wire, written out independently of the code under test."""

    def take(*names: str) -> int:
        return sum(_figure(block, name) for name in names)

    if wire == "openai-chat":
        return take("prompt_tokens", "completion_tokens")
    if wire == "openai-responses":
        return take("input_tokens", "output_tokens")
    if wire == "anthropic":
        return take(
            "input_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "output_tokens",
        )
    if wire == "bedrock":
        return take("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    if wire == "gemini":
        return take(
            "promptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "toolUsePromptTokenCount",
        )
    assert wire == "cohere"
    billed = block["billed_units"]
    return int(billed["input_tokens"] + billed["output_tokens"])


def _stated_total(block: dict[str, Any]) -> int | None:
    return next(
        (block[k] for k in ("total_tokens", "totalTokens", "totalTokenCount") if k in block), None
    )


def _check(wire: str, block: dict[str, Any], reading: Reading | Usage) -> str:
    """Assert the identity and return how the block was classified."""
    counters = reading.counters
    assert counters.total == _expected_total(wire, block)
    assert all(v is None or v >= 0 for v in _values(counters))
    if counters.is_empty:
        return "no figures"
    stated = _stated_total(block)
    if stated is None:
        assert reading.identity_holds in (True, None)
        return "no total sent"
    if reading.identity_holds:
        assert counters.total == stated
        return "holds"
    assert reading.reason
    if reading.unaccounted:
        key = (block["prompt_tokens"], block["completion_tokens"], stated)
        assert HIDDEN_THOUGHTS[key] == reading.unaccounted == stated - counters.total
        return "hidden tokens"
    produced = block["completion_tokens"]
    assert _figure(block, "completion_tokens_details", "reasoning_tokens") > produced
    assert counters.output_total == produced == counters.out_reasoning
    return "reasoning above completion"


def _values(counters: Counters) -> Iterator[int | None]:
    return (getattr(counters, name) for name in Counters.__dataclass_fields__)


@pytest.fixture(scope="session")
def usage_blocks(shared_data: Path) -> list[tuple[str, dict[str, Any]]]:
    lines = (shared_data / "provider_captures" / "usage_vs_rendered.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [(WIRE[row["wire"]], row["usage"]) for row in rows if row["usage"]]


def test_every_usage_block_adds_up(usage_blocks: list[tuple[str, dict[str, Any]]]) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for wire, block in usage_blocks:
        seen[wire, _check(wire, block, usage.reading(wire, block))] += 1
    for (wire, outcome), count in sorted(seen.items()):
        print(f"{wire:18} {outcome:26} {count}")
    assert len(usage_blocks) == sum(seen.values()) > 850
    assert seen["openai-chat", "hidden tokens"] == 2
    assert seen["openai-chat", "reasoning above completion"] == 1
    assert seen["gemini", "no figures"] == 1
    for wire, count in (("openai-chat", 190), ("openai-responses", 230), ("gemini", 140)):
        assert seen[wire, "holds"] > count
    assert seen["bedrock", "holds"] == 117


def test_reasoning_and_cache_are_taken_out_of_their_wholes(
    usage_blocks: list[tuple[str, dict[str, Any]]],
) -> None:
    checked = 0
    for wire, block in usage_blocks:
        counters = usage.counters(wire, block)
        if wire == "openai-responses":
            said = _figure(block, "input_tokens_details", "cached_tokens")
            assert (counters.in_cache_read or 0) == said
            thought = _figure(block, "output_tokens_details", "reasoning_tokens")
            assert (counters.out_reasoning or 0) == thought
        elif wire == "anthropic":
            assert counters.in_uncached == block["input_tokens"]
            split = block.get("cache_creation") or {}
            assert counters.in_cache_write_1h == split.get("ephemeral_1h_input_tokens")
        elif wire == "gemini":
            assert counters.out_reasoning == block.get("thoughtsTokenCount")
        else:
            continue
        checked += 1
    assert checked > 500


PROVIDER = {
    "api.anthropic.com": "anthropic",
    "api.openai.com": "openai",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.cerebras.ai": "cerebras",
    "openrouter.ai": "openrouter",
    "generativelanguage.googleapis.com": "gemini",
    "aiplatform.googleapis.com": "vertex",
    "europe-west4-aiplatform.googleapis.com": "vertex",
    "bedrock-runtime.us-east-1.amazonaws.com": "bedrock",
    "pydantic-ai-realtime-dev.openai.azure.com": "azure",
}
GENERATES = ("/messages", "/converse", "/converse-stream", "/chat/completions", "/responses")


def _bodies(folder: Path) -> Iterator[tuple[str, str, int, bytes]]:
    """Cassette, provider, status and raw body of every call that generates text."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted(folder.rglob("*.yaml")):
        for exchange in yaml.load(file.read_text(), loader)["interactions"]:
            if "response" not in exchange:
                continue
            where, answer = urlsplit(exchange["request"]["uri"]), exchange["response"]
            if where.netloc in PROVIDER and (
                where.path.endswith(GENERATES) or "enerateContent" in where.path
            ):
                yield file.name, PROVIDER[where.netloc], answer["status"]["code"], _body(answer)


def _body(answer: dict[str, Any]) -> bytes:
    if "parsed_body" in answer:
        return json.dumps(answer["parsed_body"]).encode()
    kept = answer["body"]["string"]
    return kept if isinstance(kept, bytes) else kept.encode()


def test_every_cassette_is_read_as_it_came_over_the_wire(shared_data: Path) -> None:
    outcomes: Counter[tuple[str, str]] = Counter()
    for name, provider, status, body in _bodies(shared_data / "provider_captures" / "raw"):
        if status != 200:
            with pytest.raises(SourceError):
                usage.read(provider, body)
            outcomes[provider, "refused"] += 1
            continue
        found = usage.read(provider, body)
        assert found == usage.read(provider, body)
        assert usage.read("auto", body).counters == found.counters, name
        if found.raw is None:
            assert found.quality == "missing"
            outcomes[found.wire, "no usage sent"] += 1
        else:
            outcomes[found.wire, _check(found.wire, json.loads(found.raw), found)] += 1
            assert found.quality == ("estimated" if found.unaccounted else "exact"), name
        assert found.model or found.wire == "bedrock" or not found.raw
    for (wire, outcome), count in sorted(outcomes.items()):
        print(f"{wire:18} {outcome:26} {count}")
    assert sum(outcomes.values()) > 170
    assert {wire for wire, _ in outcomes} > {"bedrock", "gemini", "anthropic", "openai-responses"}
