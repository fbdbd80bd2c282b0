"""CPU seconds of data-residency over a synthetic week: `python tests/bench/bench_residency.py [N]`.

The week is built by another process, as Parquet: one attempt, one stated place and one gateway
touch per request, a third of them of a tenant with a promise, some of those outside. Printed
beside the engine's own scan and join of the same files, under the same memory limit, on one
thread; then what sealing every request costs. MB is the most this process ever held.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from countersign.attest.hours import Hour
from countersign.controls.data_residency import DataResidency
from countersign.controls.interface import Conclusion
from countersign.lake.engine import Limits, connect
from countersign.lake.salts import Salts
from countersign.lake.store import LocalStore
from countersign.model import Window
from countersign.pipeline import residency
from countersign.pipeline.assess import parameters
from countersign.pipeline.findings import Findings, Kept
from countersign.records import (
    KINDS,
    GatewayCall,
    InferenceLocation,
    Record,
    SurfaceAccess,
    SurfaceTerm,
    kind_name,
    stored_schema,
)

WINDOW = Window.parse("2026-11-09/2026-11-16")
PROMISE = {"tenant": "t0", "jurisdictions": ["EU"], "valid_from": "2026-01-01"}
US_PER_WEEK = 7 * 86_400 * 1_000_000
PAGE = "md5((i // 500)::VARCHAR) || md5('page')"
JOIN = """
    SELECT count(*), min(c.page_digest), min(l.page_digest), min(a.page_digest), min(l.region)
    FROM gateway_call c JOIN inference_location l USING (call_id)
    JOIN surface_access a ON a.request_id = c.request_id
"""


class Week:
    """The `Tables` protocol over a synthetic week in a folder of Parquet files."""

    window = WINDOW

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = connect(Limits(folder / "spilled", threads=1))
        for kind in KINDS.values():
            file = folder / f"{kind_name(kind)}.parquet"
            self.engine.con.execute(f"CREATE VIEW {kind_name(kind)} AS FROM '{file}'")

    def table(self, kind: type[Record]) -> ir.Table:
        """All rows."""
        return self.engine.table(kind_name(kind))

    def over(self, window: Window) -> "Week":
        """The same."""
        return self


class Built:
    """The week as it is made."""

    def __init__(self, count: int) -> None:
        self.engine = ibis.duckdb.connect(memory_limit="4GB", threads=1)
        for kind in KINDS.values():
            self._empty(kind)
        started = (
            f"TIMESTAMPTZ '{WINDOW.start}' + INTERVAL (i * {US_PER_WEEK // count}) MICROSECOND"
        )
        slot = f"(i // {max(1, count // 250)}) % 250"
        region = f"CASE WHEN i % 3 = 0 AND {slot} <> 125 THEN 'eu' ELSE 'us' END"
        names = {"request_id": "'req-' || md5(i::VARCHAR)", "page_digest": PAGE}
        call = {"call_id": "'chatcmpl-' || md5(i::VARCHAR)", "provider": "'openai'"}
        self._fill(
            GatewayCall, count,
            names | call | {
                "started_at": started, "tenant": "'t' || i % 3", "pipeline": "'chat'",
                "attempt": "1", "status": "'ok'", "model_requested": "'chat'",
                "region_configured": "CASE WHEN i % 3 = 0 THEN 'eu' ELSE 'us' END",
                "in_cache_read": "CASE WHEN i % 10 = 0 THEN 64 ELSE 0 END",
            },
        )  # fmt: skip
        self._fill(
            InferenceLocation, count,
            call | {
                "region": region, "evidence": "'host'", "strength": "'R2'",
                "observed_at": started, "page_digest": PAGE,
            },
        )  # fmt: skip
        self._fill(
            SurfaceAccess, count,
            names | {
                "surface": "'gateway'", "provider": "'own'", "at": started, "region": "'fra'",
                "evidence": "'header'", "strength": "'R2'",
            },
        )  # fmt: skip
        self._terms()

    def write(self, folder: Path) -> None:
        """One Parquet file a kind."""
        for kind in KINDS.values():
            file = folder / f"{kind_name(kind)}.parquet"
            self.engine.con.execute(f"COPY {kind_name(kind)} TO '{file}'")

    def _empty(self, kind: type[Record]) -> None:
        self.engine.con.register("arriving", stored_schema(kind).empty_table())
        self.engine.con.execute(f"CREATE TABLE {kind_name(kind)} AS FROM arriving")
        self.engine.con.unregister("arriving")

    def _fill(self, kind: type[Record], count: int, columns: dict[str, str]) -> None:
        named = ", ".join(f'"{name}"' for name in columns)
        self.engine.con.execute(
            f"INSERT INTO {kind_name(kind)} ({named}) "
            f"SELECT {', '.join(columns.values())} FROM range({count}) t(i)"
        )

    def _terms(self) -> None:
        rows = [("gateway", "own", "fra", "DE"), ("log_store", "own", "fra", "DE")]
        rows += [("backup", "own", "dub", "IE")]
        for surface in ("inference", "prompt_cache", "abuse_store"):
            rows += [(surface, "openai", "eu", "EU"), (surface, "openai", "us", "US")]
        names = "pipeline, surface, provider, region, jurisdiction, valid_from, document_digest"
        self.engine.con.executemany(
            f"INSERT INTO {kind_name(SurfaceTerm)} ({names}) "
            f"VALUES ('chat', ?, ?, ?, ?, '2026-01-01', '{'d0' * 32}')",
            rows,
        )


def spent(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a call, and what it gave."""
    before = time.process_time()
    result = work()
    return time.process_time() - before, result


