"""From typed rows to evidence: repeats dropped, every rule applied, every refusal explained.

One DuckDB statement gives every refused row all its reasons. A row repeated word for word (paging
over a table that moves) is dropped and counted; a different row about the same thing is refused
as a duplicate. Both are decided within a source's day, so the answer does not depend on which
days happen to be admitted together. Rows are judged a chunk at a time, on the columns that rules
name; marks go back by row number, because the engine keeps no order by itself.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.errors import EvidenceError
from countersign.lake import great, rules
from countersign.lake.batch import Key
from countersign.lake.engine import arrow
from countersign.lake.rows import Mask, Positions, Rows
from countersign.lake.rules import Suite, quoted
from countersign.lake.spool import Spool
from countersign.records import Record, kind_name, schema

_NOT_QUARANTINED: Final = {"text", "usage_raw"}
_NOT_COMPARED: Final = {"fetched_at"}
_MARKS: Final = ("occurrence", "ahead_us")

QUARANTINE: Final = pa.schema(
    [
        ("kind", pa.string()),
        ("source", pa.string()),
        ("window_day", pa.string()),
        ("page_digest", pa.string()),
        ("rules", pa.list_(pa.string())),
        ("reason", pa.string()),
        ("row", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of one kind's rows in one source's day.

    `evaluated` and `unexpected` follow `Suite.counted`: the row count first.
    """

    rows: int
    refused: int
    repeated: int
    elsewhere: int
    evaluated: tuple[int, ...]
    unexpected: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One kind's batch after admission: rows to store, rows for quarantine, counts by day."""

    admitted: Rows
    quarantined: Spool
    counts: Mapping[Key, Counts]


def judge(
    con: duckdb.DuckDBPyConnection,
    kind: type[Record],
    rows: Rows,
    suite: Suite,
    keys: Sequence[Key],
    *,
    second_opinion: bool,
) -> Verdict:
    """Judge one kind's committed rows of the given source-days.

    Raises:
        EvidenceError: Great Expectations counts otherwise than the compiled rules.
    """
    rows = rows.marked(ahead_us=_ahead(kind, rows))
    rows, repeated = _first(con, kind, rows)
    clean, counted, quarantined = _judged(con, kind, suite, rows)
    counts = {key: _count(counted.get(key), repeated.get(key, 0), suite) for key in keys}
    if second_opinion:
        _compare(suite, counts, rows)
    return Verdict(rows.where(clean), quarantined, counts)


def _ahead(kind: type[Record], rows: Rows) -> pa.Array:
    """How far each row's time lies after the fetch of its page, in microseconds."""
    if not kind.time_column:
        return pa.nulls(rows.spool.num_rows, pa.int64())
    parts = [
        pc.subtract(
            chunk[kind.time_column].cast(pa.int64()), chunk["page_fetched_at"].cast(pa.int64())
        )
        for chunk in rows.spool.chunks([kind.time_column, "page_fetched_at"])
    ]
    return _joined(parts, pa.int64())


def _first(
    con: duckdb.DuckDBPyConnection, kind: type[Record], rows: Rows
) -> tuple[Rows, Mapping[Key, int]]:
    """Mark the `occurrence` of each thing; drop rows that repeat the first one word for word."""
    occurrence = np.ones(rows.spool.num_rows, np.int64)
    places = _perhaps_twice(con, kind, rows)
    if not len(places):
        return rows.marked(occurrence=pa.array(occurrence)), {}
    chosen = np.zeros_like(rows.kept)
    chosen[places] = True
    held = pa.concat_tables(list(rows.where(chosen).chunks()))
    con.register("held", held.append_column("row", pa.array(places)))
    keys = ", ".join(map(quoted, dict.fromkeys(("source", "window_day", *kind.identity))))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE placed AS SELECT *, row_number()"
        f" OVER (PARTITION BY {keys} ORDER BY seq) AS occurrence FROM held"
    )
    con.unregister("held")
    placed = arrow(con, "SELECT row, occurrence FROM placed")
    occurrence[placed["row"].to_numpy()] = placed["occurrence"].to_numpy()
    same, counted = _repeats(con, kind)
    con.execute("DROP TABLE placed")
    kept = np.ones_like(rows.kept)
    kept[same] = False
    return rows.where(kept).marked(occurrence=pa.array(occurrence)), counted


def _perhaps_twice(con: duckdb.DuckDBPyConnection, kind: type[Record], rows: Rows) -> Positions:
    """Rows that may be about the same thing: the engine's hash is only a first sieve."""
    keys = list(dict.fromkeys(("source", "window_day", *kind.identity)))
    hashes = np.zeros(rows.num_rows, np.uint64)
    places = np.flatnonzero(rows.kept)
    start = 0
    for chunk in rows.chunks(keys):
        con.register("chunk", _numbered(chunk))
        found = con.execute(
            f"SELECT row, hash({', '.join(map(quoted, keys))}) AS hash FROM chunk"
        ).fetchnumpy()
        hashes[start + found["row"]] = found["hash"]
        start += chunk.num_rows
        con.unregister("chunk")
    order = np.argsort(hashes, kind="stable")
    twin = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    found_twice: Positions = np.sort(places[order[np.union1d(twin, twin + 1)]])
    return found_twice


