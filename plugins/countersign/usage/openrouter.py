"""OpenRouter's own records: one generation, and a day's activity of one endpoint.

Cached and reasoning tokens are inside prompt and completion. Cached may exceed the prompt on
replayed cache hits, and reasoning the completion: what is over is in no prompt and no completion.
"""

from countersign.usage.tokens import Block, Counters, Reading, added, bounded, number, without


def read_generation(block: Block) -> Reading:
    """Counters of a generation: the native figures, which are what is billed."""
    images = number(block, "native_tokens_completion_images")
    return _disjoint(
        number(block, "native_tokens_prompt"),
        number(block, "native_tokens_cached"),
        number(block, "native_tokens_completion"),
        number(block, "native_tokens_reasoning"),
        images,
    )


def read_activity(block: Block) -> Reading:
    """Counters of one row of the activity report."""
    return _disjoint(
        number(block, "prompt_tokens"),
        number(block, "cached_tokens"),
        number(block, "completion_tokens"),
        number(block, "reasoning_tokens"),
        None,
    )


def _disjoint(
    prompt: int | None,
    cached: int | None,
    completion: int | None,
    reasoning: int | None,
    images: int | None,
) -> Reading:
    read, thought = bounded(prompt, cached), bounded(completion, reasoning)
    shown = without(completion, thought)
    other = bounded(shown, images)
    counters = Counters(
        in_uncached=without(prompt, read),
        in_cache_read=read,
        out_visible=without(shown, other),
        out_reasoning=thought,
        out_other=other,
    )
    over = added(without(cached, read), without(reasoning, thought)) or 0
    if not over:
        return Reading(counters)
    return Reading(counters, False, over, f"{over} tokens exceed the figure that contains them")
