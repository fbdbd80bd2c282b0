"""Tokens of a text, where the model's own tokenizer is at hand.

`tiktoken` comes with LiteLLM, which ships its vocabularies too: nothing is fetched. Where it is
absent, or knows no tokenizer for a model, the number is not known; it is never guessed.
"""

from functools import lru_cache
from typing import Any


def count(text: str | None, model: str | None) -> tuple[int | None, str | None]:
    """The number of tokens and the tokenizer's name; None and None when there is none."""
    encoding = _encoding(model.rpartition("/")[2]) if model else None
    if encoding is None or text is None:
        return None, None
    return len(encoding.encode_ordinary(text)), encoding.name


@lru_cache(maxsize=256)
def _encoding(model: str) -> Any:
    try:
        import tiktoken  # type: ignore[import-not-found]  # noqa: PLC0415 - LiteLLM brings it

        return tiktoken.encoding_for_model(model)
    except (ImportError, KeyError, OSError):
        return None