def _repeats(
    con: duckdb.DuckDBPyConnection, kind: type[Record]
) -> tuple[Positions, Mapping[Key, int]]:
    same = _same_sql(("source", "window_day", *kind.identity))
    equal = _same_sql([name for name in schema(kind).names if name not in _NOT_COMPARED])
    found = arrow(
        con,
        "SELECT later.row, later.source, later.window_day FROM placed AS later"
        f" JOIN placed AS earlier ON {same}"
        f" WHERE earlier.occurrence = 1 AND later.occurrence > 1 AND {equal}",
    )
    keys = zip(found["source"].to_pylist(), found["window_day"].to_pylist(), strict=True)
    return found["row"].to_numpy(), Counter(keys)


def _judged(
    con: duckdb.DuckDBPyConnection, kind: type[Record], suite: Suite, rows: Rows
) -> tuple[Mask, Mapping[Key, Sequence[int]], Spool]:
    """Which rows of the spool fail no rule, the counts of each source's day, and the refused."""
    clean = np.zeros_like(rows.kept)
    counted: dict[Key, Sequence[int]] = {}
    quarantined = Spool(QUARANTINE, rows.spool.folder)
    have = set(rows.column_names)
    named = dict.fromkeys(c for rule in suite.row_rules for c in rule.columns if c in have)
    columns = list(dict.fromkeys(("source", "window_day", *named)))
    for places, chunk in rows.numbered(columns):
        con.register("batch", _numbered(chunk))
        clean[places] = True
        if _add(counted, con, suite, have):
            refused = arrow(
                con,
                f"SELECT * FROM (SELECT row, {rules.reasons_sql(suite, have)} AS reasons"
                " FROM batch) WHERE len(reasons) > 0 ORDER BY row",
            )
            bad = places[refused["row"].to_numpy()]
            clean[bad] = False
            quarantined.append(_quarantined(con, kind, suite, _whole(rows, bad, refused)))
        con.unregister("batch")
    return clean, counted, quarantined


def _add(
    counted: dict[Key, Sequence[int]],
    con: duckdb.DuckDBPyConnection,
    suite: Suite,
    have: AbstractSet[str],
) -> int:
    """Add a chunk's counts to those before; how many of its rows are refused."""
    found = con.execute(
        f"SELECT source, window_day, {rules.counts_sql(suite, have)} FROM batch GROUP BY ALL"
    ).fetchall()
    for source, day, *numbers in found:
        before = counted.get((source, day), [0] * len(numbers))
        counted[source, day] = [a + b for a, b in zip(before, numbers, strict=True)]
    return sum(refused for _, _, _, refused, *_ in found)


def _whole(rows: Rows, places: Positions, refused: pa.Table) -> pa.Table:
    """All columns of some rows of one chunk, with their reasons."""
    chosen = np.zeros_like(rows.kept)
    chosen[places] = True
    found = pa.concat_tables(list(rows.where(chosen).chunks()))
    return found.append_column("reasons", refused["reasons"])


def _numbered(rows: pa.Table) -> pa.Table:
    return rows.append_column("row", pa.array(np.arange(rows.num_rows)))


def _joined(parts: Iterable[pa.ChunkedArray], dtype: pa.DataType) -> pa.Array:
    arrays = [part.combine_chunks() for part in parts]
    return pa.concat_arrays(arrays) if arrays else pa.array([], dtype)


def _same_sql(columns: Sequence[str]) -> str:
    return " AND ".join(
        f"earlier.{quoted(column)} IS NOT DISTINCT FROM later.{quoted(column)}"
        for column in columns
    )


def _count(numbers: Sequence[int] | None, repeated: int, suite: Suite) -> Counts:
    total, refused, *pairs = numbers or [0] * (2 + 2 * len(suite.row_rules))
    short = 0 if total >= suite.least_rows else 1
    return Counts(
        rows=total - refused,
        refused=refused,
        repeated=repeated,
        elsewhere=0,
        evaluated=(total, *pairs[0::2]),
        unexpected=(short, *pairs[1::2]),
    )


def _compare(suite: Suite, counts: Mapping[Key, Counts], batch: Rows) -> None:
    """Hold the compiled rules against Great Expectations, expectation by expectation."""
    opinions = [found for found in great.validate(suite, batch) if found.type != rules.ROW_COUNT]
    for position, opinion in enumerate(opinions, start=1):
        ours = (
            sum(count.evaluated[position] for count in counts.values()),
            sum(count.unexpected[position] for count in counts.values()),
        )
        theirs = (opinion.evaluated, opinion.unexpected)
        if ours != theirs:
            raise EvidenceError(
                f"expectations/{suite.kind}.json, {suite.row_rules[position - 1].name}",
                expected=f"{theirs} rows judged and refused, as Great Expectations counts",
                observed=f"{ours} by the compiled rule",
                remedy="One of the two is wrong, so nothing is admitted. Please report it.",
            )


def _quarantined(
    con: duckdb.DuckDBPyConnection, kind: type[Record], suite: Suite, refused: pa.Table
) -> pa.Table:
    """Refused rows with every rule and reason; text stays with its page."""
    names = ", ".join(rules.literal(rule.name) for rule in suite.row_rules)
    notes = ", ".join(rules.literal(rule.reason) for rule in suite.row_rules)
    shown = [name for name in schema(kind).names if name not in _NOT_QUARANTINED]
    row = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in shown)
    pick = "list_transform(reasons, lambda position: [{}][position + 1])"
    con.register("refused", refused)
    table = arrow(
        con,
        f"SELECT {rules.literal(kind_name(kind))} AS kind, source, window_day, page_digest,"
        f" {pick.format(names)} AS rules,"
        f" array_to_string({pick.format(notes)}, '; ') AS reason,"
        f" CAST(to_json(struct_pack({row})) AS VARCHAR) AS row"
        " FROM refused",
    ).cast(QUARANTINE)
    con.unregister("refused")
    return table
