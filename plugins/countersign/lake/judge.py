"""From typed rows to evidence: repeats dropped, every rule applied, every refusal explained.

One DuckDB statement gives every refused row all its reasons. A row repeated word for word (paging
over a table that moves) is dropped and counted; a different row about the same thing is refused
as a duplicate. Both are decided within a source's day, so the answer does not depend on which
days happen to be admitted together. The rows themselves stay where they are, in Arrow: the
engine sees the columns that rules name, and gives back marks in row order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from countersign.errors import EvidenceError
from countersign.lake import great, rules
from countersign.lake.batch import Key
from countersign.lake.engine import arrow
from countersign.lake.rules import Suite, quoted
from countersign.records import Record, kind_name, schema

_NOT_QUARANTINED: Final = {"text", "usage_raw"}
_NOT_COMPARED: Final = {"fetched_at"}

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

    admitted: pa.Table
    quarantined: pa.Table
    counts: Mapping[Key, Counts]


def judge(
    con: duckdb.DuckDBPyConnection,
    kind: type[Record],
    rows: pa.Table,
    suite: Suite,
    keys: Sequence[Key],
    *,
    second_opinion: bool,
) -> Verdict:
    """Judge one kind's committed rows of the given source-days.

    Raises:
        EvidenceError: Great Expectations counts otherwise than the compiled rules.
    """
    rows = _placed(con, kind, rows)
    rows, repeated = _without_repeats(con, kind, rows)
    con.register("batch", _numbered(rows))
    columns = set(rows.column_names)
    # Marks go back by position, and a scan of many chunks does not keep their order by itself.
    reasons = rules.reasons_sql(suite, columns)
    marks = arrow(con, f"SELECT {reasons} AS reasons FROM batch ORDER BY row")
    clean = pc.equal(pc.list_value_length(marks["reasons"]), 0)
    counts = _counts(con, suite, columns, repeated, keys)
    con.unregister("batch")
    if second_opinion:
        _compare(suite, counts, rows)
    refused = rows.append_column("reasons", marks["reasons"]).filter(pc.invert(clean))
    admitted = rows.filter(clean) if refused.num_rows else rows
    return Verdict(
        admitted.drop_columns(["occurrence", "ahead_us"]),
        _quarantined(con, kind, suite, refused),
        counts,
    )


def _placed(con: duckdb.DuckDBPyConnection, kind: type[Record], rows: pa.Table) -> pa.Table:
    """Add the computed columns of the suites: `occurrence` and `ahead_us`."""
    named = [kind.time_column] if kind.time_column else []
    keys = dict.fromkeys(("source", "window_day", *kind.identity))
    slim = rows.select([*dict.fromkeys((*keys, *named, "seq", "page_fetched_at"))])
    con.register("slim", _numbered(slim))
    time = quoted(kind.time_column) if kind.time_column else "NULL::TIMESTAMPTZ"
    marks = arrow(
        con,
        f"SELECT row_number() OVER (PARTITION BY {', '.join(map(quoted, keys))} ORDER BY seq)"
        f" AS occurrence, epoch_us({time}) - epoch_us(page_fetched_at) AS ahead_us"
        " FROM slim ORDER BY row",
    )
    con.unregister("slim")
    for name in marks.column_names:
        rows = rows.append_column(name, marks[name])
    return rows


def _without_repeats(
    con: duckdb.DuckDBPyConnection, kind: type[Record], rows: pa.Table
) -> tuple[pa.Table, Mapping[Key, int]]:
    """Drop rows that say word for word what the first about the same thing said."""
    if not rows.num_rows or pc.max(rows["occurrence"]).as_py() < 2:
        return rows, {}
    con.register("batch", _numbered(rows))
    same = _same_sql(("source", "window_day", *kind.identity))
    equal = _same_sql([name for name in schema(kind).names if name not in _NOT_COMPARED])
    found = arrow(
        con,
        "SELECT later.row, later.source, later.window_day FROM batch AS later"
        f" JOIN batch AS earlier ON {same}"
        f" WHERE earlier.occurrence = 1 AND later.occurrence > 1 AND {equal}",
    )
    con.unregister("batch")
    keys = zip(found["source"].to_pylist(), found["window_day"].to_pylist(), strict=True)
    counted: dict[Key, int] = {}
    for key in keys:
        counted[key] = counted.get(key, 0) + 1
    numbers = pa.array(range(rows.num_rows), pa.int64())
    return rows.filter(pc.invert(pc.is_in(numbers, found["row"].combine_chunks()))), counted


def _numbered(rows: pa.Table) -> pa.Table:
    return rows.append_column("row", pa.array(range(rows.num_rows), pa.int64()))


def _same_sql(columns: Sequence[str]) -> str:
    return " AND ".join(
        f"earlier.{quoted(column)} IS NOT DISTINCT FROM later.{quoted(column)}"
        for column in columns
    )


def _counts(
    con: duckdb.DuckDBPyConnection,
    suite: Suite,
    columns: set[str],
    repeated: Mapping[Key, int],
    keys: Sequence[Key],
) -> dict[Key, Counts]:
    found = con.execute(
        f"SELECT source, window_day, {rules.counts_sql(suite, columns)} FROM batch GROUP BY ALL"
    ).fetchall()
    by_key = {(source, day): rest for source, day, *rest in found}
    nothing = [0] * (2 + 2 * len(suite.row_rules))
    return {key: _count(by_key.get(key, nothing), repeated.get(key, 0), suite) for key in keys}


def _count(numbers: Sequence[int], repeated: int, suite: Suite) -> Counts:
    total, refused, *pairs = numbers
    short = 0 if total >= suite.least_rows else 1
    return Counts(
        rows=total - refused,
        refused=refused,
        repeated=repeated,
        elsewhere=0,
        evaluated=(total, *pairs[0::2]),
        unexpected=(short, *pairs[1::2]),
    )


def _compare(suite: Suite, counts: Mapping[Key, Counts], batch: pa.Table) -> None:
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
    if not refused.num_rows:
        return QUARANTINE.empty_table()
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
