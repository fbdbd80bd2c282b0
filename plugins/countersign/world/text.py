"""Prompts and answers as real text in four languages.

Answers are joined from sentences whose o200k token counts are known: each piece begins with a
letter (after the first, a space and a letter) and ends with a full stop, where the tokenizer
always cuts, so the counts add up exactly.
"""

from bisect import bisect
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from random import Random
from types import ModuleType
from typing import Any, Final, TypeVar

from rs_bpe.bpe import openai

from countersign.world import phrase_de, phrase_en, phrase_es, phrase_fr

_BANKS: Final[dict[str, ModuleType]] = {
    "en": phrase_en,
    "de": phrase_de,
    "fr": phrase_fr,
    "es": phrase_es,
}
_NAMES: Final = 220
_FIRST: Final = ("Ver", "Lum", "Kar", "Nor", "Tal", "Bri", "Sol", "Fen", "Mar", "Jun", "Ost", "Pel")
_MIDDLE: Final = ("a", "e", "i", "o", "an", "el", "is", "or")
_LAST: Final = ("dor", "via", "nex", "tra", "lin", "mo", "ska", "ris", "tel", "zen")
HOSTILE: Final = (
    "<script>alert('x')</script><img src=x onerror=alert(1)>",
    "</td></tr></table><h1>All controls satisfied</h1>",
    "control \x00\x07\x08\x1b[31mred\x1b[0m\x7f characters",
    "\u202etxet desrever\u202c \u200f\u05e9\u05dc\u05d5\u05dd \u2067isolated\u2069",
    "{{ 7 * 7 }} {% raw %} ${HOME} %(name)s",
    "'; DROP TABLE calls; -- =HYPERLINK(A1)",
    "zero\u200bwidth \ufeffmark, \U0001f469\u200d\U0001f52c and e\u0301",
)


@cache
def tokenizer() -> Any:
    """The o200k tokenizer."""
    return openai.o200k_base()


@dataclass(frozen=True, slots=True)
class Answer:
    """Text with its o200k token count."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What an answer is joined from; an opening has no space before it, which is other tokens."""

    openings: tuple[Answer, ...]
    short_openings: tuple[Answer, ...]
    sentences: tuple[Answer, ...]
    shorts: tuple[Answer, ...]


@cache
def _pieces(language: str, intent: str) -> _Pieces:
    bank = _BANKS[language]
    own: tuple[str, ...] = bank.INTENTS[intent][2]
    often = (*own, *own, *bank.GENERAL)
    return _Pieces(
        _counted("", often),
        _counted("", bank.SHORTS),
        _counted(" ", often),
        _counted(" ", bank.SHORTS),
    )


def _counted(space: str, sentences: tuple[str, ...]) -> tuple[Answer, ...]:
    return tuple(Answer(space + s, tokenizer().count(space + s)) for s in sentences)


def answer(rng: Random, language: str, intent: str, target: int) -> Answer:
    """An answer of about `target` o200k tokens, whose `tokens` is its exact count."""
    pieces = _pieces(language, intent)
    chosen = [_opening(pieces, rng, target)]
    total = chosen[0].tokens
    while total < target:
        rest = target - total
        piece = _pick(pieces.sentences, rng)
        if piece.tokens > rest + rest // 4 + 3:
            piece = _nearest(pieces.shorts, rest)
        chosen.append(piece)
        total += piece.tokens
    return Answer("".join(p.text for p in chosen), total)


def _opening(pieces: _Pieces, rng: Random, target: int) -> Answer:
    if target < 12:
        return _nearest(pieces.short_openings, target)
    return _pick(pieces.openings, rng)


def _nearest(options: tuple[Answer, ...], tokens: int) -> Answer:
    return min(options, key=lambda p: abs(p.tokens - tokens))


def prefix(whole: Answer, tokens: int) -> Answer:
    """The longest prefix of at most so many tokens that ends at a word, with its exact count."""
    if tokens >= whole.tokens:
        return whole
    ids = tokenizer().encode(whole.text)
    while tokens and not tokenizer().decode([ids[tokens]]).startswith(" "):
        tokens -= 1
    return Answer(tokenizer().decode(ids[:tokens]) if tokens else "", tokens)


def prompt(rng: Random, tenant: str, language: str, intent: str) -> str:
    """What one person types: an opener, a question with names and numbers, details, a closer."""
    bank = _BANKS[language]
    asks, details, _ = bank.INTENTS[intent]
    question = _pick(asks, rng).format(
        number=rng.randrange(10_000_000, 99_999_999),
        product=product(rng, tenant),
        other=product(rng, tenant),
    )
    at = int(rng.random() * len(details))
    parts = [_pick(bank.OPENERS, rng), question, details[at]]
    if rng.random() < 0.35:
        parts.append(details[at - 1])
    parts.append(_pick(bank.CLOSERS, rng))
    return " ".join(part for part in parts if part)


def hostile(rng: Random, innocent: str) -> str:
    """The prompt with markup, control characters or direction marks in it."""
    return f"{innocent} {_pick(HOSTILE, rng)}"


def giant(innocent: str, size: int) -> str:
    """A prompt of about `size` bytes."""
    return " ".join([innocent] * (size // (len(innocent.encode()) + 1) + 1))


def product(rng: Random, tenant: str) -> str:
    """A product name of the tenant, frequencies by Zipf's law."""
    names, weights = _catalogue(tenant)
    return names[bisect(weights, rng.random() * weights[-1])]


@cache
def _catalogue(tenant: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    rng = Random(f"catalogue {tenant}")
    names: dict[str, None] = {}
    while len(names) < _NAMES:
        names[_pick(_FIRST, rng) + _pick(_MIDDLE, rng) + _pick(_LAST, rng)] = None
    return tuple(names), tuple(accumulate(1 / (rank + 2) for rank in range(_NAMES)))


T = TypeVar("T")


def _pick(options: tuple[T, ...], rng: Random) -> T:
    return options[int(rng.random() * len(options))]
