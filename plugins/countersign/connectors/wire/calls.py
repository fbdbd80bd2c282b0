"""A page of LiteLLM entries as the tables of their records: attempts, places, texts.

Every table comes with the number of the entry that each of its rows is from.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.connectors.wire import column, spoken
from countersign.connectors.wire.call import Combination, Deployments, Key, key, said
from countersign.connectors.wire.spend_log import Entry, Metadata, decoded, metadata, tags
from countersign.connectors.wire.usage_column import Blocks, blocks, counted
from countersign.connectors.wire.value import UnreadableError, inner
from countersign.errors import EvidenceError
from countersign.records import CallText, GatewayCall, InferenceLocation, Record, schema

Numbers: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Columns: TypeAlias = dict[str, pa.Array]
Found: TypeAlias = dict[type[Record], tuple[pa.Table, Numbers]]

_SILENT: Final = frozenset((b"", b"null", b"{}", b"[]", b'""', b'"{}"', b'"[]"'))
_UNREADABLE: Final = (UnreadableError, EvidenceError, pa.ArrowInvalid, OverflowError)
"""A value that is not what its field says, or that fits no column."""
_OF_THE_CALL: Final = (
    *("request_id", "started_at", "user_commitment", "session_commitment"),
    *("tenant", "feature", "intent", "language"),
)


class RowError(UnreadableError):
    """A row that cannot be read, by its number."""


def read(rows: Sequence[Entry], deployments: Deployments) -> Found:
    """Every record of a page; kinds that no row gives are absent.

    Raises:
        RowError: a row that cannot be read.
    """
    try:
        return _read(rows, deployments)
    except _UNREADABLE as error:
        first = _first_unreadable(rows, lambda part: _read(part, deployments))
        raise RowError(f"row {first + 1}: {error}") from None


def texts(rows: Sequence[Entry]) -> Found:
    """Only the text of the calls.

    Raises:
        RowError: a row that cannot be read.
    """
    try:
        return _said(rows)
    except _UNREADABLE as error:
        raise RowError(f"row {_first_unreadable(rows, _said) + 1}: {error}") from None


def _first_unreadable(rows: Sequence[Entry], read: Callable[[Sequence[Entry]], Found]) -> int:
    """The number of the first row that cannot be read, by halving; rows fail by themselves."""
    low, high = 0, len(rows)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            read(rows[low:middle])
        except _UNREADABLE:
            high = middle
        else:
            low = middle
    return low


@dataclass(frozen=True, slots=True)
class _Page:
    """The rows of a page, and the combination that each belongs to."""

    rows: Sequence[Entry]
    about: Sequence[Metadata]
    said: Blocks
    combinations: Sequence[Combination]
    chosen: Numbers

    @classmethod
    def of(cls, rows: Sequence[Entry], deployments: Deployments) -> "_Page":
        about = [metadata(row) for row in rows]
        found = blocks(rows, about)
        parts = (rows, about, found.objects)
        known: dict[Key, int] = {}
        chosen = [known.setdefault(key(*row), len(known)) for row in zip(*parts, strict=True)]
        numbers = np.array(chosen, np.int64)
        _, firsts = np.unique(numbers, return_index=True)
        combinations = [
            Combination(said(*(part[row] for part in parts)), deployments)
            for row in firsts.tolist()
        ]
        return cls(rows, about, found, combinations, numbers)

    def take(self, kind: type[Record], values: Sequence[Mapping[str, Any]]) -> Columns:
        """Columns that the combinations have, one value a row."""
        target, chosen = schema(kind), pa.array(self.chosen)
        names = values[0] if values else ()
        return {
            name: pa.array([v[name] for v in values], target.field(name).type).take(chosen)
            for name in names
        }

    def where(self, holds: Callable[[Combination], bool]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """The rows whose combination has a property."""
        held = np.array([holds(c) for c in self.combinations], np.bool_)
        return held[self.chosen] if len(self.chosen) else np.zeros(0, np.bool_)


def _read(rows: Sequence[Entry], deployments: Deployments) -> Found:
    if not rows:
        return {}
    page = _Page.of(rows, deployments)
    calls = _calls(page)
    spoken_in = _said(rows, calls)
    whole = column.table(GatewayCall, calls, len(rows))
    found: Found = {GatewayCall: (whole, np.arange(len(rows)))}
    earlier = np.flatnonzero(page.where(lambda c: c.has_earlier))
    if len(earlier):
        parts = [whole, _earlier(page, calls, earlier)]
        found[GatewayCall] = (pa.concat_tables(parts), np.append(np.arange(len(rows)), earlier))
    placed = np.flatnonzero(page.where(lambda c: c.place is not None))
    if len(placed):
        found[InferenceLocation] = (_places(page, calls, placed), placed)
    return found | spoken_in


def _calls(page: _Page) -> Columns:
    rows = page.rows
    cached = page.where(lambda c: c.said.is_cached)
    ok = page.where(lambda c: c.ending.status == "ok")
    ids = column.texts([row.call_id for row in rows])
    requests = column.texts([row.litellm_call_id or row.call_id for row in rows])
    started = column.instants([_needed(bytes(row.started)) for row in rows])
    ended = column.instants([bytes(row.ended) for row in rows])
    first = column.instants([bytes(row.answering) for row in rows])
    nothing = pa.scalar(None, pa.string())
    is_own = pc.or_(pc.equal(ids, requests), pa.array(cached))
    return {
        **page.take(GatewayCall, [c.columns for c in page.combinations]),
        **counted(rows, page.about, page.said, ok=ok, cached=cached),
        "call_id": ids,
        "request_id": requests,
        "provider_request_id": pc.if_else(is_own, nothing, ids),
        "started_at": started,
        "ended_at": ended,
        "first_token_at": pc.if_else(pc.equal(first, ended).fill_null(False), None, first),
        **_tagged(rows),
        "tenant": column.texts(
            [
                m.user_api_key_team_alias or row.team_id or m.user_api_key_team_id
                for row, m in zip(rows, page.about, strict=True)
            ]
        ),
        "user_commitment": column.texts(
            [
                row.end_user or m.user_api_key_end_user_id
                for row, m in zip(rows, page.about, strict=True)
            ]
        ),
        "session_commitment": column.texts([row.session_id or row.trace_id for row in rows]),
        "cost_logged_usd_micros": column.micros(
            [bytes(row.spend) or bytes(row.response_cost) for row in rows]
        ),
        "usage_raw": page.said.texts,
    }


def _tagged(rows: Sequence[Entry]) -> Columns:
    """What the callers' tags say."""
    said_by = [tags(bytes(row.request_tags)) for row in rows]
    names = {"feature": "feature", "intent": "intent", "language": "lang"}
    return {name: column.texts([t.get(tag) for t in said_by]) for name, tag in names.items()}


