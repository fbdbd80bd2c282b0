"""Langfuse's usage keys: which reading the row's own total decides, and what it leaves open."""

from typing import get_args

import pytest

from countersign.errors import EvidenceError
from countersign.usage import Counters
from countersign.usage.langfuse import Counter, Keys, chosen, read

CACHED = {"input": 1200, "input_cached_tokens": 1024, "output": 88}


def test_counter_names_are_the_counters() -> None:
    assert set(get_args(Counter)) == set(Counters().columns())


def test_total_shows_that_cached_tokens_are_inside_the_input() -> None:
    found = read({**CACHED, "total": 1288})
    assert found.counters == Counters(in_uncached=176, in_cache_read=1024, out_visible=88)
    assert found.identity_holds


def test_total_shows_that_cached_tokens_stand_beside_the_input() -> None:
    found = read({**CACHED, "total": 1200 + 1024 + 88})
    assert found.counters == Counters(in_uncached=1200, in_cache_read=1024, out_visible=88)
    assert found.identity_holds


def test_each_side_is_decided_by_itself() -> None:
    thoughts = {"input": 1200, "input_cached_tokens": 1024, "output": 60, "reasoning_tokens": 28}
    found = read({**thoughts, "total": 1288})
    assert found.counters == Counters(
        in_uncached=176, in_cache_read=1024, out_visible=60, out_reasoning=28
    )


def test_without_a_total_the_reading_is_not_sure_of_itself() -> None:
    found = read(CACHED)
    assert found.identity_holds is False
    assert "no total" in found.reason
    assert found.counters.in_uncached == 1200


def test_part_above_its_whole_can_only_stand_beside_it() -> None:
    found = read({"input": 96, "cache_read_input_tokens": 4096, "output": 240})
    assert found.counters.in_uncached == 96
    assert found.identity_holds is None


@pytest.mark.parametrize(("overlap", "uncached"), [("inside", 176), ("beside", 1200)])
def test_setting_decides_where_no_total_does(overlap: str, uncached: int) -> None:
    found = read(CACHED, Keys(overlap))  # type: ignore[arg-type]  # parametrized
    assert found.counters.in_uncached == uncached
    assert found.identity_holds is None


def test_setting_that_the_total_contradicts_is_an_estimate() -> None:
    found = read({**CACHED, "total": 1288}, Keys("beside"))
    assert found.identity_holds is False
    assert found.unaccounted == -1024


def test_two_readings_that_give_the_same_total_decide_nothing() -> None:
    same = {"input": 100, "input_cached_tokens": 10, "output": 50, "reasoning_tokens": 10}
    found = read({**same, "total": 160})
    assert found.identity_holds is False
    assert "several readings" in found.reason


def test_keys_are_never_summed_blindly() -> None:
    found = read({"input": 10, "output": 5, "total": 99, "mystery_tokens": 84})
    assert found.counters.total == 15
    assert found.unaccounted == 84


def test_unmapped_key_without_a_total_is_named() -> None:
    found = read({"input": 10, "output": 5, "mystery_tokens": 84})
    assert found.identity_holds is False
    assert "mystery_tokens" in found.reason


def test_mapped_key_is_counted() -> None:
    keys = Keys("beside", {"mystery_tokens": "in_tool_use"})
    found = read({"input": 10, "output": 5, "mystery_tokens": 84}, keys)
    assert found.counters == Counters(in_uncached=10, out_visible=5, in_tool_use=84)
    assert found.identity_holds is None


def test_key_that_is_plain_input_is_added_only_when_it_stands_beside() -> None:
    block = {"input": 100, "input_audio_tokens": 40, "output": 1}
    names: dict[str, Counter] = {"input_audio_tokens": "in_uncached"}
    assert read(block, Keys("beside", names)).counters.in_uncached == 140
    assert read(block, Keys("inside", names)).counters.in_uncached == 100


def test_setting_that_a_row_makes_impossible_is_an_estimate() -> None:
    found = read({"input": 96, "cache_read_input_tokens": 4096, "output": 1}, Keys("inside"))
    assert found.identity_holds is False
    assert (found.counters.in_uncached, found.counters.in_cache_read) == (96, 4096)


def test_two_spellings_of_one_thing_count_once() -> None:
    found = read({**CACHED, "cache_read_input_tokens": 1024, "total": 1288})
    assert found.counters.in_cache_read == 1024


def test_written_tokens_are_split_by_lifetime() -> None:
    block = {"input": 1, "cache_creation_input_tokens": 50, "ephemeral_1h_input_tokens": 30}
    found = read({**block, "output": 1, "total": 52})
    assert (found.counters.in_cache_write_5m, found.counters.in_cache_write_1h) == (20, 30)
    assert found.identity_holds
    untotalled = read({**block, "output": 1}, Keys("beside"))
    assert untotalled.identity_holds is None


@pytest.mark.parametrize("block", [{}, {"input": None}, {"input": "12"}])
def test_nothing_is_missing(block: dict[str, object]) -> None:
    assert read(block).counters == Counters()


def test_reported_zeros_are_zeros() -> None:
    assert read({"input": 0, "output": 0, "total": 0}).counters == Counters(
        in_uncached=0, out_visible=0
    )


def test_fraction_is_no_count() -> None:
    with pytest.raises(EvidenceError, match="input"):
        read({"input": 1.5})


def test_rule_with_the_longest_prefix_is_chosen() -> None:
    rules = {"": Keys("beside"), "gpt-": Keys("inside"), "gpt-5": Keys("stated")}
    assert chosen(rules, "gpt-5.4").overlap == "stated"
    assert chosen(rules, "gpt-4").overlap == "inside"
    assert chosen(rules, "claude").overlap == "beside"
    assert chosen({}, "claude") == Keys()
