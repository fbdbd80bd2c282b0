"""Anthropic Messages: cache reads and writes stand beside `input_tokens`; no total is sent.

A stream gives the input side in `message_start`, with a placeholder for the output, and the
output in `message_delta`, whose figures are cumulative: they replace, they do not add.
"""

from collections.abc import Sequence

from countersign.usage.reply import Reply, first
from countersign.usage.tokens import Block, Counters, Reading, bounded, number, part, without


def read(block: Block) -> Reading:
    """Counters of a `usage` object. Writes without a stated lifetime count as 5 minutes."""
    created = number(block, "cache_creation_input_tokens")
    split = part(block, "cache_creation")
    hour = number(split, "ephemeral_1h_input_tokens")
    short = number(split, "ephemeral_5m_input_tokens")
    output = number(block, "output_tokens")
    thinking = bounded(output, number(part(block, "output_tokens_details"), "thinking_tokens"))
    counters = Counters(
        in_uncached=number(block, "input_tokens"),
        in_cache_read=number(block, "cache_read_input_tokens"),
        in_cache_write_5m=short if short is not None else without(created, hour),
        in_cache_write_1h=hour,
        out_visible=without(output, thinking),
        out_reasoning=thinking,
    )
    if counters.is_empty:
        return Reading(counters, None, 0, "no usage was reported")
    if created is None or not split:
        return Reading(counters)
    rest = created - (short or 0) - (hour or 0)
    said = f"cache_creation_input_tokens {created} is not the sum of its lifetimes: {rest} over"
    return Reading(counters, rest == 0, rest, said if rest else "")


def reply(events: Sequence[Block]) -> Reply:
    """Usage of a message; of a cut stream only the input side, for the rest never came."""
    if len(events) == 1 and "usage" in events[0]:
        only = events[0]
        return Reply(part(only, "usage") or None, first(events, "model"), first(events, "id"), True)
    started = next((part(e, "message") for e in events if e.get("type") == "message_start"), {})
    ended = [part(e, "usage") for e in events if e.get("type") == "message_delta"]
    block = {k: v for k, v in part(started, "usage").items() if ended or k != "output_tokens"}
    for delta in ended:
        block |= {k: v for k, v in delta.items() if v is not None}
    return Reply(
        block=block or None,
        model=first([started], "model"),
        response_id=first([started], "id"),
        is_complete=bool(ended),
    )