def main(count: int) -> None:
    """Build, reduce, conclude, keep, seal; print what each costs."""
    with TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, str(count), folder], check=True)
        measure(count, Week(Path(folder)))


def measure(count: int, tables: Week) -> None:
    """What one process spends on the week."""
    control = DataResidency(promises=(PROMISE,))
    floor, _ = spent(lambda: tables.engine.con.execute(JOIN).fetchall())
    print(f"{count:,} requests; scan and join alone: {floor:.2f} CPU s, {peak():,.0f} MB")
    reduced: dict[str, pa.Table] = {}
    total = 0.0
    for name, relation in control.reduce(tables).items():
        cost, reduced[name] = spent(partial(tables.engine.to_pyarrow, relation))
        total += cost
        if cost >= 0.1:
            rows = f"{reduced[name].num_rows:>10,} rows"
            print(f"  {name:10} {cost:6.2f} CPU s  {rows}, {peak():,.0f} MB")
    cost, concluded = spent(partial(control.conclude, reduced, WINDOW))
    total += cost
    print(f"  conclude   {cost:6.2f} CPU s, {peak():,.0f} MB: {concluded.reason}")
    del reduced
    kept, cost = left(tables, control, concluded)
    total += cost
    print(f"total {total:.2f} CPU s, {total / floor:.1f} x the join; {peak():,.0f} MB")
    tables.engine.disconnect()
    cost, sealed = spent(lambda: seal(tables.folder, kept))
    print(f"sealed {sealed:,} requests: {cost:.2f} CPU s, {peak():,.0f} MB")


def left(tables: Week, control: DataResidency, concluded: Conclusion) -> tuple[Kept, float]:
    """Keep the hops piece by piece, as assess does; what that costs."""
    run = tables.engine.to_pyarrow
    pieces = ((name, run(relation)) for name, relation in control.leave(tables, concluded))
    relations = chain(concluded.relations.items(), pieces)
    document: dict[str, Any] = {"parameters": parameters(control)}
    keep = partial(
        Findings(tables.folder / "findings").keep, WINDOW, "data-residency", document, {}
    )
    cost, kept = spent(lambda: keep(relations))
    files = kept.pieces("hops")
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"  hops       {cost:6.2f} CPU s  {len(files)} pieces, {size:,.0f} MB on disk")
    return kept, cost


def seal(folder: Path, kept: Kept) -> int:
    """Every hour's entry, as seal makes it; how many requests they hold."""
    store = LocalStore(folder / "lake")
    ws: Any = SimpleNamespace(lake=SimpleNamespace(salts=Salts(store, os.urandom)))
    hourly = residency.by_hour(ws, kept, WINDOW)
    return sum(json.loads(Hour.of(hour, records).entry())["count"] for hour, records in hourly)


def peak() -> float:
    """The most memory this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if len(sys.argv) > 2:
        Built(int(sys.argv[1])).write(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
