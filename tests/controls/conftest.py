"""Controls are tested on a real engine: rows of a case go into DuckDB, nothing is mocked."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pytest

from countersign import canonical
from countersign.controls.interface import Conclusion, Control
from countersign.model import Window, instant, moment
from countersign.records import KINDS, GatewayCall, Record, is_dated, kind_name, stored_schema

Row = Mapping[str, Any]
Change = Callable[[int, dict[str, list[Any]], np.random.Generator], None]
MIX = 1 / np.arange(1, 13)


@dataclass(frozen=True)
class MemoryTables:
    """The `Tables` protocol over rows in an in-memory DuckDB."""

    connection: Any
    window: Window
    reference: bool = False

    @classmethod
    def of(cls, window: Window, rows: Mapping[type[Record], Iterable[Row]]) -> "MemoryTables":
        """Store rows by kind, as admission does."""
        return cls.holding(window, {kind: stored(kind, given) for kind, given in rows.items()})

    @classmethod
    def holding(cls, window: Window, tables: Mapping[type[Record], pa.Table]) -> "MemoryTables":
        """Hold stored Arrow tables by kind."""
        connection = ibis.duckdb.connect()
        for kind in KINDS.values():
            rows = tables.get(kind, stored_schema(kind).empty_table())
            _store(connection, kind_name(kind), rows)
        return cls(connection, window)

    def table(self, kind: type[Record]) -> ir.Table:
        """Rows of the window's days; an absent kind is empty with the full schema."""
        rows = self.connection.table(kind_name(kind))
        if is_dated(kind):
            return rows
        days = (str(self.window.start), str(self.window.end))
        return rows.filter((rows.window_day >= days[0]) & (rows.window_day < days[1]))

    def over(self, window: Window) -> "MemoryTables":
        """The same rows over another window."""
        return replace(self, window=window)

    def conclude(self, control: Control) -> Conclusion:
        """What the pipeline does with a control: reduce, execute, conclude, keep what it leaves."""
        run = self.connection.to_pyarrow
        reduced = {name: run(relation) for name, relation in control.reduce(self).items()}
        concluded = control.conclude(reduced, self.window)
        left: dict[str, list[pa.Table]] = {}
        for piece, relation in control.leave(self, concluded):
            left.setdefault(piece.split("/")[0], []).append(run(relation))
        together = {name: pa.concat_tables(tables) for name, tables in left.items()}
        return replace(concluded, relations={**concluded.relations, **together})


@dataclass(frozen=True)
class TwoFiles:
    """What `--table` and `--reference` give: the history is the reference file's rows."""

    now: MemoryTables
    past: MemoryTables
    reference: bool = True

    @property
    def window(self) -> Window:
        """The days of the first file."""
        return self.now.window

    def table(self, kind: type[Record]) -> ir.Table:
        """Rows of the first file, whatever their dates."""
        return self.now.connection.table(kind_name(kind))

    def over(self, window: Window) -> MemoryTables:
        """Rows of the reference, whatever their dates."""
        return self.past

    @classmethod
    def holding(cls, now: pa.Table, reference: pa.Table) -> "TwoFiles":
        """Two files of calls, in one engine."""
        window = Window(date(2026, 11, 9), date(2026, 11, 16))
        first = MemoryTables.holding(window, {GatewayCall: now})
        _store(first.connection, "reference_call", reference)
        return cls(first, _ReferenceTables(first.connection, window))

    def conclude(self, control: Control) -> Conclusion:
        """Reduce, execute, conclude."""
        relations = control.reduce(self)
        run = self.now.connection.to_pyarrow
        return control.conclude({n: run(r) for n, r in relations.items()}, self.window)


@dataclass(frozen=True)
class _ReferenceTables(MemoryTables):
    def table(self, kind: type[Record]) -> ir.Table:
        return self.connection.table("reference_call")


def _store(connection: Any, name: str, table: pa.Table) -> None:
    # Straight into DuckDB: Ibis 12 drops its temporary view with SQL that DuckDB 2 cannot read.
    connection.con.register("arriving", table)
    connection.con.execute(f"CREATE TABLE {name} AS FROM arriving")
    connection.con.unregister("arriving")


