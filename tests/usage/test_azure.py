"""Azure's figures: metrics whose prompt holds the cache, and a log of unpublished shape."""

import pytest

from countersign import usage
from countersign.usage import Counters


def test_metrics_show_prompt_and_output_and_agree_with_their_sum() -> None:
    block = {"processedprompttokens": 9, "generatedtokens": 3}
    assert usage.counters("azure-metrics", block) == Counters(in_uncached=9, out_visible=3)
    found = usage.reading("azure-metrics", {**block, "processedinferencetokens": 13})
    assert (found.identity_holds, found.unaccounted) == (False, 1)


@pytest.mark.parametrize(
    "block",
    [
        {"prompttokens": 10, "cachedtokens": 4, "completiontokens": 5, "reasoningtokens": 2},
        {"inputtokens": 10, "cached_tokens": 4, "outputtokens": 5, "reasoning_tokens": 2},
    ],
)
def test_a_requests_figures_are_found_under_the_names_that_are_known(
    block: dict[str, int],
) -> None:
    found = usage.reading("azure-request-usage", {**block, "totaltokens": 15})
    assert found.counters == Counters(
        in_uncached=6, in_cache_read=4, out_visible=3, out_reasoning=2
    )
    assert found.identity_holds is True


def test_a_record_without_known_figures_is_silent_and_not_zero() -> None:
    assert usage.counters("azure-request-usage", {"requestlength": 4}).is_empty
