"""Amazon Bedrock: Converse replies and the model invocation log.

Cache figures stand beside the input, and the total is the sum of all four. The wire repeats
the cache figures under a second name (`...TokenCount`): one pair is taken.
"""

from collections.abc import Mapping, Sequence

from countersign.usage.reply import Reply, first
from countersign.usage.tokens import Block, Counters, Reading, agree, number, part, without


def read(block: Block) -> Reading:
    """Counters of a Converse `usage`. Writes without a stated lifetime count as 5 minutes."""
    written = number(block, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    hour = _lifetime(block, "1h")
    return agree(
        Counters(
            in_uncached=number(block, "inputTokens"),
            in_cache_read=number(block, "cacheReadInputTokens", "cacheReadInputTokenCount"),
            in_cache_write_5m=without(written, hour),
            in_cache_write_1h=hour,
            out_visible=number(block, "outputTokens"),
        ),
        number(block, "totalTokens"),
    )


def read_log(block: Block) -> Reading:
    """Counters of an invocation log record; it states no total."""
    entered, produced = part(block, "input"), part(block, "output")
    return agree(
        Counters(
            in_uncached=number(entered, "inputTokenCount"),
            in_cache_read=number(entered, "cacheReadInputTokenCount"),
            in_cache_write_5m=number(entered, "cacheWriteInputTokenCount"),
            out_visible=number(produced, "outputTokenCount"),
        ),
        None,
    )


def reply(events: Sequence[Block]) -> Reply:
    """Usage of a Converse reply, or of the last `metadata` event of a ConverseStream."""
    blocks = [b for e in events if (b := part(e, "usage") or part(part(e, "metadata"), "usage"))]
    return Reply(blocks[-1] if blocks else None, None, None, bool(blocks))


def reply_log(events: Sequence[Block]) -> Reply:
    """An invocation log record is its own usage block."""
    record = events[-1]
    return Reply(record, first([record], "modelId"), first([record], "requestId"), True)


def _lifetime(block: Block, ttl: str) -> int | None:
    details = block.get("cacheDetails")
    if not isinstance(details, list):
        return None
    found = [
        number(d, "inputTokens") for d in details if isinstance(d, Mapping) and d.get("ttl") == ttl
    ]
    return sum(f or 0 for f in found) if found else None
