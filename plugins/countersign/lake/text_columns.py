"""What admission reads out of prompts and answers: lengths, token counts, unseen terms.

Texts come from their own source and are joined to the calls of the same day by call id. The
engine joins row numbers; the texts stay in their Arrow columns, and none goes further than this.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.lake.engine import arrow
from countersign.lake.vocabulary import Vocabulary, terms_sql
from countersign.model import PPM

RequestSalts: TypeAlias = Mapping[str, pa.Table]
"""By day, the salt of every request: columns request_id, salt."""

_KEPT: Final = ("turns",)
"""Columns where what the call's own source said goes first."""
_OLDER_MODELS: Final = ("gpt-3.5", "gpt-4-", "gpt-4,")
_OPENAI: Final = ("openai", "azure")
_CHUNK: Final = 4_096
_SIDES: Final = ("prompt", "output")


@dataclass(frozen=True, slots=True)
class Spoken:
    """Texts, and which of them are the prompt and the output of which call."""

    texts: pa.ChunkedArray
    sides: pa.Table


def sides(con: duckdb.DuckDBPyConnection, texts: pa.Table) -> Spoken:
    """Index texts, with `call_id`, `role`, `text`, `source`, `window_day`, by their calls."""
    con.register("said", _numbered(texts.select(["call_id", "role", "source", "window_day"])))
    found = arrow(
        con,
        "SELECT call_id, window_day,"
        " arg_min(row, source) FILTER (role = 'prompt') AS prompt,"
        " arg_min(row, source) FILTER (role = 'output') AS output"
        " FROM said GROUP BY call_id, window_day",
    )
    con.unregister("said")
    return Spoken(texts["text"], found)


def enrich(
    con: duckdb.DuckDBPyConnection,
    calls: pa.Table,
    spoken: Spoken,
    salts: RequestSalts,
    vocabulary: Vocabulary | None,
) -> pa.Table:
    """The calls with their text columns filled where their text is known.

    A call without text keeps what its own source said.
    """
    prompts, outputs = _sides(con, calls, spoken)
    if prompts.null_count + outputs.null_count == 2 * calls.num_rows:
        return calls
    counted, tokenizers = _tokens(calls, outputs)
    derived = {
        "turns": _turns(con, prompts),
        "prompt_characters": pc.utf8_length(prompts),
        "output_characters": pc.utf8_length(outputs),
        "output_tokens_counted": counted,
        "tokenizer": tokenizers,
        "unseen_term_ppm": _unseen(con, calls["window_day"], prompts, vocabulary),
        "prompt_commitment": _commitments(calls, prompts, salts),
    }
    for name, values in derived.items():
        said, column = calls[name], pc.cast(values, calls.schema.field(name).type)
        first, second = (said, column) if name in _KEPT else (column, said)
        position = calls.column_names.index(name)
        calls = calls.set_column(position, name, pc.coalesce(first, second))
    return calls


def tokenizer(provider: str, model: str) -> str | None:
    """The public tokenizer of a model; None where the provider publishes none."""
    if provider not in _OPENAI:
        return None
    return "cl100k_base" if f"{model},".startswith(_OLDER_MODELS) else "o200k_base"


