"""LiteLLM's normalised usage object: `prompt_tokens` always includes cache reads and writes.

For Anthropic models LiteLLM adds the cache in itself, so its figures are not the provider's.
Gateways log millions of these, so they are read in columns; a single block is a column of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np

from countersign.usage.figures import Figures, Known, Whole, added, bounded, total, without
from countersign.usage.tokens import Block, Counters, Reading, agree, number, part

T = TypeVar("T", bound=msgspec.Struct)


class Lifetimes(msgspec.Struct, frozen=True, gc=False):
    """Cache writes by how long they live."""

    ephemeral_1h_input_tokens: int | None = None


class Asked(msgspec.Struct, frozen=True, gc=False):
    """`prompt_tokens_details`."""

    cached_tokens: int | None = None
    cache_creation_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_creation_token_details: Lifetimes | None = None


class Produced(msgspec.Struct, frozen=True, gc=False):
    """`completion_tokens_details`."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class Usage(msgspec.Struct, frozen=True, gc=False):
    """The figures of a block, under their own names."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    prompt_tokens_details: Asked | None = None
    completion_tokens_details: Produced | None = None

    @classmethod
    def of(cls, block: Block) -> "Usage":
        """The figures of a decoded block; what is no number counts as absent.

        Raises:
            EvidenceError: a figure has a fraction, or more than 64 bits.
        """
        asked = part(block, "prompt_tokens_details")
        produced = part(block, "completion_tokens_details")
        lifetimes = _taken(Lifetimes, part(asked, "cache_creation_token_details"))
        return _taken(
            cls,
            block,
            prompt_tokens_details=_taken(Asked, asked, cache_creation_token_details=lifetimes),
            completion_tokens_details=_taken(Produced, produced),
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """Counters of many blocks, by name; `rest` is the stated total minus what is in a counter."""

    counters: Mapping[str, Figures]
    totals: Figures
    rest: Whole

    @property
    def empty(self) -> Known:
        """Where nothing was reported: no figure at all, or only zeros beside unknown totals."""
        sides = (self.counters["in_uncached"], self.counters["out_visible"])
        said = sides[0].known | sides[1].known
        summed: Known = total(self.counters.values()) == 0
        return ~said & summed


def count(blocks: Sequence[Usage]) -> Counted:
    """Counters of usage objects. Writes without a stated lifetime count as 5 minutes.

    Raises:
        EvidenceError: a figure is no plausible count.
    """
    prompt = Figures.of("prompt_tokens", [b.prompt_tokens for b in blocks])
    completion = Figures.of("completion_tokens", [b.completion_tokens for b in blocks])
    totals = Figures.of("total_tokens", [b.total_tokens for b in blocks])
    cached = bounded(prompt, Figures.of("cached_tokens", [_cached(b) for b in blocks]))
    created = Figures.of("cache_creation_tokens", [_created(b) for b in blocks])
    hour = Figures.of("ephemeral_1h_input_tokens", [_hour(b) for b in blocks])
    produced = [b.completion_tokens_details or _NOTHING for b in blocks]
    reasoning = Figures.of("reasoning_tokens", [p.reasoning_tokens for p in produced])
    reasoning = bounded(completion, reasoning)
    other = added(
        Figures.of("audio_tokens", [p.audio_tokens for p in produced]),
        Figures.of("image_tokens", [p.image_tokens for p in produced]),
    )
    short = without(created, hour)
    counters = {
        "in_uncached": without(prompt, cached, short, hour),
        "in_cache_read": cached,
        "in_cache_write_5m": short,
        "in_cache_write_1h": hour,
        "out_visible": without(completion, reasoning, other),
        "out_reasoning": reasoning,
        "out_other": other,
    }
    rest = np.where(totals.known, totals.values - total(counters.values()), 0)
    return Counted(counters, totals, rest)


def read(block: Block) -> Reading:
    """Counters of one `usage_object`."""
    counted = count([Usage.of(block)])
    counters = Counters(**{name: figure.list()[0] for name, figure in counted.counters.items()})
    return agree(counters, counted.totals.list()[0])


_NOTHING = Produced()


def _cached(block: Usage) -> int | None:
    asked = block.prompt_tokens_details
    if asked is None or asked.cached_tokens is None:
        return block.cache_read_input_tokens
    return asked.cached_tokens


def _created(block: Usage) -> int | None:
    asked = block.prompt_tokens_details
    if block.cache_creation_input_tokens is not None or asked is None:
        return block.cache_creation_input_tokens
    said = asked.cache_creation_tokens
    return asked.cache_write_tokens if said is None else said


def _hour(block: Usage) -> int | None:
    asked = block.prompt_tokens_details
    lifetimes = None if asked is None else asked.cache_creation_token_details
    return None if lifetimes is None else lifetimes.ephemeral_1h_input_tokens


def _taken(kind: type[T], block: Block, **parts: object) -> T:
    names = (name for name in kind.__struct_fields__ if name not in parts)
    return kind(**{name: number(block, name) for name in names}, **parts)
