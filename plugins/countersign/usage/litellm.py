"""LiteLLM's normalised usage object: `prompt_tokens` always includes cache reads and writes.

For Anthropic models LiteLLM adds the cache in itself, so its figures are not the provider's.
"""

from countersign.usage.tokens import (
    Block,
    Counters,
    Reading,
    added,
    agree,
    bounded,
    number,
    part,
    without,
)


def read(block: Block) -> Reading:
    """Counters of a `usage_object`. Writes without a stated lifetime count as 5 minutes."""
    prompt, completion = number(block, "prompt_tokens"), number(block, "completion_tokens")
    inside = part(block, "prompt_tokens_details")
    cached = bounded(prompt, _cached(block, inside))
    created = _created(block, inside)
    hour = number(part(inside, "cache_creation_token_details"), "ephemeral_1h_input_tokens")
    short = without(created, hour)
    produced = part(block, "completion_tokens_details")
    reasoning = bounded(completion, number(produced, "reasoning_tokens"))
    other = added(number(produced, "audio_tokens"), number(produced, "image_tokens"))
    return agree(
        Counters(
            in_uncached=without(prompt, cached, short, hour),
            in_cache_read=cached,
            in_cache_write_5m=short,
            in_cache_write_1h=hour,
            out_visible=without(completion, reasoning, other),
            out_reasoning=reasoning,
            out_other=other,
        ),
        number(block, "total_tokens"),
    )


def _cached(block: Block, inside: Block) -> int | None:
    found = number(inside, "cached_tokens")
    return number(block, "cache_read_input_tokens") if found is None else found


def _created(block: Block, inside: Block) -> int | None:
    found = number(block, "cache_creation_input_tokens")
    return number(inside, "cache_creation_tokens", "cache_write_tokens") if found is None else found
