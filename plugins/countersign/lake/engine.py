"""The embedded engine: DuckDB behind Ibis, with its limits set and not guessed."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend

from countersign.lake.store import storage_failed


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may use; beyond the memory, DuckDB spills to `temporary`."""

    temporary: Path
    memory: str = "1GB"
    threads: int = 2


def connect(limits: Limits) -> Backend:
    """An Ibis backend over an in-memory DuckDB that keeps UTC."""
    try:
        limits.temporary.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_failed(f"folder {limits.temporary}", error) from error
    backend = ibis.duckdb.connect(
        ":memory:",
        memory_limit=limits.memory,
        threads=limits.threads,
        temp_directory=str(limits.temporary),
    )
    backend.con.execute("SET TimeZone = 'UTC'")
    backend.con.execute("SET enable_progress_bar = false")
    return backend


def connection(limits: Limits) -> duckdb.DuckDBPyConnection:
    """The bare DuckDB connection, for admission's own SQL."""
    return connect(limits).con


def arrow(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """The rows of one SELECT."""
    return con.sql(query).to_arrow_table()
