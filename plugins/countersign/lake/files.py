"""A person's own files as tables: CSV, JSONL and Parquet, without a lake and without admission.

Only the time column must be there. Absent ids become the row number, an absent provider
`unknown`, any other absent column NULL; columns that the kind does not know are kept.
Identifiers are committed on reading, under a key made from the file's own bytes: the same file
gives the same commitments, and without the file nobody can guess them.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import duckdb
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend

from countersign.errors import ConfigError, EvidenceError
from countersign.lake.columns import ROW, Named, bucket_sql, select_sql, typed_sql
from countersign.lake.commit import commit
from countersign.lake.engine import Limits, arrow, connect
from countersign.lake.raw import DATED
from countersign.lake.rules import literal, quoted
from countersign.lake.salts import PSEUDONYMS
from countersign.lake.tables import conform, empty
from countersign.model import Window
from countersign.records import Record, is_dated, kind_name, schema, stored_schema

SOURCE: Final = "file"
_READERS: Final = {
    ".csv": "read_csv({}, sample_size = -1{})",
    ".tsv": "read_csv({}, sample_size = -1, delim = '\t'{})",
    ".jsonl": "read_json({}, format = 'newline_delimited')",
    ".ndjson": "read_json({}, format = 'newline_delimited')",
    ".json": "read_json({})",
    ".parquet": "read_parquet({})",
}


@dataclass(frozen=True)
class FileTables:
    """Tables over files. `notes` say which columns were kept and which values are unreadable."""

    window: Window
    engine: Backend
    notes: tuple[str, ...]
    loaded: Mapping[str, tuple[str, ...]]
    """Kind to the extra columns of its rows."""
    reference: bool = False
    """Whether the weeks before the window hold the rows of reference files."""

    def table(self, kind: type[Record]) -> ir.Table:
        """The file's rows in this window; an absent kind is an empty relation."""
        name, target = kind_name(kind), stored_schema(kind)
        if name not in self.loaded:
            return empty(target)
        rows = conform(self.engine.table(name), target, self.loaded[name])
        if is_dated(kind):
            return rows
        first, after = self.window.start.isoformat(), self.window.end.isoformat()
        return rows.filter((rows.window_day >= first) & (rows.window_day < after))

    def over(self, window: Window) -> "FileTables":
        """The same files over another window; rows of a reference lie in the weeks before."""
        return replace(self, window=window)

    def run(self, relation: ir.Table) -> pa.Table:
        """Execute a relation."""
        return self.engine.to_pyarrow(relation)


def open_files(
    files: Mapping[type[Record], Path],
    limits: Limits,
    *,
    reference: Mapping[type[Record], Path] | None = None,
    window: Window | None = None,
    named: Named | None = None,
) -> FileTables:
    """Read files as tables.

    `window` is the days that the files' times cover when not given. Rows of a reference file are
    moved by whole weeks, so that the last of them lies before the window.

    Raises:
        ConfigError: a file of unknown type, or a column that is not there.
        EvidenceError: a file without rows, or with a time that nobody can read.
    """
    engine, notes = connect(limits), list[str]()
    parts: dict[str, list[pa.Table]] = {}
    for kind, file in files.items():
        parts[kind_name(kind)] = [_load(engine.con, kind, file, named or Named(), notes)]
    window = window or _covered([rows for tables in parts.values() for rows in tables])
    for kind, file in (reference or {}).items():
        rows = _load(engine.con, kind, file, named or Named(), notes)
        parts.setdefault(kind_name(kind), []).append(_moved(engine.con, kind, rows, window))
    for name, tables in parts.items():
        engine.con.register("parts", pa.concat_tables(tables, promote_options="permissive"))
        engine.con.execute(f"CREATE TABLE {quoted(name)} AS FROM parts")
        engine.con.unregister("parts")
    kinds = {kind_name(kind): kind for kind in (*files, *(reference or {}))}
    extra = {name: _extra(kinds[name], tables) for name, tables in parts.items()}
    return FileTables(window, engine, tuple(notes), extra, bool(reference))


@dataclass(frozen=True, slots=True)
class _FileKey:
    """Commits identifiers under a key that only the file gives."""

    key: bytes

    def commit_all(self, pairs: Iterable[tuple[str, str]]) -> pa.Table:
        known = sorted(set(pairs))
        made = [
            hmac.digest(self.key, f"{scope}\n{plain}".encode(), "sha256").hex()
            for scope, plain in known
        ]
        columns = [[scope for scope, _ in known], [plain for _, plain in known], made]
        return pa.Table.from_arrays([pa.array(c, pa.string()) for c in columns], schema=PSEUDONYMS)


@dataclass(frozen=True, slots=True)
class _Given:
    """A file in the engine's table `given`: our columns by theirs, and their apparent types."""

    kind: type[Record]
    file: Path
    found: Mapping[str, str]
    types: Mapping[str, str]

    @property
    def extra(self) -> list[str]:
        """The file's own columns, which the kind does not know."""
        known = {*self.found.values(), *schema(self.kind).names}
        return [name for name in self.types if name not in known]

    def typed(self, ours: str) -> str:
        """SQL of a column's values in our type."""
        theirs = self.found[ours]
        return typed_sql(schema(self.kind).field(ours), theirs, self.types[theirs])


def _load(
    con: duckdb.DuckDBPyConnection,
    kind: type[Record],
    file: Path,
    named: Named,
    notes: list[str],
) -> pa.Table:
    """One file as typed, committed rows with the columns that admission would add."""
    given, key = _given(con, kind, file, named), _key(file)
    _check_times(con, given)
    notes += _notes(con, given)
    typed = select_sql(kind, given.found, given.types, given.extra)
    rows = commit(kind, arrow(con, f"{typed} FROM given ORDER BY {ROW}"), _FileKey(key))
    if named.cluster and "cluster_bucket" in rows.column_names:
        bucket = bucket_sql(named.cluster, key.hex())
        buckets = arrow(con, f"SELECT {bucket} AS bucket FROM given ORDER BY {ROW}")["bucket"]
        rows = rows.set_column(rows.column_names.index("cluster_bucket"), "cluster_bucket", buckets)
    return _with_days(con, kind, rows.drop_columns(["seq"]), key.hex())


