"""Whose column is whose: a file's own names and texts become the columns of a kind."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from countersign.errors import ConfigError
from countersign.lake.rules import literal, quoted
from countersign.records import Record, kind_name, required_columns, schema

ROW: Final = "file_row"
_NUMBERS: Final = ("BIGINT", "INTEGER", "DOUBLE", "HUGEINT", "UBIGINT", "DECIMAL")
_UNKNOWN: Final = {"provider", "ProviderName"}


@dataclass(frozen=True, slots=True)
class Named:
    """What a person said about names: `--map theirs=ours`, `--time COL`, `--cluster COL`."""

    columns: Mapping[str, str] = field(default_factory=dict)
    time: str | None = None
    cluster: str | None = None

    def resolve(self, kind: type[Record], theirs: Iterable[str], file: Path) -> dict[str, str]:
        """Which of the file's columns gives each column of the kind: ours -> theirs.

        Raises:
            ConfigError: a name that the file or the kind does not have, two for one, no time.
        """
        there, ours = list(theirs), schema(kind).names
        said = {**self.columns, **({self.time: kind.time_column} if self.time else {})}
        for name, asked in said.items():
            _must_have(file, there, name)
            _must_have_column(kind, ours, asked)
        if self.cluster:
            _must_have(file, there, self.cluster)
        found: dict[str, str] = {}
        for name in there:
            target = said.get(name) or (name if name in ours else kind.aliases.get(name))
            if target is None or (target in said.values() and name not in said):
                continue
            if target in found:
                raise ConfigError(
                    f"file {file}, column {target}",
                    expected="one column of the file",
                    observed=f"{found[target]} and {name}",
                    remedy="Say which with --map theirs=ours.",
                )
            found[target] = name
        if kind.time_column and kind.time_column not in found:
            raise ConfigError(
                f"file {file}",
                expected=f"a time column {kind.time_column} or one of its aliases",
                observed=", ".join(there),
                remedy="Name it with --time COL.",
            )
        return found


def typed_sql(column: pa.Field, theirs: str, kind_of_value: str) -> str:
    """SQL: a file's value as the column's type, NULL where it cannot be read."""
    value = quoted(theirs)
    if pa.types.is_timestamp(column.type):
        return _time_sql(value, kind_of_value)
    if pa.types.is_string(column.type):
        return f"nullif(CAST({value} AS VARCHAR), '')"
    return f"TRY_CAST(nullif(trim(CAST({value} AS VARCHAR)), '') AS {_sql_type(column.type)})"


def select_sql(
    kind: type[Record], found: Mapping[str, str], types: Mapping[str, str], extra: Iterable[str]
) -> str:
    """SQL: the kind's columns in order, then the file's own extra ones."""
    chosen = [f"{_column_sql(kind, c, found, types)} AS {quoted(c.name)}" for c in schema(kind)]
    return "SELECT " + ", ".join((*chosen, *map(quoted, extra), f"{ROW} AS seq"))


def bucket_sql(column: str, key: str) -> str:
    """SQL: the cluster bucket of a value, salted by the file's key."""
    text = f"CAST({quoted(column)} AS VARCHAR)"
    return f"CAST('0x' || left(sha256({literal(key)} || {text}), 2) AS BIGINT) & 127"


def _column_sql(
    kind: type[Record], column: pa.Field, found: Mapping[str, str], types: Mapping[str, str]
) -> str:
    if column.name in found:
        theirs = found[column.name]
        typed = typed_sql(column, theirs, types[theirs])
        if column.name in _UNKNOWN:
            return f"coalesce({typed}, 'unknown')"
        return typed
    if column.name in _UNKNOWN:
        return "'unknown'"
    if column.name in required_columns(kind) and column.name.endswith("_id"):
        return f"CAST({ROW} AS VARCHAR)"
    return f"CAST(NULL AS {_sql_type(column.type)})"


def _time_sql(value: str, kind_of_value: str) -> str:
    """Text and times as they are (UTC when no zone is given); numbers as seconds, ms or us."""
    if kind_of_value.startswith(_NUMBERS):
        number = f"CAST({value} AS DOUBLE)"
        scale = (
            f"CASE WHEN abs({number}) < 1e11 THEN 1e6 WHEN abs({number}) < 1e14 THEN 1e3 ELSE 1 END"
        )
        return f"make_timestamptz(CAST({number} * {scale} AS BIGINT))"
    return f"TRY_CAST(CAST({value} AS VARCHAR) AS TIMESTAMPTZ)"


def _sql_type(arrow: pa.DataType) -> str:
    if pa.types.is_list(arrow):
        return _sql_type(arrow.value_type) + "[]"
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision}, {arrow.scale})"
    if pa.types.is_timestamp(arrow):
        return "TIMESTAMPTZ"
    known = {"int64": "BIGINT", "bool": "BOOLEAN", "string": "VARCHAR", "float": "FLOAT"}
    return known[str(arrow)]


def _must_have(file: Path, there: list[str], name: str) -> None:
    if name not in there:
        raise ConfigError(f"file {file}", expected=f"a column {name}", observed=", ".join(there))


def _must_have_column(kind: type[Record], ours: list[str], name: str) -> None:
    if name not in ours:
        raise ConfigError(
            f"--map to {name}",
            expected=f"a column of {kind_name(kind)}",
            observed=name,
            remedy=f"`countersign schema {kind_name(kind)}` lists them.",
        )
