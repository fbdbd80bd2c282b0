"""CPU of token reconciliation over a synthetic lake, against hand-written DuckDB SQL.

    python tests/bench/bench_reconciliation.py [--calls 10000000] [--folder DIR]

Builds calls, deliveries and hourly usage as Parquet, then runs the control (`reduce` and
`conclude`) and the same relational work in one hand-written DuckDB script, each in a process of
its own with two threads and the same memory limit. Prints CPU seconds and their ratio (target:
at most 1.5), and the bare scan of the columns that both read.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
from apart import measured

from countersign.controls.token_reconciliation import TokenReconciliation
from countersign.model import Window
from countersign.records import (
    COUNTERS,
    Delivery,
    GatewayCall,
    ProviderUsage,
    Record,
    kind_name,
    stored_schema,
)

WEEK = Window.parse("2026-11-09/2026-11-16")
BATCH = 1_000_000
KEYS, MODELS, TENANTS = 60, 4, 20
MEMORY = "2GB"

_CALLS = """
COPY (
  WITH raw AS (
    SELECT i, hash(i) AS h, {start} + (hash(i * 7 + 1) % 604790000000)::BIGINT AS us
    FROM range({low}, {high}) t(i)
  ), drawn AS (
    SELECT *, h % 100 < 8 AS stopped, 'key-' || (h % {keys}) AS k, h % {models} AS m,
      200 + (h // 128 % 1500)::BIGINT AS prompt,
      20 + (h // 4096 % 480)::BIGINT AS output, (h // 65536 % 100)::BIGINT AS kept
    FROM raw
  )
  SELECT 'c-' || i AS call_id, md5(i::VARCHAR) AS request_id, make_timestamptz(us) AS started_at,
    make_timestamptz(us + 3000000) AS ended_at, 'provider-' || (m % 2) AS provider,
    'model-' || m AS model_resolved, k AS api_key_commitment,
    'tenant-' || (h % {tenants}) AS tenant,
    1::BIGINT AS attempt, 'c-' || i AS provider_request_id,
    CASE WHEN stopped THEN 'cancelled' ELSE 'ok' END AS status,
    CASE WHEN stopped THEN 'estimated' ELSE 'exact' END AS usage_quality,
    prompt AS in_uncached, 0::BIGINT AS in_cache_read,
    CASE WHEN stopped THEN output * kept // 100 ELSE output END AS out_visible,
    output AS billed, strftime(make_timestamp(us), '%Y-%m-%d') AS window_day
  FROM drawn
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""
_DELIVERIES = """
COPY (
  SELECT request_id, started_at, 'browser' AS meter, call_id, window_day,
    CASE WHEN status = 'cancelled' THEN 'user_stop' ELSE 'completed' END AS ended,
    CASE WHEN status = 'cancelled' THEN greatest(out_visible - 3, 0) ELSE out_visible END
      AS rendered_tokens
  FROM '{calls}' ORDER BY request_id
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""
_USAGE = """
COPY (
  SELECT provider, model_resolved AS model, api_key_commitment, true AS final,
    date_trunc('hour', started_at) AS bucket_start,
    date_trunc('hour', started_at) + INTERVAL 1 hour AS bucket_end,
    count(*) AS requests, sum(in_uncached)::BIGINT AS in_uncached,
    sum(in_cache_read)::BIGINT AS in_cache_read, sum(billed)::BIGINT AS out_visible,
    strftime(date_trunc('hour', started_at), '%Y-%m-%d') AS window_day
  FROM '{calls}' GROUP BY ALL
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""
_PRICES = """
COPY (
  SELECT 'provider-' || (m % 2) AS provider, 'model-' || m AS model, t AS token_type,
    750000::BIGINT AS unit_usd_pico, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS valid_from
  FROM range({models}) r(m), unnest(['in_uncached', 'in_cache_read', 'out_visible']) u(t)
) TO '{file}' (FORMAT parquet)
"""
_WRITES = ("in_cache_write_5m", "in_cache_write_30m", "in_cache_write_1h", "in_cache_write_12h")
_SUMS = ", ".join(f"sum({name})::BIGINT AS {name}" for name in COUNTERS)
_OUTPUT = "out_visible + out_reasoning + out_other"
_INPUT = " + ".join(name for name in COUNTERS if name.startswith("in_"))
_GAPS = {"gap_in": "in_uncached", "gap_read": "in_cache_read", "gap_write": " + ".join(_WRITES),
         "gap_tool": "in_tool_use", "gap_out": _OUTPUT}  # fmt: skip
_BY_HAND = f"""
CREATE TEMP VIEW attempts AS
SELECT * REPLACE ({", ".join(f"coalesce({name}, 0) AS {name}" for name in COUNTERS)}),
  coalesce({", ".join(COUNTERS)}) IS NOT NULL AS counted,
  usage_quality = 'estimated' AS is_estimated,
  epoch_us(started_at) - epoch_us(started_at) % 3600000000 AS hour FROM calls;
CREATE TEMP TABLE logged AS
SELECT 'log' AS side, c.provider, model_resolved AS model, api_key_commitment AS key, hour,
  c.tenant,
  CASE WHEN NOT counted THEN 'uncounted' WHEN d.request_id IS NULL THEN 'unmetered'
    WHEN d.call_id IS NOT NULL AND d.call_id <> c.call_id AND d.call_id <> c.provider_request_id
      THEN 'superseded'
    WHEN d.ended IN ('user_stop', 'disconnect') OR c.status = 'cancelled' THEN 'stopped'
    WHEN d.ended = 'error' OR c.status = 'error' THEN 'broken'
    WHEN coalesce(d.rendered_tokens, d.rendered_characters) = 0 THEN 'textless' ELSE 'read'
  END AS content,
  CASE WHEN content = 'stopped' THEN c.call_id END AS stop_call,
  CASE WHEN content = 'stopped' THEN c.request_id END AS stop_request,
  count(*) AS calls, count_if(c.counted) AS counted_calls, count_if(is_estimated) AS estimated,
  count_if(NOT counted AND c.status <> 'error') AS uncounted,
  count_if(NOT counted AND c.status = 'error') AS failed,
  coalesce(sum({_INPUT}) FILTER (is_estimated), 0)::BIGINT AS guessed, {_SUMS},
  sum(d.rendered_tokens)::BIGINT AS shown, sum(d.rendered_characters)::BIGINT AS characters,
  min(c.started_at) AS first_at
FROM attempts c LEFT JOIN deliveries d ON c.request_id = d.request_id
GROUP BY ALL;
CREATE TEMP TABLE billed AS
SELECT 'bill' AS side, provider, model, api_key_commitment AS key,
  epoch_us(bucket_start) - epoch_us(bucket_start) % 3600000000 AS hour, project, service_tier,
  region, batch, count(*) AS rows, sum(requests)::BIGINT AS requests,
  {", ".join(f"sum(coalesce({name}, 0))::BIGINT AS {name}" for name in COUNTERS)}
FROM usage GROUP BY ALL;
CREATE TEMP TABLE cells AS
SELECT provider, model, key, hour, sum(calls) AS calls, sum(estimated)::BIGINT AS estimated,
  sum(guessed)::BIGINT AS guessed, sum(requests)::BIGINT AS requests,
  {
    ", ".join(
        f"sum(CASE side WHEN 'bill' THEN {parts} ELSE -({parts}) END)::BIGINT AS {name}"
        for name, parts in _GAPS.items()
    )
},
  {" AND ".join(f"{name} = 0" for name in _GAPS)} AS balanced
FROM (FROM logged UNION ALL BY NAME FROM billed) GROUP BY ALL;
SELECT b.* EXCLUDE (key), CASE WHEN NOT balanced THEN b.key END AS k
FROM (FROM logged UNION ALL BY NAME FROM billed) b JOIN cells USING (provider, model, key, hour);
SELECT c.call_id, c.request_id, c.attempt, d.call_id, d.rendered_tokens, c.started_at,
  {", ".join(COUNTERS)}, count(*) OVER (PARTITION BY c.provider, c.request_id) AS twins
FROM attempts c JOIN cells x ON c.provider = x.provider AND c.model_resolved = x.model
  AND c.api_key_commitment = x.key AND c.hour = x.hour
LEFT JOIN deliveries d ON c.request_id = d.request_id
WHERE NOT balanced AND NOT (x.estimated > 0
  AND abs(gap_in + gap_read + gap_write + gap_tool) * 1000000
    <= guessed * 350000 + x.estimated * 32000000
  AND gap_out BETWEEN 0 AND x.estimated * 16384 AND requests = x.calls);
SELECT provider, key, sum(in_uncached + out_visible) FROM billed
WHERE (provider, key) NOT IN (SELECT (provider, key) FROM logged) GROUP BY ALL;
"""


class ParquetTables:
    """The `Tables` protocol over the synthetic files; columns that they lack are NULL."""

    def __init__(self, folder: Path, connection: ibis.BaseBackend) -> None:
        self.window = WEEK
        self._folder, self._connection = folder, connection
        self._known: dict[type[Record], ir.Table] = {}

    def table(self, kind: type[Record]) -> ir.Table:
        if kind not in self._known:
            self._known[kind] = self._relation(kind)
        return self._known[kind]

    def _relation(self, kind: type[Record]) -> ir.Table:
        files = sorted(self._folder.glob(f"{kind_name(kind)}-*.parquet"))
        target = stored_schema(kind)
        if not files:
            return ibis.memtable(target.empty_table())
        rows = self._connection.read_parquet([str(file) for file in files])
        types = ibis.Schema.from_pyarrow(target)
        return rows.select(
            **{
                name: rows[name].cast(dtype) if name in rows.columns else ibis.null().cast(dtype)
                for name, dtype in types.items()
            }
        )

    def over(self, window: Window) -> "ParquetTables":
        return self


def build(folder: Path, calls: int) -> None:
    """Write the lake once; a folder that has it is used again."""
    done = folder / f"done-{calls}"
    if done.exists():
        return
    con = duckdb.connect(config={"threads": 2, "memory_limit": "3GB"})
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET enable_progress_bar = false")
    con.execute("SET preserve_insertion_order = false")
    for number, low in enumerate(range(0, calls, BATCH)):
        high = min(low + BATCH, calls)
        file = folder / f"gateway_call-{number:03}.parquet"
        con.execute(_CALLS.format(start=WEEK.start_us, low=low, high=high, keys=KEYS,
                                  models=MODELS, tenants=TENANTS, file=file))  # fmt: skip
        deliveries = folder / f"delivery-{number:03}.parquet"
        con.execute(_DELIVERIES.format(calls=file, file=deliveries))
    every = folder / "gateway_call-*.parquet"
    con.execute(_USAGE.format(calls=every, file=folder / "provider_usage-0.parquet"))
    con.execute(_PRICES.format(models=MODELS, file=folder / "price_term-0.parquet"))
    done.touch()


def by_control(folder: Path) -> str:
    """Reduce and conclude."""
    spill = str(folder / "t")
    connection = ibis.duckdb.connect(memory_limit=MEMORY, threads=2, temp_directory=spill)
    connection.con.execute("SET TimeZone = 'UTC'")
    connection.con.execute("SET enable_progress_bar = false")
    control = TokenReconciliation()
    tables = ParquetTables(folder, connection)
    started = time.process_time()
    parts, reduced = [], {}
    for name, relation in control.reduce(tables).items():
        reduced[name] = connection.to_pyarrow(relation)
        now = time.process_time()
        parts.append(f"{name} {now - started:.1f} s, {len(reduced[name]):,} rows")
        started = now
    connection.disconnect()
    found = control.conclude(reduced, WEEK)
    parts.append(f"conclude {time.process_time() - started:.1f} s, {found.state}")
    return "; ".join(parts)


def by_hand(folder: Path) -> str:
    """The same relational work in SQL."""
    con = _connected(folder)
    rows = [0]
    for statement in _BY_HAND.split(";\n"):
        if statement.strip():
            found = con.sql(statement)
            rows.append(len(found.to_arrow_table()) if found is not None else 0)
    return f"{sum(rows):,} rows"


def by_scan(folder: Path) -> str:
    """Only reading the columns."""
    con = _connected(folder)
    for table, names in (
        ("calls", "call_id, request_id, started_at, provider, model_resolved, api_key_commitment, "
                  "tenant, status, usage_quality, in_uncached, in_cache_read, out_visible"),
        ("deliveries", "request_id, call_id, ended, rendered_tokens"),
    ):  # fmt: skip
        columns = ", ".join(f"sum(hash({name}) % 7)" for name in names.split(", "))
        con.execute(f"SELECT {columns} FROM {table}")
    return ""


def _connected(folder: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(
        config={"threads": 2, "memory_limit": MEMORY, "temp_directory": str(folder / "t")}
    )
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET enable_progress_bar = false")
    for name, kind in (("calls", GatewayCall), ("deliveries", Delivery), ("usage", ProviderUsage)):
        files = folder / f"{kind_name(kind)}-*.parquet"
        present = {row[0] for row in con.execute(f"DESCRIBE FROM '{files}'").fetchall()}
        absent = [
            f"NULL::{'VARCHAR' if pa.types.is_string(column.type) else 'BIGINT'} AS {column.name}"
            for column in stored_schema(kind)
            if column.name not in present
        ]
        con.execute(f"CREATE VIEW {name} AS SELECT *, {', '.join(absent)} FROM '{files}'")
    return con


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="countersign-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    build(folder, asked.calls)
    print(f"{asked.calls:,} calls in {folder}, {MEMORY}, 2 threads of {os.cpu_count()} cores")
    spent = {}
    for work in (by_scan, by_hand, by_control):
        cpu, peak, said = measured(work, folder)
        spent[work.__name__] = cpu
        print(f"{work.__name__:<12}{cpu:8.1f} CPU s {peak:6.2f} GB peak  {said}")
    print(f"control / hand-written SQL: {spent['by_control'] / spent['by_hand']:.2f} (target 1.5)")
    print(f"control / scan: {spent['by_control'] / spent['by_scan']:.1f}")


if __name__ == "__main__":
    main()