def _sides(
    con: duckdb.DuckDBPyConnection, calls: pa.Table, spoken: Spoken
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Prompt and output of each call, in the order of the calls; NULL where there is none."""
    con.register("called", _numbered(calls.select(["call_id", "window_day"])))
    con.register("sides", spoken.sides)
    found = arrow(
        con,
        "SELECT row, prompt, output FROM called JOIN sides USING (call_id, window_day)",
    )
    con.unregister("called")
    con.unregister("sides")
    place = pa.array(_places(found["row"].to_numpy(), calls.num_rows))
    rows = (found[side].take(pc.if_else(pc.less(place, 0), None, place)) for side in _SIDES)
    prompts, outputs = (spoken.texts.take(row) for row in rows)
    return prompts, outputs


def _places(rows: Any, size: int) -> Any:
    """For every row its place among those found, or -1."""
    places = np.full(size, -1)
    places[rows] = np.arange(len(rows))
    return places


def _numbered(table: pa.Table) -> pa.Table:
    return table.append_column("row", pa.array(np.arange(table.num_rows)))


def _turns(con: duckdb.DuckDBPyConnection, prompts: pa.ChunkedArray) -> pa.ChunkedArray:
    """How often the user spoke, where the prompt is a JSON list of messages."""
    con.register("prompts", _numbered(pa.table({"prompt": prompts})))
    roles = "json_extract_string(prompt, '$[*].role')"
    found = arrow(
        con,
        "SELECT CASE WHEN starts_with(prompt, '[{') AND json_valid(prompt)"
        f" THEN nullif(len(list_filter({roles}, lambda role: role = 'user')), 0) END AS turns"
        " FROM prompts ORDER BY row",
    )
    con.unregister("prompts")
    return found["turns"]


def _tokens(calls: pa.Table, outputs: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    models = pc.coalesce(calls["model_resolved"], calls["model_requested"], pa.scalar(""))
    pairs = zip(calls["provider"].to_pylist(), models.to_pylist(), strict=True)
    said = pc.is_valid(outputs).to_pylist()
    names = [
        _tokenizer(provider, model) if is_there else None
        for (provider, model), is_there in zip(pairs, said, strict=True)
    ]
    counts: list[int | None] = []
    for start in range(0, len(names), _CHUNK):
        chunk = zip(names[start : start + _CHUNK], _slice(outputs, start), strict=True)
        counts += [_encoder(name).count(text) if name else None for name, text in chunk]
    return pa.array(counts, pa.int64()), pa.array(names, pa.string())


def _slice(column: pa.ChunkedArray, start: int) -> list[Any]:
    """Some rows as Python values: never all texts at once."""
    rows: list[Any] = column.slice(start, _CHUNK).to_pylist()
    return rows


_tokenizer = cache(tokenizer)


@cache
def _encoder(name: str) -> Any:
    # Loads its tables on first use, and most readers of the lake never count.
    from rs_bpe.bpe import openai  # noqa: PLC0415

    return getattr(openai, name)()


def _commitments(calls: pa.Table, prompts: pa.ChunkedArray, salts: RequestSalts) -> pa.Array:
    days, requests = calls["window_day"].to_pylist(), calls["request_id"].to_pylist()
    known = {day: _salts(salts[day], calls["request_id"]) for day in set(days)}
    made: list[str | None] = []
    for start in range(0, len(days), _CHUNK):
        end = start + _CHUNK
        chunk = zip(days[start:end], requests[start:end], _slice(prompts, start), strict=True)
        made += [None if p is None else _commitment(known[d][r], p) for d, r, p in chunk]
    return pa.array(made, pa.string())


def _salts(day: pa.Table, requests: pa.ChunkedArray) -> dict[str, bytes]:
    """Those of a day's salts that these requests have."""
    found = day.filter(pc.is_in(day["request_id"], requests.combine_chunks()))
    return dict(zip(found["request_id"].to_pylist(), found["salt"].to_pylist(), strict=True))


def _commitment(salt: bytes, text: str) -> str:
    return hmac.digest(salt, text.encode(), "sha256").hex()


def _unseen(
    con: duckdb.DuckDBPyConnection,
    days: pa.ChunkedArray,
    prompts: pa.ChunkedArray,
    vocabulary: Vocabulary | None,
) -> pa.ChunkedArray:
    """Share of a prompt's distinct terms that the pinned weeks lack; NULL up to their end."""
    if vocabulary is None:
        return pa.chunked_array([pa.nulls(len(prompts), pa.int64())])
    end = pa.scalar(vocabulary.window.end.isoformat())
    later = _numbered(pa.table({"prompt": prompts, "day": days})).filter(pc.field("day") >= end)
    con.register("later", later.filter(pc.is_valid(later["prompt"])))
    con.register("known_terms", pa.table({"term": pa.array(vocabulary.terms, pa.string())}))
    shares = arrow(
        con,
        f"WITH used AS (SELECT row, unnest({terms_sql('prompt')}) AS term FROM later)"
        " SELECT row, count(*) AS terms, count(*) FILTER (known.term IS NULL) AS unseen"
        " FROM used LEFT JOIN known_terms AS known ON known.term = used.term GROUP BY row",
    )
    con.register("shares", shares)
    con.register("rows", pa.table({"row": pa.array(np.arange(len(prompts)))}))
    scored = arrow(
        con,
        f"SELECT (unseen * {PPM} + terms // 2) // terms AS ppm"
        " FROM rows LEFT JOIN shares USING (row) ORDER BY rows.row",
    )
    for name in ("later", "known_terms", "shares", "rows"):
        con.unregister(name)
    return scored["ppm"]
