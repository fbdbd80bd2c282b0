"""Judging in chunks: reasons stay with their rows, and repeats are found wherever they lie."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from countersign.lake import rules
from countersign.lake.batch import ROUTED
from countersign.lake.engine import Limits, connection
from countersign.lake.judge import Verdict, judge
from countersign.lake.rows import Rows
from countersign.lake.spool import Spool
from countersign.model import Window
from countersign.records import GatewayCall, schema

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"
DAY = "2026-11-09"
START = Window.parse(f"{DAY}/2026-11-10").start_us
COUNT = 150_000


def row(number: int, **values: object) -> dict[str, Any]:
    made = {"call_id": f"c{number}", "request_id": f"r{number}", "provider": "openai"}
    routed = {"source": "gateway", "window_day": DAY, "seq": number, "version": 1}
    times = {"started_at": START + number, "page_fetched_at": START + 86_400_000_000}
    return {**made, **routed, **times, **values}


def judged(folder: Path, rows: list[dict[str, Any]], chunk_rows: int) -> Verdict:
    plain = pa.schema(f.with_nullable(True) for f in (*schema(GatewayCall), *ROUTED))
    spool = Spool(plain, folder, chunk_rows)
    for start in range(0, len(rows), 20_000):
        part = rows[start : start + 20_000]
        columns = [pa.array([r.get(f.name) for r in part], f.type) for f in plain]
        spool.append(pa.Table.from_arrays(columns, schema=plain))
    suite = rules.load("gateway_call", [EXPECTATIONS])
    con = connection(Limits(folder))
    keys = [("gateway", DAY)]
    return judge(con, GatewayCall, Rows.of(spool), suite, keys, second_opinion=False)


def spoilt(number: int) -> dict[str, object]:
    if number % 7 == 0:
        return {"in_uncached": -number - 1}
    return {"status": f"lost-{number}"} if number % 11 == 0 else {}


@pytest.mark.parametrize("chunk_rows", [4_099, 131_072, 200_000])
def test_reasons_stay_with_their_rows(tmp_path: Path, chunk_rows: int) -> None:
    verdict = judged(tmp_path, [row(n, **spoilt(n)) for n in range(COUNT)], chunk_rows)
    refused = pa.concat_tables(list(verdict.quarantined.chunks())).to_pylist()
    assert len(refused) == sum(bool(spoilt(n)) for n in range(COUNT))
    for found in refused:
        held = json.loads(found["row"])
        number = int(held["call_id"][1:])
        rule = (
            "in_uncached: values_to_be_between"
            if number % 7 == 0
            else "status: values_to_be_in_set"
        )
        assert found["rules"] == [rule]
        assert {**spoilt(number)}.items() <= held.items()
    kept = pa.concat_tables(list(verdict.admitted.chunks(["call_id"])))["call_id"].to_pylist()
    assert kept == [f"c{n}" for n in range(COUNT) if not spoilt(n)]
    counts = verdict.counts["gateway", DAY]
    assert (counts.rows, counts.refused) == (len(kept), len(refused))


def test_repeats_and_contradictions_are_found_chunks_apart(tmp_path: Path) -> None:
    rows = [row(n) for n in range(10_000)]
    rows += [row(17, seq=10_000), row(4_321, seq=10_001, status="ok"), row(9_999, seq=10_002)]
    verdict = judged(tmp_path, rows, 1_000)
    counts = verdict.counts["gateway", DAY]
    assert (counts.rows, counts.repeated, counts.refused) == (10_000, 2, 1)
    [refused] = pa.concat_tables(list(verdict.quarantined.chunks())).to_pylist()
    assert refused["rules"] == ["occurrence: values_to_be_between"]
    assert json.loads(refused["row"])["status"] == "ok"


def test_a_spool_gives_back_what_it_was_given_from_disk_and_from_memory(tmp_path: Path) -> None:
    table = pa.table({"a": list(range(1_000)), "b": [f"x{n}" for n in range(1_000)]})
    for chunk_rows in (64, 250, 5_000):
        spool = Spool(table.schema, tmp_path, chunk_rows)
        for start in range(0, 1_000, 90):
            spool.append(table.slice(start, 90))
        assert pa.concat_tables(list(spool.chunks())).equals(table)
        assert pa.concat_tables(list(spool.chunks(["b"]))).equals(table.select(["b"]))
        assert spool.num_rows == 1_000
    assert list(tmp_path.iterdir()) == []
