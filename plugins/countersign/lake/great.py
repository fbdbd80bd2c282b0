"""A second opinion: Great Expectations judges the same batch by the same suite.

Imported only when a batch is admitted (about five seconds), and an extra: without it the
compiled rules stand alone, and the projection says so.
"""

import importlib.metadata
import importlib.util
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from countersign.lake.rules import ROW_COUNT, Rule, Suite

CHUNK_ROWS: Final = 1_000_000
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


def validate(suite: Suite, batch: pa.Table) -> list[Judged]:
    """Run the suite over a batch, in the suite's order; rows are counted over all chunks.

    An expectation that could not be evaluated counts every row as unexpected.
    """
    definition = _known(suite)
    wanted = sorted({column for rule in suite.rules for column in rule.columns})
    known = batch.select([name for name in wanted if name in batch.column_names])
    starts = range(0, max(batch.num_rows, 1), CHUNK_ROWS)
    results = [_run(definition, known.slice(start, CHUNK_ROWS), batch) for start in starts]
    return [_total(i, rule, batch.num_rows, results) for i, rule in enumerate(suite.rules)]


_DEFINITIONS: Final[dict[str, Any]] = {}


def _known(suite: Suite) -> Any:
    """The suite's definition, made once a process: making it costs as much as a day's rows."""
    key = repr(_numbered(suite))
    if key not in _DEFINITIONS:
        _DEFINITIONS[key] = _definition(suite)
    return _DEFINITIONS[key]


def _definition(suite: Suite) -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read once, at import
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx  # noqa: PLC0415 - takes seconds, and is an extra
    from great_expectations.data_context.types.base import (  # noqa: PLC0415
        ProgressBarsConfig,
    )

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    loaded = context.suites.add(gx.ExpectationSuite(**_numbered(suite)))
    asset = context.data_sources.add_pandas("batch").add_dataframe_asset("rows")
    whole = asset.add_batch_definition_whole_dataframe("whole")
    return context.validation_definitions.add(
        gx.ValidationDefinition(name=suite.kind, data=whole, suite=loaded)
    )


def _numbered(suite: Suite) -> dict[str, Any]:
    """The suite with places in its meta: results come in another order, and retyped."""
    expectations = [
        {"type": rule.type, "kwargs": dict(rule.kwargs), "meta": {"place": place}}
        for place, rule in enumerate(suite.rules)
    ]
    return {"name": suite.kind, "expectations": expectations}


def _run(definition: Any, chunk: pa.Table, batch: pa.Table) -> Mapping[int, tuple[int, int]]:
    frame = chunk.to_pandas()
    if not chunk.num_columns:
        frame = frame.reindex(range(min(batch.num_rows, CHUNK_ROWS)))
    result = definition.run(
        batch_parameters={"dataframe": frame}, result_format={"result_format": "BASIC"}
    )
    return {r.expectation_config.meta["place"]: _counts(r, len(frame)) for r in result.results}


def _counts(result: Any, rows: int) -> tuple[int, int]:
    counted = result.result
    if "unexpected_count" not in counted:
        return rows, 0 if result.success else rows
    return rows - int(counted.get("missing_count") or 0), int(counted["unexpected_count"])


def _total(
    place: int, rule: Rule, rows: int, results: Sequence[Mapping[int, tuple[int, int]]]
) -> Judged:
    kwargs = dict(rule.kwargs)
    if rule.type == ROW_COUNT:  # of the whole batch, whatever the chunks
        least, most = kwargs.get("min_value") or 0, kwargs.get("max_value")
        met = least <= rows and (most is None or rows <= most)
        return Judged(rule.type, kwargs, rows, 0 if met else 1)
    evaluated, unexpected = zip(*(chunk[place] for chunk in results), strict=True)
    return Judged(rule.type, kwargs, sum(evaluated), sum(unexpected))
