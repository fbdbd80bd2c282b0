"""Usage reports of whole organizations: one block is one bucket and group, not one call."""

from countersign.usage.tokens import Block, Counters, Reading, added, number, part, without


def read_openai(block: Block) -> Reading:
    """Counters of one result of OpenAI's usage API: `input_tokens` holds cached and written.

    The report shows no reasoning: it is inside `out_visible`.
    """
    entered, produced = number(block, "input_tokens"), number(block, "output_tokens")
    cached = number(block, "input_cached_tokens")
    half_day = number(block, "input_cache_write_12h_tokens")
    written = number(block, "input_cache_write_30m_tokens")
    if written is None:
        written = without(number(block, "input_cache_write_tokens"), half_day)
    stated = number(block, "input_uncached_tokens")
    rest = without(entered, cached, written, half_day)
    other = added(number(block, "output_audio_tokens"), number(block, "output_image_tokens"))
    counters = Counters(
        in_uncached=rest if stated is None else stated,
        in_cache_read=cached,
        in_cache_write_30m=written,
        in_cache_write_12h=half_day,
        out_visible=without(produced, other),
        out_other=other,
    )
    if stated is None or rest is None:
        return Reading(counters)
    over = rest - stated
    said = f"input_tokens {entered} is not cached + written + uncached: {over} over"
    return Reading(counters, over == 0, over, said if over else "")


def read_anthropic(block: Block) -> Reading:
    """Counters of one result of Anthropic's usage report, whose figures are disjoint."""
    created = part(block, "cache_creation")
    return Reading(
        Counters(
            in_uncached=number(block, "uncached_input_tokens"),
            in_cache_read=number(block, "cache_read_input_tokens"),
            in_cache_write_5m=number(created, "ephemeral_5m_input_tokens"),
            in_cache_write_1h=number(created, "ephemeral_1h_input_tokens"),
            out_visible=number(block, "output_tokens"),
        )
    )
