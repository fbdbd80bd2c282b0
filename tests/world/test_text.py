from random import Random

import pytest

from countersign.world import text
from countersign.world.installation import INTENTS, LANGUAGES, NEW_INTENT


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", (*INTENTS, NEW_INTENT))
def test_token_counts_of_joined_sentences_are_those_of_the_whole_text(
    language: str, intent: str
) -> None:
    rng = Random(f"{language} {intent}")
    for target in (1, 7, 40, 200, 900):
        answer = text.answer(rng, language, intent, target)
        assert text.tokenizer().count(answer.text) == answer.tokens
        assert abs(answer.tokens - target) <= max(8, target // 4)


def test_a_prefix_is_a_prefix_and_its_count_is_exact() -> None:
    whole = text.answer(Random(1), "de", "refund", 300)
    for tokens in (0, 1, 2, 17, 150, 299, whole.tokens, 5_000):
        cut = text.prefix(whole, tokens)
        assert whole.text.startswith(cut.text)
        assert cut.tokens <= tokens
        assert text.tokenizer().count(cut.text) == cut.tokens


def test_prompts_of_one_intent_vary() -> None:
    rng = Random(2)
    made = {text.prompt(rng, "aster-bank", "en", "refund") for _ in range(200)}
    assert len(made) > 190


def test_product_names_have_a_long_tail() -> None:
    rng = Random(3)
    names = [text.product(rng, "borealis-shop") for _ in range(5_000)]
    counts = sorted((names.count(name) for name in set(names)), reverse=True)
    assert len(counts) > 150
    assert counts[0] > 20 * counts[-1]


def test_a_giant_prompt_has_about_the_wanted_size() -> None:
    assert 1_000_000 <= len(text.giant("Hello, where is it?", 1_000_000).encode()) < 1_000_100
