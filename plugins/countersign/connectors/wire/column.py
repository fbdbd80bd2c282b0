"""Columns of values as sources write them: `value`'s times and amounts, a page at a time.

What Arrow reads exactly as `value` does is read by Arrow; a column with anything else in it is
read value by value.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from countersign.connectors.wire import value
from countersign.records import Record, schema

INSTANT: Final = pa.timestamp("us", tz="UTC")
_AMOUNT: Final = pa.decimal128(38, 20)
_MICRO: Final = 6
_MILLION: Final = pa.scalar(10**_MICRO, pa.decimal128(7, 0))


def instants(raws: Sequence[bytes]) -> pa.Array:
    """JSON times, absent as empty or null: see `value.optional_instant`.

    Raises:
        UnreadableError: one of them is no time.
    """
    column = _texts(raws)
    try:
        return _times(column)
    except pa.ArrowInvalid:
        return pa.array(_each(raws, value.optional_instant), pa.int64()).cast(INSTANT)


def micros(raws: Sequence[bytes]) -> pa.Array:
    """JSON amounts in micro-units, rounded half-even: see `value.micros`.

    Raises:
        UnreadableError: one of them is no amount.
    """
    try:
        return _millionths(_texts(raws))
    except pa.ArrowInvalid:
        return pa.array(_each(raws, value.micros), pa.int64())


def texts(values: Sequence[str | None]) -> pa.Array:
    """Text as it is; empty is absent."""
    return pa.array([said or None for said in values], pa.string())


def table(kind: type[Record], columns: Mapping[str, pa.Array], rows: int) -> pa.Table:
    """A kind's table of the columns that a source fills; all others are NULL."""
    target = schema(kind)
    arrays = [
        columns[field.name] if field.name in columns else pa.nulls(rows, field.type)
        for field in target
    ]
    return pa.Table.from_arrays(arrays, schema=target)


def _times(column: pa.Array) -> pa.Array:
    quoted = pc.starts_with(column, '"')
    if pc.any(quoted).as_py() is not True:
        return _millionths(column).cast(INSTANT)
    if pc.all(quoted).as_py() is not True:
        raise pa.ArrowInvalid("times of two forms")
    said = pc.utf8_slice_codeunits(column, 1, -1)
    try:
        return said.cast(INSTANT)
    except pa.ArrowInvalid:  # perhaps without a zone
        return said.cast(pa.timestamp("us")).cast(pa.int64()).cast(INSTANT)


def _millionths(column: pa.Array) -> pa.Array:
    exact = pc.round(column.cast(_AMOUNT), ndigits=_MICRO, round_mode="half_to_even")
    return pc.multiply(exact.cast(pa.decimal128(30, _MICRO)), _MILLION).cast(pa.int64())


def _texts(raws: Sequence[bytes]) -> pa.Array:
    column = pa.array(raws, pa.binary()).cast(pa.string())
    absent = pc.is_in(column, pa.array(["", "null", '""']))
    return pc.if_else(absent, pa.scalar(None, pa.string()), column)


def _each(raws: Sequence[bytes], read: Callable[[object], int | None]) -> list[Any]:
    return [read(json.loads(raw, parse_float=Decimal) if raw else None) for raw in raws]
