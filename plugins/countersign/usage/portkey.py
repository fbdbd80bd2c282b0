"""Usage in Portkey's logs: the reply's own block, whole or rewritten into OpenAI's shape.

Rewritten replies of Anthropic and Bedrock keep the cache beside `prompt_tokens` and count it in
`total_tokens`; replies that are OpenAI's own have it inside. The total tells them apart.
"""

from countersign.usage import anthropic, bedrock, litellm, openai_chat, openai_responses
from countersign.usage.tokens import Block, Counters, Reading, number


def read(block: Block) -> Reading:
    """Counters of a reply's `usage`, in whichever shape it came."""
    if "inputTokens" in block:
        return bedrock.read(block)
    if "prompt_tokens" in block:
        return _rewritten(block) if "cache_read_input_tokens" in block else openai_chat.read(block)
    if "input_tokens_details" in block or "total_tokens" in block:
        return openai_responses.read(block)
    return anthropic.read(block)


def read_units(entered: int | None, produced: int | None) -> Reading:
    """Counters of the log's own columns, which know no cache: the split is a guess."""
    counters = Counters(in_uncached=entered, out_visible=produced)
    if counters.is_empty:
        return Reading(counters, None, 0, "no usage was reported")
    return Reading(counters, False, 0, "the columns do not say what came from the cache")


def _rewritten(block: Block) -> Reading:
    prompt, produced = number(block, "prompt_tokens"), number(block, "completion_tokens")
    cached = number(block, "cache_read_input_tokens")
    written = number(block, "cache_creation_input_tokens")
    beside = Counters(
        in_uncached=prompt, in_cache_read=cached, in_cache_write_5m=written, out_visible=produced
    )
    if number(block, "total_tokens") == beside.total:
        return Reading(beside, True)
    return litellm.read(block)
