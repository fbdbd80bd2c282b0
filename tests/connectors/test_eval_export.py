"""Evaluation exports: shares and judgements, promptfoo's runs, tables of one's own."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from countersign.canonical import digest
from countersign.connectors.eval_export import EvalExport
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.records import GoldenCase, Outcome

DAY = Window.parse("2026-11-02/2026-11-03")
AT = "2026-11-02T09:00:00Z"


def read(*rows: dict[str, Any], **settings: Any) -> list[Any]:
    page = "\n".join(map(json.dumps, rows)).encode()
    return list(EvalExport(**({"set": "support"} | settings)).parse(page))


def promptfoo(*results: dict[str, Any], **more: Any) -> bytes:
    summary = {"version": 3, "timestamp": AT, "prompts": [{"raw": "Q: {{q}}"}]} | {
        "results": list(results)
    }
    return json.dumps({"evalId": "eval-1", "results": summary, "config": {}} | more).encode()


def result(**changes: Any) -> dict[str, Any]:
    plain = {"promptIdx": 0, "testIdx": 0, "vars": {"q": "a"}, "success": True, "score": 1}
    return plain | {"provider": {"id": "openai:m"}, "failureReason": 0} | changes


def cases(page: bytes, **settings: Any) -> list[GoldenCase]:
    return [c for c in EvalExport(**settings).parse(page) if isinstance(c, GoldenCase)]


@pytest.mark.parametrize(
    ("said", "ppm"),
    [({"score": 0.93}, 930_000), ({"score": "0.5"}, 500_000), ({"score": 1}, 1_000_000),
     ({"score_ppm": 7, "score": 0.9}, 7), ({"score": ""}, None), ({}, None)],
)  # fmt: skip
def test_score_is_a_share_of_one_or_parts_per_million(said: dict[str, Any], ppm: int) -> None:
    [found] = read({"case_id": "c"} | said)
    assert found.score_ppm == ppm


@pytest.mark.parametrize(
    ("said", "passed"),
    [(True, True), ("false", False), (1, True), ("0", False), (None, None), ("", None)],
)
def test_judgement_is_yes_no_or_absent(said: object, passed: bool | None) -> None:
    [found] = read({"case_id": "c", "passed": said})
    assert found.passed is passed


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"case_id": "c", "passed": "perhaps"}, "neither true nor false"),
        ({"resolved": True, "at": AT}, "neither a request_id nor a session_id"),
        ({"resolved": True, "request_id": "r"}, "a time was expected"),
        ({"case_id": "c", "embedding": [1, "x"]}, "a list of numbers"),
        ({"case_id": "c", "embedding": [10**400]}, "finite numbers"),
        ({"name": "c"}, "neither case_id nor resolved"),
    ],
)
def test_row_that_cannot_be_read_is_named(row: dict[str, Any], why: str) -> None:
    with pytest.raises(SourceError, match=f"row 2: .*{why}"):
        read({"case_id": "fine"}, row)


def test_case_needs_a_set_from_somewhere() -> None:
    assert read({"case_id": "c", "set": "own"})[0].set == "own"
    with pytest.raises(SourceError, match="set is absent"):
        read({"case_id": "c"}, set=None)


def test_run_that_compared_several_prompts_is_a_run_for_each() -> None:
    one = cases(promptfoo(result(), result(vars={"q": "b"})))
    assert {c.run_id for c in one} == {"eval-1"}
    two = cases(promptfoo(result(), result(promptIdx=1)))
    assert [c.run_id for c in two] == ["eval-1/0", "eval-1/1"]
    assert two[0].case_id == two[1].case_id
    assert two[0].prompt_hash == digest(b"Q: {{q}}")
    assert two[1].prompt_hash is None  # the file names no second prompt


def test_test_that_crashed_neither_passed_nor_failed() -> None:
    [crashed] = cases(promptfoo(result(success=False, score=0, failureReason=2)))
    [failed] = cases(promptfoo(result(success=False, score=0, failureReason=1)))
    assert (crashed.passed, crashed.score_ppm) == (None, None)
    assert (failed.passed, failed.score_ppm) == (False, 0)


def test_set_is_the_descriptions_then_the_settings() -> None:
    described = promptfoo(result(), config={"description": "nightly"})
    assert cases(described, set="support")[0].set == "nightly"
    assert cases(promptfoo(result()), set="support")[0].set == "support"


def test_parquet_and_csv_of_outcomes_are_read_alike() -> None:
    columns = {"request_id": ["r-1", "r-2"], "resolved": [True, False], "at": [AT, AT]}
    packed = io.BytesIO()
    pq.write_table(pa.table(columns), packed)
    csv = f"request_id,resolved,at\nr-1,true,{AT}\nr-2,false,{AT}\n".encode()
    source = EvalExport(records=("outcome",))
    from_parquet, from_csv = list(source.parse(packed.getvalue())), list(source.parse(csv))
    assert from_parquet == from_csv
    assert [type(o) for o in from_csv] == [Outcome, Outcome]


def test_outcomes_are_looked_for_around_the_window_and_cases_everywhere() -> None:
    class Files:
        def names(self) -> tuple[str, ...]:
            return ("2025-01-01.jsonl", "2026-11-02.jsonl", "set.jsonl")

        def read(self, name: str) -> bytes:
            return name.encode()

    assert len(list(EvalExport().export(Files(), DAY))) == 3
    outcomes = EvalExport(records=("outcome",)).export(Files(), DAY)
    assert list(outcomes) == [b"2026-11-02.jsonl", b"set.jsonl"]


def test_source_of_both_kinds_is_refused_before_anything_is_read() -> None:
    with pytest.raises(SourceError) as refused:
        list(EvalExport(records=None).pages(lambda _path: b"", DAY))  # type: ignore[arg-type]  # never called
    assert refused.value.fault is Fault.REFUSED
