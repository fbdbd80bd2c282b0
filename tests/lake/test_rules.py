"""Suites: read, compiled, and held against Great Expectations."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from countersign.errors import ConfigError
from countersign.lake import great, rules
from countersign.lake.rows import Rows
from countersign.lake.rules import ROW_COUNT, Suite
from countersign.records import KINDS, schema

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"
COMPUTED = {"occurrence": pa.int64(), "ahead_us": pa.int64()}


def dirty(kind: str, rows: int) -> pa.Table:
    """Rows in which each column is by turns absent, good, low, high, wrong and a duplicate."""
    fields = [(f.name, f.type) for f in schema(KINDS[kind])] + list(COMPUTED.items())
    columns = {
        name: pa.array([_value(name, dtype, row) for row in range(rows)], dtype)
        for name, dtype in fields
    }
    return pa.table(columns)


def _value(name: str, dtype: pa.DataType, row: int) -> Any:
    turn = (row * 7 + len(name)) % 11
    if turn == 0:
        return None
    if pa.types.is_timestamp(dtype):
        return [1_800_000_000_000_000, 0, 1_577_836_800_000_000, 1_577_836_799_999_999][turn % 4]
    if pa.types.is_integer(dtype):
        return [0, 1, -1, 10**9, 10**9 + 1, 10**12 + 1, 5, 1_000_001][turn % 8]
    if pa.types.is_string(dtype):
        return ["ok", "", "R2", "prompt", "USD", "x" * 600, "<b>\u202e\x01", "é" * 3][turn % 8]
    if pa.types.is_boolean(dtype):
        return bool(turn % 2)
    return None


def counted(suite: Suite, batch: pa.Table) -> list[tuple[int, int]]:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.register("batch", batch)
    sql = f"SELECT {rules.counts_sql(suite, set(batch.column_names))} FROM batch"
    [(_, _, *pairs)] = con.execute(sql).fetchall()
    return list(zip(pairs[0::2], pairs[1::2], strict=True))


def opinion(suite: Suite, batch: pa.Table) -> list[tuple[int, int]]:
    found = great.validate(suite, Rows.held(batch))
    return [(j.evaluated, j.unexpected) for j in found if j.type != ROW_COUNT]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_a_suite_that_a_person_can_read(kind: str) -> None:
    suite = rules.load(kind, [EXPECTATIONS])
    columns = set(schema(KINDS[kind]).names) | set(COMPUTED)
    assert suite.document["meta"]["notes"].endswith(".")
    assert suite.counted[0].type == ROW_COUNT
    for rule in suite.row_rules:
        assert set(rule.columns) <= columns, rule.name
        assert rule.notes, rule.name


@pytest.mark.platform
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_compiled_rules_count_as_great_expectations_does(kind: str) -> None:
    pytest.importorskip("great_expectations")
    suite = rules.load(kind, [EXPECTATIONS])
    batch = dirty(kind, 97)
    ours = counted(suite, batch)
    assert ours == opinion(suite, batch)
    assert sum(unexpected for _, unexpected in ours) > 0


@pytest.mark.platform
def test_an_empty_batch_is_no_success_and_chunks_are_counted_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("great_expectations")
    suite = rules.load("delivery", [EXPECTATIONS])
    empty = great.validate(suite, Rows.held(dirty("delivery", 0)))
    assert (empty[0].type, empty[0].unexpected) == (ROW_COUNT, 1)
    monkeypatch.setattr(great, "CHUNK_ROWS", 10)
    batch = dirty("delivery", 25)
    assert opinion(suite, batch) == counted(suite, batch)


@pytest.mark.platform
def test_a_rule_about_an_absent_column_fails_every_row_for_both() -> None:
    pytest.importorskip("great_expectations")
    suite = rules.load("delivery", [EXPECTATIONS])
    batch = dirty("delivery", 9).drop_columns(["meter"])
    ours = dict(zip((r.name for r in suite.row_rules), counted(suite, batch), strict=True))
    assert ours["meter: values_to_be_in_set"] == (9, 9)
    assert opinion(suite, batch) == list(ours.values())


def write(folder: Path, kind: str, *expectations: Mapping[str, Any]) -> Path:
    document = {"name": kind, "expectations": list(expectations), "meta": {"notes": "x."}}
    (folder / f"{kind}.json").write_text(json.dumps(document))
    return folder


def test_a_teams_own_suite_comes_before_ours(tmp_path: Path) -> None:
    rule = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "tenant"}}
    suite = rules.load("delivery", [write(tmp_path, "delivery", rule), EXPECTATIONS])
    assert [r.name for r in suite.row_rules] == ["tenant: values_to_not_be_null"]
    assert suite.least_rows == 1


def test_an_expectation_that_cannot_be_compiled_is_refused(tmp_path: Path) -> None:
    rule = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "turns"}}
    with pytest.raises(ConfigError, match="expect_column_mean_to_be_between"):
        rules.load("delivery", [write(tmp_path, "delivery", rule)])


def test_a_pair_must_say_what_an_absent_value_means(tmp_path: Path) -> None:
    rule = {
        "type": "expect_column_pair_values_a_to_be_greater_than_b",
        "kwargs": {"column_A": "ended_at", "column_B": "started_at"},
    }
    with pytest.raises(ConfigError, match="either_value_is_missing"):
        rules.load("delivery", [write(tmp_path, "delivery", rule)])


def test_an_absent_or_broken_suite_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expectations for delivery: expected delivery\.json"):
        rules.load("delivery", [tmp_path])
    (tmp_path / "delivery.json").write_text("{")
    with pytest.raises(ConfigError, match="expected JSON"):
        rules.load("delivery", [tmp_path])


@pytest.mark.platform
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_columns_that_are_all_absent_are_judged_alike(kind: str) -> None:
    pytest.importorskip("great_expectations")
    suite = rules.load(kind, [EXPECTATIONS])
    fields = [pa.field(f.name, f.type) for f in schema(KINDS[kind])]
    fields += [pa.field(name, dtype) for name, dtype in COMPUTED.items()]
    batch = pa.table([pa.nulls(3, f.type) for f in fields], schema=pa.schema(fields))
    assert counted(suite, batch) == opinion(suite, batch)
