"""Usage blocks as Portkey logs them, in several shapes."""

from countersign.usage import Counters
from countersign.usage.portkey import read, read_units


def test_rewritten_reply_has_the_cache_beside_the_prompt_when_its_total_says_so() -> None:
    block = {
        "prompt_tokens": 96,
        "completion_tokens": 240,
        "total_tokens": 4944,
        "cache_read_input_tokens": 4096,
        "cache_creation_input_tokens": 512,
    }
    assert read(block).counters == Counters(
        in_uncached=96, in_cache_read=4096, in_cache_write_5m=512, out_visible=240
    )
    inside = read({**block, "prompt_tokens": 4704, "total_tokens": 4944})
    assert inside.counters.in_uncached == 96
    assert inside.identity_holds


def test_openai_reply_has_the_cache_inside_the_prompt() -> None:
    found = read(
        {
            "prompt_tokens": 1200,
            "completion_tokens": 88,
            "total_tokens": 1288,
            "prompt_tokens_details": {"cached_tokens": 1024},
        }
    )
    assert found.counters.in_uncached == 176


def test_other_shapes_are_read_as_their_providers_write_them() -> None:
    messages = read({"input_tokens": 96, "output_tokens": 2, "cache_read_input_tokens": 4096})
    assert messages.counters.in_uncached == 96
    responses = read(
        {
            "input_tokens": 96,
            "output_tokens": 2,
            "total_tokens": 98,
            "input_tokens_details": {"cached_tokens": 90},
        }
    )
    assert responses.counters.in_uncached == 6
    converse = read({"inputTokens": 5, "outputTokens": 2, "totalTokens": 7})
    assert converse.counters == Counters(in_uncached=5, out_visible=2)


def test_columns_without_the_cache_are_a_guess() -> None:
    assert read_units(1200, 88).identity_holds is False
    assert read_units(None, None).counters == Counters()
