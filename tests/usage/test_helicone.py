"""Helicone's token columns."""

from countersign.usage import Counters
from countersign.usage.helicone import read

ROW = {"prompt_tokens": 176, "prompt_cache_read_tokens": 1024, "completion_tokens": 88}


def test_prompt_tokens_are_without_the_cache() -> None:
    expected = Counters(in_uncached=176, in_cache_read=1024, out_visible=88)
    assert read(ROW).counters == expected


def test_setting_takes_the_cache_out_of_the_prompt() -> None:
    found = read({**ROW, "prompt_tokens": 1200}, cache_inside=True)
    assert found.counters.in_uncached == 176


def test_lifetime_of_a_write_follows_the_provider() -> None:
    written = {**ROW, "prompt_cache_write_tokens": 7}
    assert read(written, is_openai=True).counters.in_cache_write_30m == 7
    assert read(written).counters.in_cache_write_5m == 7


def test_minus_one_is_missing_and_zero_is_zero() -> None:
    assert read({"prompt_tokens": -1, "completion_tokens": -1}).counters == Counters()
    assert read({"prompt_tokens": 0, "completion_tokens": 0}).counters == Counters(
        in_uncached=0, out_visible=0
    )


def test_cache_columns_alone_are_no_usage() -> None:
    assert read({"prompt_cache_read_tokens": 0}).counters == Counters()


def test_audio_is_counted_apart() -> None:
    assert read({**ROW, "completion_audio_tokens": 9}).counters.out_other == 9