def stored(kind: type[Record], rows: Iterable[Row]) -> pa.Table:
    """Rows as a stored Arrow table; columns that the kind does not know are kept as they are."""
    target = stored_schema(kind)
    given = [_admitted(kind, row) for row in rows]
    extra = sorted({name for row in given for name in row} - set(target.names))
    arrays = [
        pa.array([_value(row.get(column.name), column.type) for row in given], type=column.type)
        for column in target
    ]
    arrays += [pa.array([row.get(name) for row in given]) for name in extra]
    return pa.table(arrays, names=[*target.names, *extra])


def _admitted(kind: type[Record], row: Row) -> dict[str, Any]:
    admitted = {
        "source": "case",
        "page_digest": "0" * 64,
        "admitted_at": 0,
        "version": 1,
        "window_day": "",
        **row,
    }
    if not is_dated(kind) and not admitted["window_day"]:
        admitted["window_day"] = str(moment(_instant(row[kind.time_column])).date())
    if "cluster_bucket" in stored_schema(kind).names and "cluster_bucket" not in row:
        names = ("user_commitment", "session_commitment", "tenant", "request_id")
        owner = next((str(row[name]) for name in names if row.get(name)), "")
        admitted["cluster_bucket"] = hashlib.sha256(owner.encode()).digest()[0] & 127
    return admitted


def _instant(value: Any) -> int:
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        return instant(datetime.fromisoformat(value).astimezone(UTC))
    return int(value)


