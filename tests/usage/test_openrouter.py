"""OpenRouter's figures: inner ones that exceed what holds them are bounded and said."""

from countersign import usage
from countersign.usage import Counters


def test_a_generations_native_figures_are_made_disjoint() -> None:
    found = usage.reading(
        "openrouter-generation",
        {
            "tokens_prompt": 1190,
            "native_tokens_prompt": 1200,
            "native_tokens_cached": 1024,
            "native_tokens_completion": 140,
            "native_tokens_reasoning": 52,
            "native_tokens_completion_images": 8,
        },
    )
    assert found.counters == Counters(
        in_uncached=176, in_cache_read=1024, out_visible=80, out_reasoning=52, out_other=8
    )
    assert (found.unaccounted, found.identity_holds) == (0, None)


def test_what_exceeds_its_whole_is_counted_as_unaccounted() -> None:
    block = {
        "prompt_tokens": 100,
        "cached_tokens": 140,
        "completion_tokens": 10,
        "reasoning_tokens": 11,
    }
    found = usage.reading("openrouter-activity", block)
    assert (found.counters.total, found.unaccounted) == (110, 41)
    assert found.identity_holds is False


def test_silence_is_silence() -> None:
    assert usage.counters("openrouter-generation", {"native_tokens_prompt": None}).is_empty
    assert usage.counters("openrouter-activity", {}).is_empty
