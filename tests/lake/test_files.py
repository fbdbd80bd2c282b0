"""A person's own files as tables."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from countersign.errors import ConfigError, EvidenceError
from countersign.lake.columns import Named
from countersign.lake.engine import Limits
from countersign.lake.files import FileTables, open_files
from countersign.model import Window
from countersign.records import Delivery, GatewayCall, PriceTerm, Record, stored_schema

AZURE = Named({"ContextTokens": "in_uncached", "GeneratedTokens": "out_visible"}, time="TIMESTAMP")


def opened(file: Path, **given: Any) -> FileTables:
    return open_files({GatewayCall: file}, Limits(file.parent / "spill"), **given)


def rows(tables: FileTables) -> list[dict[str, Any]]:
    return list(tables.run(tables.table(GatewayCall).order_by("started_at")).to_pylist())


def csv(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "calls.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_only_the_time_must_be_there(tmp_path: Path) -> None:
    tables = opened(csv(tmp_path, "ts\n2026-11-09T10:00:00Z\n2026-11-09T11:00:00.5+01:00\n"))
    first, second = rows(tables)
    assert (first["call_id"], first["request_id"], second["call_id"]) == ("1", "1", "2")
    assert {row["provider"] for row in (first, second)} == {"unknown"}
    assert first["in_uncached"] is None
    assert tables.window == Window.parse("2026-11-09/2026-11-10")


def test_aliases_commit_identifiers_and_unknown_columns_stay(tmp_path: Path) -> None:
    text = "ts,user_id,model,colour\n2026-11-09T10:00:00Z,007,m,red\n2026-11-09T11:00:00Z,007,m,\n"
    tables = opened(csv(tmp_path, text))
    first, second = rows(tables)
    assert len(first["user_commitment"]) == 64
    assert first["user_commitment"] == second["user_commitment"]
    assert first["cluster_bucket"] == int(first["user_commitment"][:2], 16) & 127
    assert (first["model_requested"], first["colour"], second["colour"]) == ("m", "red", None)
    assert tables.notes == ("calls.csv: column colour is not part of gateway_call; kept",)
    assert rows(opened(tmp_path / "calls.csv")) == rows(tables)


def test_a_column_to_cluster_by(tmp_path: Path) -> None:
    text = "ts,account\n" + "".join(f"2026-11-09T10:00:{n:02d}Z,{n % 5}\n" for n in range(50))
    tables = opened(csv(tmp_path, text), named=Named(cluster="account"))
    buckets = [row["cluster_bucket"] for row in rows(tables)]
    assert buckets[:5] == buckets[5:10]
    assert len(set(buckets)) > 1
    assert all(0 <= bucket <= 127 for bucket in buckets)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"calls.{suffix}"
    given = [
        {"started_at": "2026-11-09T10:00:00Z", "call_id": "007", "in_uncached": 5, "batch": True},
        {"started_at": "2026-11-09T11:00:00Z", "call_id": "x", "in_uncached": 0, "batch": False},
    ]
    if suffix == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in given))
    elif suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(given), file)
    else:
        separator = "," if suffix == "csv" else "\t"
        lines = [separator.join(given[0])] + [separator.join(map(str, r.values())) for r in given]
        file.write_text("\n".join(lines) + "\n")
    found = rows(opened(file))
    assert [(r["call_id"], r["in_uncached"], r["batch"]) for r in found] == [
        ("007", 5, True),
        ("x", 0, False),
    ]


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000])
def test_numbers_are_seconds_milliseconds_or_microseconds(tmp_path: Path, factor: int) -> None:
    tables = opened(csv(tmp_path, f"ts\n{1_794_218_400 * factor}\n"))
    assert rows(tables)[0]["started_at"].isoformat() == "2026-11-09T10:00:00+00:00"


def test_lists_in_csv_are_json(tmp_path: Path) -> None:
    tables = opened(csv(tmp_path, 'ts,embedding\n2026-11-09T10:00:00Z,"[0.5, 1]"\n'))
    assert rows(tables)[0]["embedding"] == [0.5, 1.0]


def test_unreadable_values_are_absent_and_said(tmp_path: Path) -> None:
    text = "ts,in_uncached\n2026-11-09T10:00:00Z,many\n2026-11-09T11:00:00Z,\n"
    tables = opened(csv(tmp_path, text))
    assert [row["in_uncached"] for row in rows(tables)] == [None, None]
    assert tables.notes == ("calls.csv: 1 values of in_uncached are unreadable; taken as absent",)


def test_an_unreadable_time_is_refused_with_its_row(tmp_path: Path) -> None:
    file = csv(tmp_path, "ts\n2026-11-09T10:00:00Z\nyesterday\n")
    with pytest.raises(EvidenceError, match=r"row 2, column ts: .* observed 'yesterday'"):
        opened(file)


@pytest.mark.parametrize(
    ("text", "named", "message"),
    [
        ("when\n2026\n", Named(), "a time column started_at"),
        ("ts\n2026-11-09\n", Named(time="when"), "expected a column when"),
        ("ts\n2026-11-09\n", Named({"ts": "begun"}), "a column of gateway_call"),
        ("ts\n2026-11-09\n", Named(cluster="account"), "expected a column account"),
        ("ts,timestamp\n2026-11-09,2026-11-09\n", Named(), "one column of the file"),
    ],
)
def test_names_that_are_not_there_are_refused(
    tmp_path: Path, text: str, named: Named, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(csv(tmp_path, text), named=named)


def test_a_file_of_another_type_or_none_is_refused(tmp_path: Path) -> None:
    for name, message in (("calls.xlsx", "expected .csv"), ("none.csv", "nothing there")):
        with pytest.raises(ConfigError, match=message):
            opened(tmp_path / name)
    with pytest.raises(EvidenceError, match="window of the files"):
        opened(csv(tmp_path, "ts\n"))


def test_other_kinds_are_empty(tmp_path: Path) -> None:
    tables = opened(csv(tmp_path, "ts\n2026-11-09T10:00:00Z\n"))
    assert not tables.reference
    empty = tables.run(tables.table(Delivery))
    assert (empty.num_rows, empty.column_names) == (0, stored_schema(Delivery).names)


def test_dated_files_are_in_every_window(tmp_path: Path) -> None:
    file = csv(
        tmp_path,
        "provider,model,token_type,unit_usd_pico,valid_from\nopenai,m,in_uncached,5,2026-01-01\n",
    )
    window = Window.parse("2026-11-09/2026-11-16")
    tables = open_files({PriceTerm: file}, Limits(tmp_path / "spill"), window=window)
    [row] = tables.run(tables.table(PriceTerm)).to_pylist()
    assert (row["unit_usd_pico"], row["window_day"]) == (5, "dated")


def test_azure_conversations(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "azure_llm_2023" / "AzureLLMInferenceTrace_conv.csv"
    tables = open_files({GatewayCall: file}, Limits(tmp_path), named=AZURE)
    calls = tables.table(GatewayCall)
    [found] = tables.run(
        calls.aggregate(
            rows=calls.count(),
            tokens=calls.in_uncached.sum(),
            first=calls.started_at.min().cast("string"),
        )
    ).to_pylist()
    assert found["rows"] == 19_366
    assert found["first"].startswith("2023-11-16 18:15:46.68059")
    median = sorted(row["in_uncached"] for row in tables.run(calls).to_pylist())[19_366 // 2]
    assert median == 1_020


def test_a_reference_file_lies_whole_weeks_before(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "azure_llm_2023"
    now: dict[type[Record], Path] = {GatewayCall: folder / "AzureLLMInferenceTrace_code.csv"}
    past: dict[type[Record], Path] = {GatewayCall: folder / "AzureLLMInferenceTrace_conv.csv"}
    tables = open_files(now, Limits(tmp_path), reference=past, named=AZURE)
    assert tables.reference
    assert tables.window == Window.parse("2023-11-16/2023-11-17")
    assert tables.run(tables.table(GatewayCall)).num_rows == 8_819
    history = tables.over(tables.window.history(1)).table(GatewayCall)
    first, last = history.started_at.min(), history.started_at.max()
    [span] = tables.run(history.aggregate(n=history.count(), first=first, last=last)).to_pylist()
    assert span["n"] == 19_366
    assert span["first"].isoformat().startswith("2023-11-09T18:15:46.680590")
    assert (
        span["last"]
        < tables.run(
            tables.table(GatewayCall).aggregate(first=tables.table(GatewayCall).started_at.min())
        ).to_pylist()[0]["first"]
    )
