"""OpenAI Responses: cache reads and writes inside `input_tokens`, reasoning inside the output.

In a stream the usage sits in the closing event (`response.completed`, `.incomplete`, `.failed`).
"""

from collections.abc import Sequence

from countersign.usage.reply import Reply, first
from countersign.usage.tokens import (
    Block,
    Counters,
    Reading,
    agree,
    bounded,
    number,
    part,
    without,
)


def read(block: Block) -> Reading:
    """Counters of a `usage` object. Writes without a stated lifetime count as the shorter one."""
    entered, produced = number(block, "input_tokens"), number(block, "output_tokens")
    inside = part(block, "input_tokens_details")
    cached = bounded(entered, number(inside, "cached_tokens"))
    lifetimes = part(inside, "cache_write_tokens_details") or part(
        block, "cache_write_tokens_details"
    )
    half_day = number(lifetimes, "ttl_12h_tokens")
    written = without(number(inside, "cache_write_tokens"), half_day)
    reasoning = bounded(produced, number(part(block, "output_tokens_details"), "reasoning_tokens"))
    return agree(
        Counters(
            in_uncached=without(entered, cached, written, half_day),
            in_cache_read=cached,
            in_cache_write_30m=written,
            in_cache_write_12h=half_day,
            out_visible=without(produced, reasoning),
            out_reasoning=reasoning,
        ),
        number(block, "total_tokens"),
    )


def reply(events: Sequence[Block]) -> Reply:
    """Usage of a response object, or of the closing event of a stream."""
    inner = [part(e, "response") or e for e in events]
    blocks = [b for e in inner if (b := part(e, "usage"))]
    return Reply(
        block=blocks[-1] if blocks else None,
        model=first(inner, "model"),
        response_id=first(inner, "id"),
        is_complete=bool(blocks),
    )
