"""The usage objects of a page of LiteLLM entries: verbatim, and counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.connectors.wire.spend_log import Entry, Metadata, UsageObject, decoded
from countersign.connectors.wire.value import inner, text
from countersign.usage import litellm
from countersign.usage.figures import Known, total
from countersign.usage.litellm import Usage
from countersign.usage.tokens import number

_BLOCKS: Final = msgspec.json.Decoder(UsageObject | None)
_NONE: Final = b"null"
_SPACES: Final = (b" ", b"\t", b"\r")
_EMPTY: Final = UsageObject()
_CACHE: Final = ("in_cache_read", "in_cache_write_5m", "in_cache_write_1h")
Columns: TypeAlias = Mapping[str, pa.Array]


@dataclass(frozen=True, slots=True)
class Blocks:
    """What every row of a page said about its usage: the object's text, and its figures."""

    raw: Sequence[bytes]
    objects: Sequence[UsageObject]

    @property
    def texts(self) -> pa.Array:
        """The objects as the source wrote them, without white space between the parts."""
        column = pa.array(self.raw, pa.binary()).cast(pa.string())
        return pc.if_else(pc.equal(column, _NONE.decode()), pa.scalar(None, pa.string()), column)


def blocks(rows: Sequence[Entry], about: Sequence[Metadata]) -> Blocks:
    """Find the usage object of every row."""
    found = [bytes(m.usage_object) for m in about]
    for position, raw in enumerate(found):
        if not raw.startswith(b"{") or raw == b"{}":
            found[position] = _hidden(rows[position]) or _NONE
    joined = b"\n".join(found)
    if any(space in joined for space in _SPACES) or joined.count(b"\n") >= len(found):
        found = [_object(raw) or _NONE for raw in found]
    try:
        typed: list[UsageObject | None] = _BLOCKS.decode_lines(b"\n".join(found))
    except (msgspec.DecodeError, RecursionError):
        typed = [_lenient(raw) for raw in found]
    return Blocks(found, [block or _EMPTY for block in typed])


def counted(
    rows: Sequence[Entry], about: Sequence[Metadata], said: Blocks, *, ok: Known, cached: Known
) -> Columns:
    """Counters of every row and their quality. What LiteLLM counted itself is an estimate.

    `ok` rows ended well, `cached` ones the gateway answered itself. Rows of calls that broke off
    say zero cached tokens whatever the provider did, and zero of everything when no chunk came:
    they know nothing of it.
    """
    whole = [
        block if block.prompt_tokens is not None else _completed(row, m, block)
        for row, m, block in zip(rows, about, said.objects, strict=True)
    ]
    count = litellm.count(whole)
    missing = ~cached & (count.empty | (~ok & (total(count.counters.values()) == 0)))
    estimated = ~cached & ~missing & (~ok | (count.rest != 0))
    kept = ~cached & ~missing
    said_cache = total(count.counters[name] for name in _CACHE) != 0
    columns = {}
    for name, figures in count.counters.items():
        shown = kept & (ok | said_cache) if name in _CACHE else kept
        left = figures.where(shown)
        is_zero = cached if name in ("in_uncached", "out_visible") else np.zeros_like(cached)
        columns[name] = pa.array(left.values, pa.int64(), mask=~(left.known | is_zero))
    quality = np.select([missing, estimated], [1, 2], 0)
    names = pa.array(["exact", "missing", "estimated"])
    return {**columns, "usage_quality": names.take(pa.array(quality))}


def _object(raw: Any) -> bytes | None:
    """An object that is not empty, in one line."""
    found = bytes(raw)
    if not found.startswith(b"{"):
        return None
    if b"\n" in found or any(space in found for space in _SPACES):
        found = msgspec.json.format(found, indent=-1)
    return found if found != b"{}" else None


def _hidden(row: Entry) -> bytes | None:
    return None if row.hidden_params is None else _object(row.hidden_params.usage_object)


def _lenient(raw: bytes) -> UsageObject | None:
    block = decoded(raw)
    if not isinstance(block, dict):
        return None
    return UsageObject(
        **msgspec.structs.asdict(Usage.of(block)),
        inference_geo=text(block.get("inference_geo")),
        service_tier=text(block.get("service_tier")),
    )


def _completed(row: Entry, about: Metadata, block: UsageObject) -> Usage:
    """The usage object, completed by the row's own totals where it lacks them."""
    more = decoded(about.additional_usage_values)
    beside = inner({"more": more}, "more")
    read = number(beside, "cache_read_input_tokens")
    created = number(beside, "cache_creation_input_tokens")
    return Usage(
        prompt_tokens=row.prompt_tokens or None,
        completion_tokens=row.completion_tokens or block.completion_tokens,
        total_tokens=row.total_tokens or block.total_tokens,
        cache_read_input_tokens=block.cache_read_input_tokens if read is None else read,
        cache_creation_input_tokens=(
            block.cache_creation_input_tokens if created is None else created
        ),
        prompt_tokens_details=block.prompt_tokens_details,
        completion_tokens_details=block.completion_tokens_details,
    )
