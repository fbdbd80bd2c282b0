"""CPU of input-drift over thirteen weeks of calls, against a count in hand-written DuckDB SQL.

    python tests/bench/bench_drift.py [--calls 10000000] [--folder DIR]

Builds thirteen weeks of calls as Parquet, then runs the control (`reduce` and `conclude`) and,
as its floor, one count by day and cluster of every feature in plain SQL, each in a process of its
own with two threads and the same memory limit.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
from apart import measured

from countersign.controls.input_drift import InputDrift
from countersign.model import Window
from countersign.records import Record, kind_name, stored_schema

WEEK = Window.parse("2026-11-09/2026-11-16")
SPAN = WEEK.with_history(InputDrift.history_weeks)
MEMORY = "2GB"
BATCH = 1_000_000
_CALLS = """
COPY (
  WITH drawn AS (
    SELECT i, hash(i) AS h, {start} + (hash(i * 7 + 1) % {length})::BIGINT AS us
    FROM range({low}, {high}) t(i)
  )
  SELECT md5(i::VARCHAR) AS request_id, 'c-' || i AS call_id, make_timestamptz(us) AS started_at,
    strftime(make_timestamp(us), '%Y-%m-%d') AS window_day, 1::BIGINT AS attempt,
    'provider' AS provider, 'tenant-' || (h % 20) AS tenant,
    md5((h % 200000)::VARCHAR) AS user_commitment, (h % 200000 % 128)::BIGINT AS cluster_bucket,
    'model-' || (h // 32 % 4) AS model_requested, 'intent-' || (h // 128 % 12) AS intent,
    (['en', 'de', 'fr', 'es'])[(1 + h // 2048 % 4)::BIGINT] AS language,
    200 + (h // 4096 % 1500)::BIGINT AS in_uncached, 20 + (h // 8192 % 480)::BIGINT AS out_visible,
    1 + (h // 16384 % 6)::BIGINT AS turns, (h // 32768 % 4)::BIGINT AS tool_count,
    (h // 65536 % 90000)::BIGINT AS unseen_term_ppm
  FROM drawn
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""
_FEATURES = {
    "intent": "intent", "language": "language", "tenant": "tenant", "model": "model_requested",
    "prompt_tokens": "in_uncached // 16", "turns": "turns", "tool_count": "tool_count",
    "hour": "epoch(started_at)::BIGINT % 86400 // 3600", "unseen_term": "unseen_term_ppm // 1024",
}  # fmt: skip


@dataclass(frozen=True)
class Weeks:
    """The `Tables` protocol over the synthetic files; columns that they lack are NULL."""

    window: Window
    folder: Path
    engine: ibis.BaseBackend

    def table(self, kind: type[Record]) -> ir.Table:
        target = stored_schema(kind)
        files = sorted(self.folder.glob(f"{kind_name(kind)}-*.parquet"))
        if not files:
            return ibis.memtable(target.empty_table())
        rows = self.engine.read_parquet([str(file) for file in files])
        rows = rows.filter(
            rows.window_day >= str(self.window.start), rows.window_day < str(self.window.end)
        )
        return rows.select(
            **{
                name: rows[name].cast(dtype) if name in rows.columns else ibis.null().cast(dtype)
                for name, dtype in ibis.Schema.from_pyarrow(target).items()
            }
        )

    def over(self, window: Window) -> "Weeks":
        return Weeks(window, self.folder, self.engine)


def build(folder: Path, calls: int) -> None:
    """Write the calls once; a folder that has them is used again."""
    done = folder / f"drift-{calls}"
    if done.exists():
        return
    con = duckdb.connect(config={"threads": 2, "memory_limit": "3GB"})
    con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    for number, low in enumerate(range(0, calls, BATCH)):
        file = folder / f"gateway_call-{number:03}.parquet"
        con.execute(_CALLS.format(start=SPAN.start_us, length=SPAN.end_us - SPAN.start_us,
                                  low=low, high=min(low + BATCH, calls), file=file))  # fmt: skip
    done.touch()


def by_control(folder: Path) -> str:
    """Reduce and conclude."""
    engine = ibis.duckdb.connect(memory_limit=MEMORY, threads=2, temp_directory=str(folder / "t"))
    engine.con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    control, started = InputDrift(), time.process_time()
    relations = control.reduce(Weeks(WEEK, folder, engine))
    reduced = {name: engine.to_pyarrow(relation) for name, relation in relations.items()}
    counted = time.process_time()
    found = control.conclude(reduced, WEEK)
    return (
        f"reduce {counted - started:.1f} s, {sum(map(len, reduced.values())):,} rows; "
        f"conclude {time.process_time() - counted:.1f} s, {found.state}"
    )


def by_hand(folder: Path) -> str:
    """One count a feature, by day and cluster."""
    con = duckdb.connect(config={"threads": 2, "memory_limit": MEMORY})
    con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    rows = 0
    for value in _FEATURES.values():
        counted = con.sql(
            f"SELECT window_day, cluster_bucket, {value} AS level, count(*) "
            f"FROM '{folder}/gateway_call-*.parquet' GROUP BY ALL"
        )
        rows += len(counted.to_arrow_table())
    return f"{rows:,} rows"


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="countersign-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    build(folder, asked.calls)
    print(f"{asked.calls:,} calls over {SPAN} in {folder}, {MEMORY}, {os.cpu_count()} cores")
    spent = {}
    for work in (by_hand, by_control):
        cpu, peak, said = measured(work, folder)
        spent[work.__name__] = cpu
        print(f"{work.__name__:<12}{cpu:8.1f} CPU s {peak:6.2f} GB peak  {said}")
    print(f"control / plain counts: {spent['by_control'] / spent['by_hand']:.2f}")


if __name__ == "__main__":
    main()