def _earlier(page: _Page, calls: Columns, chosen: Numbers) -> pa.Table:
    """The attempts that failed before a fallback."""
    indices = pa.array(chosen)
    columns = page.take(GatewayCall, [c.earlier for c in page.combinations])
    columns |= {name: calls[name] for name in _OF_THE_CALL}
    columns = {name: values.take(indices) for name, values in columns.items()}
    first = pc.binary_join_element_wise(calls["call_id"].take(indices), "attempt-1", "#")
    return column.table(GatewayCall, columns | {"call_id": first}, len(chosen))


def _places(page: _Page, calls: Columns, chosen: Numbers) -> pa.Table:
    """Where providers say the calls ran. It belongs to the day on which the call started."""
    names = ("region", "evidence", "strength", "jurisdiction")
    values = [{name: getattr(c.place, name, None) for name in names} for c in page.combinations]
    columns = page.take(InferenceLocation, values) | {"observed_at": calls["started_at"]}
    columns |= {name: calls[name] for name in ("provider", "call_id", "provider_request_id")}
    indices = pa.array(chosen)
    taken = {name: column_.take(indices) for name, column_ in columns.items()}
    return column.table(InferenceLocation, taken, len(chosen))


def _said(rows: Sequence[Entry], calls: Columns | None = None) -> Found:
    """The texts; with `calls`, what the talk says about a call is added to its columns."""
    talks = list(_talks(rows))
    if calls is not None and talks:
        calls |= _about_talks(len(rows), talks)
    said_in = [
        (number, role, words)
        for number, _, talk in talks
        for role, words in (("prompt", talk.prompt), ("output", talk.answer))
        if words is not None
    ]
    if not said_in:
        return {}
    numbers = [number for number, _, _ in said_in]
    spoken_rows = [rows[number] for number in numbers]
    columns = {
        "call_id": column.texts([row.call_id for row in spoken_rows]),
        "role": column.texts([role for _, role, _ in said_in]),
        "text": column.texts([words for _, _, words in said_in]),
        "started_at": column.instants([_needed(bytes(row.started)) for row in spoken_rows]),
        "truncated": pa.array([spoken.is_cut(words) for _, _, words in said_in]),
        "language": column.texts(
            [tags(bytes(row.request_tags)).get("lang") for row in spoken_rows]
        ),
    }
    return {CallText: (column.table(CallText, columns, len(numbers)), np.array(numbers, np.int64))}


def _talks(rows: Sequence[Entry]) -> Iterator[tuple[int, Entry, spoken.Talk]]:
    kept = [(bytes(row.messages), bytes(row.response)) for row in rows]
    for number, (logged, response) in enumerate(kept):
        if logged not in _SILENT or response not in _SILENT:
            told = {"messages": decoded(logged), "response": decoded(response)}
            yield number, rows[number], spoken.talk(told)


def _about_talks(rows: int, talks: Sequence[tuple[int, Entry, spoken.Talk]]) -> Columns:
    values: dict[str, list[Any]] = {n: [None] * rows for n in ("finish_reason", "turns", "tools")}
    for number, row, talk in talks:
        values["finish_reason"][number] = talk.finish_reason
        values["turns"][number] = talk.turns
        values["tools"][number] = None if talk.turns is None else _tools(row)
    return {
        "finish_reason": pa.array(values["finish_reason"], pa.string()),
        "turns": pa.array(values["turns"], pa.int64()),
        "tool_count": pa.array(values["tools"], pa.int64()),
    }


def _tools(row: Entry) -> int:
    tools = inner({"said": decoded(row.model_parameters)}, "said").get("tools")
    return len(tools) if isinstance(tools, list) else 0


def _needed(raw: bytes) -> bytes:
    if raw in (b"", b"null", b'""'):
        raise UnreadableError("a time was expected, not NoneType")
    return raw
