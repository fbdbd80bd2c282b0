"""Azure OpenAI's two aggregates: metrics by the minute, and the request-usage log."""

from countersign.usage import openai_chat
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


def read_metrics(block: Block) -> Reading:
    """Counters of one interval, by lower-case metric names; cached tokens are in the prompt."""
    return agree(
        Counters(
            in_uncached=number(block, "processedprompttokens"),
            out_visible=number(block, "generatedtokens"),
        ),
        number(block, "processedinferencetokens"),
    )


def read_request(block: Block) -> Reading:
    """Counters of a request's properties, by lower-case names.

    The record's shape is not published: a `usage` object is OpenAI's own; else figures are taken
    under the names that other Azure records use.
    """
    if said := part(block, "usage"):
        return openai_chat.read(said)
    entered = number(block, "prompttokens", "inputtokens", "prompt_tokens", "processedprompttokens")
    cached = bounded(entered, number(block, "cachedtokens", "cachedprompttokens", "cached_tokens"))
    produced = number(
        block, "completiontokens", "outputtokens", "generatedtokens", "completion_tokens"
    )
    reasoned = bounded(produced, number(block, "reasoningtokens", "reasoning_tokens"))
    counters = Counters(
        in_uncached=without(entered, cached),
        in_cache_read=cached,
        out_visible=without(produced, reasoned),
        out_reasoning=reasoned,
    )
    return agree(counters, number(block, "totaltokens", "total_tokens"))
