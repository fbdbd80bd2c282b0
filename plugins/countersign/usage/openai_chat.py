"""OpenAI Chat Completions, and the many APIs that speak it (Groq, Mistral, OpenRouter, xAI ...).

Cached and written prompt tokens are inside `prompt_tokens`, reasoning inside
`completion_tokens`; total = prompt + completion. Usage of a stream comes in one extra last
chunk, and only if the client asked for it.
"""

from collections.abc import Sequence
from dataclasses import replace

from countersign.usage.reply import Reply, first
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
    """Counters of a `usage` object. Details that exceed their whole are cut to it, and said."""
    prompt, completion = number(block, "prompt_tokens"), number(block, "completion_tokens")
    inside, produced = (
        part(block, "prompt_tokens_details"),
        part(block, "completion_tokens_details"),
    )
    cached_said = number(inside, "cached_tokens")
    if cached_said is None:
        cached_said = number(block, *_CACHED)
    reasoning_said = number(produced, "reasoning_tokens")
    cached = bounded(prompt, cached_said)
    written = bounded(without(prompt, cached), number(inside, "cache_write_tokens"))
    reasoning = bounded(completion, reasoning_said)
    other = bounded(
        without(completion, reasoning),
        added(number(produced, "audio_tokens"), number(produced, "image_tokens")),
    )
    reading = agree(
        Counters(
            in_uncached=without(prompt, cached, written),
            in_cache_read=cached,
            in_cache_write_30m=written,
            out_visible=without(completion, reasoning, other),
            out_reasoning=reasoning,
            out_other=other,
        ),
        number(block, "total_tokens"),
    )
    if (cached, reasoning) == (cached_said, reasoning_said):
        return reading
    return replace(
        reading,
        identity_holds=False,
        reason=f"a detail exceeds its whole: cached {cached_said} of prompt {prompt}, "
        f"reasoning {reasoning_said} of completion {completion}; the part is cut to the whole",
    )


def reply(events: Sequence[Block]) -> Reply:
    """Usage of a reply: the last chunk that has one (Groq's older place is `x_groq.usage`)."""
    blocks = [b for e in events if (b := part(e, "usage") or part(part(e, "x_groq"), "usage"))]
    return Reply(
        block=blocks[-1] if blocks else None,
        model=first(events, "model"),
        response_id=first(events, "id"),
        is_complete=bool(blocks),
    )


# DeepSeek; Together and Hugging Face; Mistral; xAI: each found in a place of its own
_CACHED = (
    "prompt_cache_hit_tokens",
    "cached_tokens",
    "num_cached_tokens",
    "cached_prompt_text_tokens",
)
