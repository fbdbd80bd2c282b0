"""Langfuse's `usageDetails`: keys that each integration chooses, overlapping or not.

Some put cached and reasoning tokens inside `input` and `output`, some beside them; Langfuse
stores what it is given. The row's own total decides, where it has one; else a setting must.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from countersign.usage.tokens import Block, Counters, Reading, number, without

Overlap = Literal["stated", "inside", "beside"]
Counter = Literal[
    "in_uncached", "in_cache_read", "in_cache_write_5m", "in_cache_write_30m", "in_cache_write_1h",
    "in_cache_write_12h", "in_tool_use", "out_visible", "out_reasoning", "out_other",
]  # fmt: skip

_WHOLE: Final[Mapping[str, tuple[str, ...]]] = {
    "input": ("input", "input_tokens", "prompt_tokens", "prompt", "promptTokens"),
    "output": ("output", "output_tokens", "completion_tokens", "completion", "completionTokens"),
    "total": ("total", "total_tokens", "totalTokens"),
}
_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "in_cache_read": (
        "input_cached_tokens",
        "cache_read_input_tokens",
        "input_cache_read",
        "input_cache_read_tokens",
        "cached_tokens",
        "cached_content_token_count",
    ),
    "in_cache_write_5m": (
        "input_cache_creation_5m",
        "ephemeral_5m_input_tokens",
    ),
    "in_cache_write_1h": ("input_cache_creation_1h", "ephemeral_1h_input_tokens"),
    "in_tool_use": ("tool_use_prompt_token_count",),
    "out_reasoning": (
        "output_reasoning_tokens",
        "output_reasoning",
        "reasoning_tokens",
        "thoughts_token_count",
    ),
    "out_other": ("output_audio_tokens", "output_audio", "output_image_tokens"),
}
"""Spellings of one thing, the preferred first: a row may have several, and they are one count."""
_WRITTEN: Final = ("cache_creation_input_tokens", "input_cache_creation", "input_cache_write")
"""All writes to the cache, whatever their lifetime; those without a stated one count as 5 m."""
_SIDES: Final = ("in_", "out_")
_RESTS: Final = ("in_uncached", "out_visible")
"""What is left of a side's figure without its parts."""


@dataclass(frozen=True, slots=True)
class Keys:
    """How one integration writes its usage.

    `overlap` says where the parts stand: `inside` the input and output figures, `beside` them,
    or as the total that is `stated` shows. `counters` names what further keys count.
    """

    overlap: Overlap = "stated"
    counters: Mapping[str, Counter] = field(default_factory=dict)


_ANY: Final = Keys()


def chosen(rules: Mapping[str, Keys], model: str) -> Keys:
    """The rule whose prefix of the model name is the longest; the default where none fits."""
    prefix = max((p for p in rules if model.startswith(p)), key=len, default=None)
    return _ANY if prefix is None else rules[prefix]


def read(block: Block, keys: Keys = _ANY) -> Reading:
    """Counters of a `usageDetails` object, and whether its total agrees with them."""
    entered, produced, total = (number(block, *names) for names in _WHOLE.values())
    parts = _parts(block, keys)
    ways = [_counters(entered, produced, parts, way) for way in _ways(keys.overlap)]
    possible = list(dict.fromkeys(way for way in ways if way is not None))
    if not possible:
        beside = _counters(entered, produced, parts, (False, False)) or Counters()
        return Reading(beside, False, 0, "a part exceeds the figure that should contain it")
    if possible[0].is_empty:
        return Reading(Counters(), None, 0, "no usage was reported")
    agreeing = [way for way in possible if way.total == total]
    if len(agreeing) == 1:
        return Reading(agreeing[0], True)
    chosen_way = (agreeing or possible)[0]
    said = _doubt(chosen_way, len(possible) > 1, total) or _unknown(block, keys)
    rest = 0 if total is None else total - chosen_way.total
    return Reading(chosen_way, None if total is None and not said else not said, rest, said)


def _doubt(counters: Counters, is_open: bool, total: int | None) -> str:
    if total is None:
        said = "no total says whether cached and reasoning tokens are inside the figures"
        return said if is_open else ""
    if total != counters.total:
        return f"the stated total {total} is not the sum of its parts {counters.total}"
    return f"several readings give the total {total}"


def _ways(overlap: Overlap) -> Sequence[tuple[bool, bool]]:
    """Whether input and output contain their parts; `beside` first, since most write so."""
    if overlap == "stated":
        return ((False, False), (True, True), (True, False), (False, True))
    return ((overlap == "inside", overlap == "inside"),)


def _counters(
    entered: int | None, produced: int | None, parts: Mapping[str, int], way: tuple[bool, bool]
) -> Counters | None:
    """The counters under one reading; None where the parts would exceed their whole."""
    found = dict(parts)
    for whole, side, rest, contains in zip((entered, produced), _SIDES, _RESTS, way, strict=True):
        inner = sum(n for name, n in parts.items() if name.startswith(side) and name != rest)
        if whole is None:
            continue
        if contains and inner > whole >= 0:
            return None
        found[rest] = whole - inner if contains else whole + parts.get(rest, 0)
    return replace(Counters(), **found)


def _parts(block: Block, keys: Keys) -> dict[str, int]:
    found = {name: number(block, *spellings) for name, spellings in _PARTS.items()}
    if found["in_cache_write_5m"] is None:
        found["in_cache_write_5m"] = without(number(block, *_WRITTEN), found["in_cache_write_1h"])
    for key, counter in keys.counters.items():
        count = number(block, key)
        if count is not None:
            found[counter] = (found.get(counter) or 0) + count
    return {name: count for name, count in found.items() if count is not None}


def _unknown(block: Block, keys: Keys) -> str:
    known = _KNOWN | set(keys.counters)
    counts = (name for name, count in block.items() if count and not isinstance(count, str))
    found = next((str(name)[:40] for name in counts if name not in known), "")
    return f"the key {found!r} is not mapped" if found else ""


_KNOWN: Final = {n for names in (*_WHOLE.values(), *_PARTS.values(), _WRITTEN) for n in names}
