"""A second opinion: Great Expectations judges the same batch by the same suite.

Imported only when a batch is admitted (about five seconds), and an extra: without it the
compiled rules stand alone, and the projection says so.
"""

import importlib.metadata
import importlib.util
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import pyarrow as pa

from countersign.lake.rows import Chunked
from countersign.lake.rules import ROW_COUNT, Rule, Suite

CHUNK_ROWS: Final = 500_000
CHUNK_BYTES: Final = 12 * 2**20
SMALL_ROWS: Final = 20_000
COMPILED_ONLY: Final = "compiled rules alone (Great Expectations is not installed, or not asked)"


@dataclass(frozen=True, slots=True)
class Judged:
    """What one expectation found: rows it judged, and rows that fail it."""

    type: str
    kwargs: Mapping[str, Any]
    evaluated: int
    unexpected: int


def is_installed() -> bool:
    """Whether Great Expectations can be asked at all."""
    return importlib.util.find_spec("great_expectations") is not None


def version() -> str:
    """Who gives the second opinion."""
    if not is_installed():
        return COMPILED_ONLY
    return (
        f"compiled rules and Great Expectations {importlib.metadata.version('great_expectations')}"
    )


def validate(suite: Suite, batch: Chunked) -> list[Judged]:
    """Run the suite over a batch, in the suite's order; rows are counted over all chunks.

    An expectation that could not be evaluated counts every row as unexpected.
    """
    counted: dict[int, tuple[int, int]] = {}
    for places in _together(suite, batch):
        for place, (evaluated, unexpected) in _judged(suite, places, batch):
            before = counted.get(place, (0, 0))
            counted[place] = (before[0] + evaluated, before[1] + unexpected)
    return [_total(i, rule, batch.num_rows, counted) for i, rule in enumerate(suite.rules)]


def _together(suite: Suite, batch: Chunked) -> list[tuple[int, ...]]:
    """Expectations that are run at once, by their place in the suite.

    Each expectation copies its frame some times over. On a large batch those of the same columns
    are run by themselves, on a frame of nothing else; on a small one the runs cost more.
    """
    every = tuple(range(len(suite.rules)))
    if batch.num_rows <= SMALL_ROWS:
        return [every]
    groups: dict[tuple[str, ...], list[int]] = {}
    for place in every:
        groups.setdefault(suite.rules[place].columns, []).append(place)
    return [tuple(places) for columns, places in groups.items() if columns]


def _judged(
    suite: Suite, places: Sequence[int], batch: Chunked
) -> Iterator[tuple[int, tuple[int, int]]]:
    wanted = dict.fromkeys(c for place in places for c in suite.rules[place].columns)
    names = [name for name in wanted if name in batch.column_names]
    definition = _known(suite, places)
    for frame in _frames(batch, names):
        yield from _run(definition, frame).items()


def _frames(batch: Chunked, names: Sequence[str]) -> Iterator[Any]:
    """The columns as frames of so many rows, and not of too many bytes."""
    parts: list[pa.Table] = []
    for chunk in batch.chunks(names):
        if parts and _is_full([*parts, chunk]):
            yield _frame(parts)
            parts = []
        parts.append(chunk)
    yield _frame(parts)


def _is_full(parts: Sequence[pa.Table]) -> bool:
    rows = sum(part.num_rows for part in parts)
    size = sum(part.nbytes for part in parts)
    return bool(rows > CHUNK_ROWS or size > CHUNK_BYTES)


def _frame(parts: Sequence[pa.Table]) -> Any:
    rows = sum(part.num_rows for part in parts)
    if not parts or not parts[0].num_columns:
        import pandas  # noqa: PLC0415 - comes with the extra

        return pandas.DataFrame(index=range(rows))
    whole = pa.concat_tables(parts)
    few = [name for name in whole.column_names if _has_few_values(whole[name])]
    return whole.to_pandas(categories=few)


def _has_few_values(column: pa.ChunkedArray) -> bool:
    """Whether a column of text is a vocabulary: its first rows tell."""
    if not pa.types.is_string(column.type):
        return False
    return len(column.slice(0, _SAMPLE).unique()) <= _SAMPLE // 20


_SAMPLE: Final = 1_000
_DEFINITIONS: Final[dict[str, Any]] = {}


def _known(suite: Suite, places: Sequence[int]) -> Any:
    """The definition of some expectations, made once a process: making it costs as much as
    judging a day's rows."""
    key = repr(_numbered(suite, places))
    if key not in _DEFINITIONS:
        _DEFINITIONS[key] = _definition(_numbered(suite, places), f"{len(_DEFINITIONS)}")
    return _DEFINITIONS[key]


@cache
def _rows() -> tuple[Any, Any]:
    """A context that keeps nothing, and how frames are handed to it."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read once, at import
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx  # noqa: PLC0415 - takes seconds, and is an extra
    from great_expectations.data_context.types.base import (  # noqa: PLC0415
        ProgressBarsConfig,
    )

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("batch").add_dataframe_asset("rows")
    return context, asset.add_batch_definition_whole_dataframe("whole")


def _definition(expectations: Mapping[str, Any], name: str) -> Any:
    context, whole = _rows()
    import great_expectations as gx  # noqa: PLC0415 - after its settings

    loaded = context.suites.add(gx.ExpectationSuite(**{**expectations, "name": name}))
    return context.validation_definitions.add(
        gx.ValidationDefinition(name=name, data=whole, suite=loaded)
    )


def _numbered(suite: Suite, places: Sequence[int]) -> dict[str, Any]:
    """Expectations with places in their meta: results come in another order, and retyped."""
    chosen = ((place, suite.rules[place]) for place in places)
    expectations = [
        {"type": rule.type, "kwargs": dict(rule.kwargs), "meta": {"place": place}}
        for place, rule in chosen
    ]
    return {"name": suite.kind, "expectations": expectations}


def _run(definition: Any, frame: Any) -> Mapping[int, tuple[int, int]]:
    result = definition.run(
        batch_parameters={"dataframe": frame}, result_format={"result_format": "BASIC"}
    )
    return {r.expectation_config.meta["place"]: _counts(r, len(frame)) for r in result.results}


def _counts(result: Any, rows: int) -> tuple[int, int]:
    counted = result.result
    if "unexpected_count" not in counted:
        return rows, 0 if result.success else rows
    return rows - int(counted.get("missing_count") or 0), int(counted["unexpected_count"])


def _total(place: int, rule: Rule, rows: int, counted: Mapping[int, tuple[int, int]]) -> Judged:
    kwargs = dict(rule.kwargs)
    if rule.type == ROW_COUNT:  # of the whole batch, whatever the chunks
        least, most = kwargs.get("min_value") or 0, kwargs.get("max_value")
        met = least <= rows and (most is None or rows <= most)
        return Judged(rule.type, kwargs, rows, 0 if met else 1)
    return Judged(rule.type, kwargs, *counted[place])
