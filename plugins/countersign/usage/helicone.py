"""Helicone's token columns: cached prompt tokens are already taken out of `prompt_tokens`.

-1 stands for a count that Helicone could not make. Writes to OpenAI's cache live 30 minutes,
others count as 5 minutes, since no column says.
"""

from countersign.usage.tokens import Block, Counters, Reading, number

COLUMNS = (
    "prompt_tokens",
    "prompt_cache_read_tokens",
    "prompt_cache_write_tokens",
    "completion_tokens",
    "completion_audio_tokens",
)


def read(block: Block, *, is_openai: bool = False, cache_inside: bool = False) -> Reading:
    """Counters of a row's token columns; `cache_inside` for versions that leave the cache in."""
    prompt, cached, written, produced, audio = (_counted(block, name) for name in COLUMNS)
    if cache_inside and prompt is not None:
        prompt -= min(prompt, (cached or 0) + (written or 0))
    counters = Counters(
        in_uncached=prompt,
        in_cache_read=cached,
        in_cache_write_30m=written if is_openai else None,
        in_cache_write_5m=None if is_openai else written,
        out_visible=produced,
        out_other=audio or None,
    )
    if prompt is None and produced is None:
        return Reading(Counters(), None, 0, "no usage was reported")
    return Reading(counters)


def _counted(block: Block, name: str) -> int | None:
    found = number(block, name)
    return None if found == -1 else found