def _given(con: duckdb.DuckDBPyConnection, kind: type[Record], file: Path, named: Named) -> _Given:
    """Read a file; known columns as text, so that `007` stays an id."""
    reader, name = _reader(file), literal(str(file))
    types = _types(con, file, reader.format(name, ""))
    found = named.resolve(kind, types, file)
    texts = ", ".join(f"{literal(theirs)}: 'VARCHAR'" for theirs in found.values())
    source = reader.format(name, f", types = {{{texts}}}")
    numbered = f"SELECT *, row_number() OVER () AS {ROW} FROM {source}"
    con.execute(f"CREATE OR REPLACE TEMP TABLE given AS {numbered}")
    return _Given(kind, file, found, types)


def _types(con: duckdb.DuckDBPyConnection, file: Path, source: str) -> dict[str, str]:
    try:
        found = con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except duckdb.Error as error:
        raise ConfigError(
            f"file {file}", expected="rows with named columns", observed=str(error)[:300]
        ) from None
    return {row[0]: row[1] for row in found}


def _check_times(con: duckdb.DuckDBPyConnection, given: _Given) -> None:
    """Refuse a file with a row that lies at no time: it would silently be in no window."""
    if not given.kind.time_column:
        return
    theirs, time = given.found[given.kind.time_column], given.typed(given.kind.time_column)
    bad = con.execute(
        f"SELECT {ROW}, CAST({quoted(theirs)} AS VARCHAR) FROM given WHERE {time} IS NULL"
        f" ORDER BY {ROW} LIMIT 1"
    ).fetchall()
    for row, observed in bad:
        raise EvidenceError(
            f"file {given.file}, row {row}, column {theirs}",
            expected="a time such as 2026-11-09T10:00:00Z, or seconds since 1970",
            observed=repr(observed)[:80],
        )


def _notes(con: duckdb.DuckDBPyConnection, given: _Given) -> list[str]:
    """What a person should know about a file before believing a finding about it."""
    file, kind = given.file.name, kind_name(given.kind)
    notes = [f"{file}: column {name} is not part of {kind}; kept" for name in given.extra]
    for ours, theirs in given.found.items():
        there = f"nullif(trim(CAST({quoted(theirs)} AS VARCHAR)), '') IS NOT NULL"
        [(bad,)] = con.execute(
            f"SELECT count(*) FROM given WHERE {there} AND {given.typed(ours)} IS NULL"
        ).fetchall()
        if bad:
            notes.append(f"{file}: {bad} values of {theirs} are unreadable; taken as absent")
    return notes


def _with_days(
    con: duckdb.DuckDBPyConnection, kind: type[Record], rows: pa.Table, page: str
) -> pa.Table:
    con.register("dayless", rows)
    day = f"strftime({quoted(kind.time_column)}, '%Y-%m-%d')" if kind.time_column else f"'{DATED}'"
    table = arrow(
        con,
        f"SELECT *, '{SOURCE}' AS source, '{page}' AS page_digest, {day} AS window_day,"
        " NULL::TIMESTAMPTZ AS admitted_at, 1::INTEGER AS version FROM dayless",
    )
    con.unregister("dayless")
    return table


def _covered(tables: Sequence[pa.Table]) -> Window:
    days = {day for rows in tables for day in rows["window_day"].unique().to_pylist()} - {DATED}
    if not days:
        raise EvidenceError(
            "window of the files",
            expected="rows with a time",
            observed="none",
            remedy="Give --window START/END, or a file that has rows.",
        )
    last = Window.parse(f"{max(days)}/9999-12-31").start
    return Window(Window.parse(f"{min(days)}/9999-12-31").start, last + timedelta(days=1))


def _moved(
    con: duckdb.DuckDBPyConnection, kind: type[Record], rows: pa.Table, window: Window
) -> pa.Table:
    """Reference rows, all times earlier by the whole weeks that put the last day before the window.

    Weekdays and hours stay; so does each duration.
    """
    if not kind.time_column or not rows.num_rows:
        return rows
    late = (_covered([rows]).end - window.start).days
    weeks = max(0, -(-late // 7))
    times = [f.name for f in schema(kind) if pa.types.is_timestamp(f.type)]
    con.register("unmoved", rows)
    moved = ", ".join(f"{quoted(t)} - INTERVAL {7 * weeks} DAY AS {quoted(t)}" for t in times)
    day = f"strftime({quoted(kind.time_column)} - INTERVAL {7 * weeks} DAY, '%Y-%m-%d')"
    table = arrow(con, f"SELECT * REPLACE ({moved}, {day} AS window_day) FROM unmoved")
    con.unregister("unmoved")
    return table


def _extra(kind: type[Record], tables: Sequence[pa.Table]) -> tuple[str, ...]:
    known = set(stored_schema(kind).names)
    names = dict.fromkeys(name for rows in tables for name in rows.column_names)
    return tuple(name for name in names if name not in known)


def _reader(file: Path) -> str:
    if file.suffix.lower() not in _READERS:
        raise ConfigError(
            f"file {file}", expected=", ".join(_READERS), observed=file.suffix or "no suffix"
        )
    if not file.is_file():
        raise ConfigError(f"file {file}", expected="a file", observed="nothing there")
    return _READERS[file.suffix.lower()]


def _key(file: Path) -> bytes:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()