def _value(value: Any, arrow: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_timestamp(arrow):
        return _instant(value)
    if pa.types.is_decimal(arrow):
        return Decimal(str(value))
    if pa.types.is_integer(arrow):
        return int(value)
    if pa.types.is_boolean(arrow) and isinstance(value, str):
        return value == "true"
    return value


def read_rows(file: Path) -> Iterator[Row]:
    """Rows of a case: JSONL, or CSV where `repeat` writes a line that many times, ids numbered."""
    if file.suffix == ".jsonl":
        yield from (json.loads(line) for line in file.read_text("utf-8").splitlines() if line)
        return
    with file.open(encoding="utf-8", newline="") as lines:
        for number, line in enumerate(csv.DictReader(lines)):
            row = {name: value for name, value in line.items() if value != ""}
            for copy in range(int(row.pop("repeat", "1"))):
                named = dict.fromkeys(("call_id", "request_id"), f"{number}-{copy}")
                yield {**named, **row}


def document(conclusion: Conclusion) -> bytes:
    """All of a conclusion as canonical bytes; floats are refused, relations count row by row."""
    return canonical.encode(
        {
            "state": conclusion.state.value,
            "reason": conclusion.reason,
            "grade": [conclusion.grade.value, conclusion.grade.set_by],
            "observations": [seen.document() for seen in conclusion.observations],
            "counts": [
                conclusion.examined,
                conclusion.holding,
                conclusion.not_holding,
                conclusion.undecided,
            ],
            "measures": dict(conclusion.measures),
            "picture": dict(conclusion.picture),
            "tables": dict(conclusion.tables),
            "not_examined": list(conclusion.not_examined),
            "verdicts": dict(conclusion.verdicts),
            "relations": {
                name: [repr(row) for row in table.to_pylist()]
                for name, table in conclusion.relations.items()
            },
        }
    )


@pytest.fixture(scope="session")
def memory_tables() -> type[MemoryTables]:
    """`memory_tables.of(window, {kind: rows})` gives `Tables` on a real engine."""
    return MemoryTables


@pytest.fixture(scope="session")
def stored_rows() -> Callable[[type[Record], Iterable[Row]], pa.Table]:
    """Rows as a stored Arrow table of a kind."""
    return stored


@pytest.fixture(scope="session")
def case_rows() -> Callable[[Path], Iterator[Row]]:
    """Rows of one file of a case."""
    return read_rows


@pytest.fixture(scope="session")
def conclusion_bytes() -> Callable[[Conclusion], bytes]:
    """Canonical bytes of all of a conclusion."""
    return document


@dataclass(frozen=True)
class Traffic:
    """Weeks of calls by users who persist, as columns; days are counted from `start`.

    `shock` is the log-odds noise of whole weeks; `change` edits a day's columns.
    """

    seed: int
    start: date = date(2026, 8, 17)
    weeks: int = 13
    rows_per_day: int = 700
    users: int = 400
    shock: float = 0.03
    weekend_points: float = 0.0

    @property
    def window(self) -> Window:
        """The last week."""
        end = self.start + timedelta(weeks=self.weeks)
        return Window(end - timedelta(weeks=1), end)

    def columns(self, change: Change | None = None) -> dict[str, list[Any]]:
        """All rows, column by column."""
        rng = np.random.default_rng(self.seed)
        activity = rng.pareto(1.5, self.users) + 1
        activity = np.minimum(activity / activity.sum(), 0.01)
        mixes = rng.dirichlet(3 * MIX / MIX.sum(), self.users)
        lengths = rng.normal(0, 0.6, self.users)
        columns: dict[str, list[Any]] = {}
        for week in range(self.weeks):
            now = activity * rng.gamma(2, 0.5, self.users)
            odds = np.exp(rng.normal(0, self.shock, MIX.size))
            for weekday in range(7):
                user = rng.choice(self.users, size=self.rows_per_day, p=now / now.sum())
                mix = mixes[user] * odds
                if weekday >= 5:
                    mix[:, 0] += self.weekend_points
                mix /= mix.sum(axis=1, keepdims=True)
                intent = (mix.cumsum(axis=1) < rng.random((len(user), 1))).sum(axis=1)
                size = np.exp(6 + lengths[user] + rng.normal(0, 1, len(user))).astype(int)
                day = week * 7 + weekday
                rows = self._day(rng, day, user, {"intent": intent, "size": size})
                if change:
                    change(day, rows, rng)
                for name, values in rows.items():
                    columns.setdefault(name, []).extend(values)
        return columns

    def _day(self, rng: Any, day: int, user: Any, drawn: Mapping[str, Any]) -> dict[str, list[Any]]:
        count = len(user)
        midnight = Window.day(self.start + timedelta(days=day)).start_us
        at = midnight + np.sort(rng.integers(0, 86_400_000_000, count))
        owners = [f"user-{number}" for number in user]
        return {
            "call_id": [f"{day}-{number}" for number in range(count)],
            "request_id": [f"{day}-{number}" for number in range(count)],
            "started_at": at.tolist(),
            "window_day": [str(self.start + timedelta(days=day))] * count,
            "user_commitment": owners,
            "cluster_bucket": [hashlib.sha256(o.encode()).digest()[0] & 127 for o in owners],
            "tenant": [f"tenant-{number % 3}" for number in user],
            "language": [("de", "en", "fr")[number % 5 % 3] for number in user],
            "model_requested": [("chat-eu", "chat-us")[number % 2] for number in user],
            "intent": [f"intent-{number}" for number in drawn["intent"]],
            "in_uncached": drawn["size"].tolist(),
            "turns": rng.integers(1, 6, count).tolist(),
            "unseen_term_ppm": rng.binomial(40, 0.03, count).astype(int).tolist(),
            "attempt": [1] * count,
        }

    def table(self, change: Change | None = None) -> pa.Table:
        """Stored rows."""
        return stored_columns(GatewayCall, self.columns(change))


def stored_columns(kind: type[Record], columns: Mapping[str, list[Any]]) -> pa.Table:
    """Columns as a stored Arrow table; absent ones are NULL, unknown ones are kept."""
    target = stored_schema(kind)
    count = len(next(iter(columns.values())))
    constant = {"source": "world", "page_digest": "0" * 64, "admitted_at": 0, "version": 1}
    constant |= {"provider": "openai"}
    arrays = [
        pa.array(columns[f.name], type=f.type)
        if f.name in columns
        else pa.array([constant.get(f.name)] * count, type=f.type)
        for f in target
    ]
    extra = [name for name in columns if name not in target.names]
    arrays += [pa.array(columns[name]) for name in extra]
    return pa.table(arrays, names=[*target.names, *extra])


@pytest.fixture(scope="session")
def traffic() -> type[Traffic]:
    """`traffic(seed=1).table(change)` gives weeks of stored calls in which nothing changes."""
    return Traffic


@pytest.fixture(scope="session")
def stored_calls() -> Callable[[Mapping[str, list[Any]]], pa.Table]:
    """Columns as stored gateway calls."""
    return lambda columns: stored_columns(GatewayCall, columns)


@pytest.fixture(scope="session")
def two_files() -> type[TwoFiles]:
    """`two_files.holding(now, reference)` gives tables of two files without history."""
    return TwoFiles
