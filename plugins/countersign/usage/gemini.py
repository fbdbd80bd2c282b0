"""Gemini and Vertex AI: the cache is inside the prompt, thoughts stand beside the candidates.

total = prompt + candidates + thoughts + tool-use prompt. Every chunk of a stream may carry
running values: the last one holds, they are never added.
"""

from collections.abc import Mapping, Sequence

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
    """Counters of a `usageMetadata` object."""
    prompt, shown = number(block, "promptTokenCount"), number(block, "candidatesTokenCount")
    cached = bounded(prompt, number(block, "cachedContentTokenCount"))
    other = bounded(shown, _not_text(block.get("candidatesTokensDetails")))
    return agree(
        Counters(
            in_uncached=without(prompt, cached),
            in_cache_read=cached,
            in_tool_use=number(block, "toolUsePromptTokenCount"),
            out_visible=without(shown, other),
            out_reasoning=number(block, "thoughtsTokenCount"),
            out_other=other,
        ),
        number(block, "totalTokenCount"),
    )


def reply(events: Sequence[Block]) -> Reply:
    """Usage of a reply: the last chunk that has one; complete once a finish reason came."""
    blocks = [b for e in events if (b := part(e, "usageMetadata"))]
    return Reply(
        block=blocks[-1] if blocks else None,
        model=first(events, "modelVersion"),
        response_id=first(events, "responseId"),
        is_complete=bool(blocks) and any(map(_is_last, events)),
    )


def _is_last(event: Block) -> bool:
    candidates = event.get("candidates")
    ended = isinstance(candidates, list) and any(
        isinstance(c, Mapping) and c.get("finishReason") for c in candidates
    )
    return ended or bool(part(event, "promptFeedback").get("blockReason"))


def _not_text(details: object) -> int | None:
    if not isinstance(details, list):
        return None
    found = [
        number(d, "tokenCount") or 0
        for d in details
        if isinstance(d, Mapping)
        and d.get("modality") not in ("TEXT", "MODALITY_UNSPECIFIED", None)
    ]
    return sum(found) if found else None
