"""What a record kind is: a frozen dataclass whose fields are the columns of its table.

A connector's `parse` yields records. In a parsed record a `*_commitment` field holds the plain
identifier; admission replaces it by a salted commitment before anything is stored.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, TypeAlias, get_args, get_origin, get_type_hints

import pyarrow as pa

from countersign.canonical import Json

Text: TypeAlias = Annotated[str, pa.string()]
Instant: TypeAlias = Annotated[int, pa.timestamp("us", tz="UTC")]
"""Microseconds since 1970-01-01 UTC."""
Count: TypeAlias = Annotated[int, pa.int64()]
Flag: TypeAlias = Annotated[bool, pa.bool_()]
Texts: TypeAlias = Annotated[tuple[str, ...], pa.list_(pa.string())]
Vector: TypeAlias = Annotated[tuple[float, ...], pa.list_(pa.float32())]
Money: TypeAlias = Annotated[str, pa.decimal128(38, 12)]
"""A decimal amount as the source wrote it; only FOCUS columns, whose unit is a currency."""

STORED: tuple[pa.Field, ...] = (
    pa.field("source", pa.string(), nullable=False),
    pa.field("page_digest", pa.string(), nullable=False),
    pa.field("window_day", pa.string(), nullable=False),
    pa.field("admitted_at", pa.timestamp("us", tz="UTC"), nullable=False),
    pa.field("version", pa.int32(), nullable=False),
)
"""Columns that admission adds to every stored row; `window_day` is `2026-11-09`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of evidence. Subclasses are the kinds; field names are the columns."""

    time_column: ClassVar[str]
    """The `Instant` column that puts a row into its window day; empty for dated knowledge."""
    identity: ClassVar[tuple[str, ...]]
    """Columns that name the thing: a second row with the same values is a duplicate."""
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Other names that a file may use: theirs -> ours."""


def kind_name(kind: type[Record]) -> str:
    """`gateway_call` for `GatewayCall`."""
    return _snake(kind.__name__)


@functools.cache
def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def is_dated(kind: type[Record]) -> bool:
    """Whether the kind is dated knowledge (valid-from/valid-to) and not tied to a day."""
    return not kind.time_column


def required_columns(kind: type[Record]) -> tuple[str, ...]:
    """Columns that a connector must fill."""
    return tuple(
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    )


def schema(kind: type[Record]) -> pa.Schema:
    """The Arrow schema of parsed records of a kind, columns in declaration order."""
    built: pa.Schema = _schema(kind)  # type: ignore[arg-type]  # classes hash
    return built


@functools.cache
def _schema(kind: Any) -> pa.Schema:
    hints = get_type_hints(kind, include_extras=True)
    required = required_columns(kind)
    return pa.schema(
        [
            pa.field(f.name, _arrow_type(hints[f.name]), nullable=f.name not in required)
            for f in dataclasses.fields(kind)
        ]
    )


def stored_schema(kind: type[Record]) -> pa.Schema:
    """The Arrow schema of the kind's table in the lake."""
    return pa.schema([*schema(kind), *STORED])


def to_table(kind: type[Record], records: Iterable[Record]) -> pa.Table:
    """Columns of the records, one Arrow table in the kind's schema.

    Raises:
        pyarrow.ArrowInvalid: a value does not fit its column.
    """
    target = schema(kind)
    rows = list(records)
    if not rows:
        return target.empty_table()
    take = attrgetter(*target.names)
    columns = zip(*map(take, rows), strict=True)
    arrays = [_array(c, f.type) for c, f in zip(columns, target, strict=True)]
    return pa.Table.from_arrays(arrays, schema=target)


def tables(records: Iterable[Record]) -> dict[type[Record], pa.Table]:
    """The records as one table a kind; half of a cut character becomes `?`.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError: a value fits no column.
    """
    by_kind: dict[type[Record], list[Record]] = {}
    for record in records:
        by_kind.setdefault(type(record), []).append(record)
    return {kind: _encoded(kind, rows) for kind, rows in by_kind.items()}


def from_table(kind: type[Record], table: pa.Table) -> Iterator[Record]:
    """The rows of a table as records: what `to_table` was given."""
    target = schema(kind)
    columns = [_values(table[column.name], column.type) for column in target]
    for row in zip(*columns, strict=True):
        yield kind(**dict(zip(target.names, row, strict=True)))


def json_schema(kind: type[Record]) -> dict[str, Json]:
    """The kind as JSON Schema (draft 2020-12): what a file given to `--table` may hold."""
    properties: dict[str, Json] = {}
    for column in schema(kind):
        described = _json_type(column.type)
        types = ["null"] if column.nullable else []
        properties[column.name] = {**described, "type": [described["type"], *types]}
    documentation = (kind.__doc__ or "").strip()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:countersign:record:{kind_name(kind)}",
        "title": kind_name(kind),
        "description": documentation,
        "type": "object",
        "properties": properties,
        "required": list(required_columns(kind)),
        "x-aliases": dict(kind.aliases),
        "x-identity": list(kind.identity),
        "x-time-column": kind.time_column,
    }


def _encoded(kind: type[Record], rows: list[Record]) -> pa.Table:
    try:
        return to_table(kind, rows)
    except UnicodeEncodeError:  # half a surrogate pair: legal in JSON text, not in UTF-8
        return to_table(kind, map(_encodable, rows))


def _encodable(record: Record) -> Record:
    values = ((f.name, getattr(record, f.name)) for f in dataclasses.fields(record))
    broken: dict[str, Any] = {
        name: value.encode("utf-8", "replace").decode()
        for name, value in values
        if isinstance(value, str)
    }
    return dataclasses.replace(record, **broken)


def _values(column: pa.ChunkedArray, arrow: pa.DataType) -> list[Any]:
    if pa.types.is_timestamp(arrow):
        return list(column.cast(pa.int64()).to_pylist())
    if pa.types.is_decimal(arrow):
        return list(column.cast(pa.string()).to_pylist())
    found = column.to_pylist()
    return [None if v is None else tuple(v) for v in found] if pa.types.is_list(arrow) else found


def _array(column: tuple[Any, ...], arrow: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(arrow):  # Arrow makes decimals of text only by a cast
        return pa.array(column, type=pa.string()).cast(arrow)
    return pa.array(column, type=arrow)


def _arrow_type(hint: Any) -> pa.DataType:
    for part in (hint, *get_args(hint)):
        if get_origin(part) is Annotated:
            return next(m for m in get_args(part)[1:] if isinstance(m, pa.DataType))
    raise TypeError(f"column type {hint!r} carries no Arrow type")


def _json_type(arrow: pa.DataType) -> dict[str, Json]:
    if pa.types.is_timestamp(arrow):
        return {"type": "string", "format": "date-time"}
    if pa.types.is_integer(arrow):
        return {"type": "integer"}
    if pa.types.is_boolean(arrow):
        return {"type": "boolean"}
    if pa.types.is_list(arrow):
        inner = "number" if pa.types.is_floating(arrow.value_type) else "string"
        return {"type": "array", "items": {"type": inner}}
    if pa.types.is_decimal(arrow):
        return {"type": "string", "format": "decimal"}
    return {"type": "string"}
