"""OpenTelemetry GenAI attributes: by rule, cache is inside the input, reasoning in the output."""

from countersign.usage.tokens import Block, Counters, Reading, agree, bounded, number, without

_P = "gen_ai.usage."


def read(block: Block) -> Reading:
    """Counters of a span's flat attributes; older names are read where the new ones are absent."""
    entered = number(block, _P + "input_tokens", _P + "prompt_tokens")
    produced = number(block, _P + "output_tokens", _P + "completion_tokens")
    cached = bounded(
        entered, number(block, _P + "cache_read.input_tokens", _P + "cache_read_input_tokens")
    )
    written = bounded(
        without(entered, cached),
        number(block, _P + "cache_write.input_tokens", _P + "cache_creation.input_tokens"),
    )
    reasoning = bounded(
        produced, number(block, _P + "reasoning.output_tokens", _P + "reasoning_tokens")
    )
    return agree(
        Counters(
            in_uncached=without(entered, cached, written),
            in_cache_read=cached,
            in_cache_write_5m=written,
            out_visible=without(produced, reasoning),
            out_reasoning=reasoning,
        ),
        None,
    )
