"""Cohere: `billed_units` is what is priced; `tokens` is what the model saw, and is larger."""

from collections.abc import Sequence

from countersign.usage.reply import Reply, first
from countersign.usage.tokens import Block, Counters, Reading, number, part


def read(block: Block) -> Reading:
    """Counters of the billed units; without them, of the tokens.

    `cached_tokens` counts the model's own preamble too and may exceed the billed input: it is
    no part of it, and stays in the raw block.
    """
    billed, seen = part(block, "billed_units"), part(block, "tokens")
    priced = billed or seen
    counters = Counters(
        in_uncached=number(priced, "input_tokens"), out_visible=number(priced, "output_tokens")
    )
    if not billed or not seen:
        return Reading(counters, None, 0, "" if priced else "no usage was reported")
    holds = counters.total <= (number(seen, "input_tokens") or 0) + (
        number(seen, "output_tokens") or 0
    )
    return Reading(counters, holds, 0, "" if holds else "more units are billed than tokens seen")


def reply(events: Sequence[Block]) -> Reply:
    """Usage of a chat reply, or of the `message-end` event of a stream."""
    blocks = [b for e in events if (b := part(e, "usage") or part(part(e, "delta"), "usage"))]
    return Reply(
        blocks[-1] if blocks else None, first(events, "model"), first(events, "id"), bool(blocks)
    )
