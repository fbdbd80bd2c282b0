"""OpenTelemetry GenAI attributes: by rule, cache is inside the input, reasoning in the output.

Some instrumentations pass Anthropic's own figures on, whose input leaves the cache out. Where
the cache exceeds the input it cannot be inside: it is counted beside, and that is said.
"""

from dataclasses import replace

from countersign.usage.tokens import (
    Block,
    Counters,
    Reading,
    added,
    agree,
    bounded,
    number,
    without,
)

_P = "gen_ai.usage."


def read(block: Block) -> Reading:
    """Counters of a span's flat attributes; older names are read where the new ones are absent."""
    entered = number(block, _P + "input_tokens", _P + "prompt_tokens")
    produced = number(block, _P + "output_tokens", _P + "completion_tokens")
    cached = number(block, _P + "cache_read.input_tokens", _P + "cache_read_input_tokens")
    written = number(
        block,
        _P + "cache_write.input_tokens",
        _P + "cache_creation.input_tokens",
        _P + "cache_creation_input_tokens",
    )
    reasoning = bounded(
        produced, number(block, _P + "reasoning.output_tokens", _P + "reasoning_tokens")
    )
    other = bounded(
        without(produced, reasoning),
        added(number(block, _P + "audio.output_tokens"), number(block, _P + "image.output_tokens")),
    )
    is_beside = entered is not None and entered < (cached or 0) + (written or 0)
    reading = agree(
        Counters(
            in_uncached=entered if is_beside else without(entered, cached, written),
            in_cache_read=cached,
            in_cache_write_5m=written,
            out_visible=without(produced, reasoning, other),
            out_reasoning=reasoning,
            out_other=other,
        ),
        number(block, _P + "total_tokens"),
    )
    return _said(reading, f"cache {cached} + {written}", entered) if is_beside else reading


def _said(reading: Reading, cache: str, entered: int | None) -> Reading:
    reason = f"{cache} cannot be inside the input {entered}: it is counted beside it"
    return replace(reading, identity_holds=False, reason=reason)
