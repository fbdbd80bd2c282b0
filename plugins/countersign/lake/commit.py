"""Identifiers of a batch become commitments, before anything is judged or stored.

Each distinct identifier is committed once; the join puts the commitments back in row order.
"""

from collections.abc import Iterable
from typing import Final, Protocol

import duckdb
import pyarrow as pa

from countersign.lake.engine import arrow
from countersign.lake.rules import literal
from countersign.lake.salts import ORGANISATION, tenant_scope
from countersign.records import Record, schema

PSEUDONYMS: Final = ("user_commitment", "session_commitment", "api_key_commitment")
_CLUSTERS: Final = ("user_commitment", "session_commitment", "tenant")


class Committer(Protocol):
    """Commits (scope, identifier) pairs: columns scope, plain, commitment."""

    def commit_all(self, pairs: Iterable[tuple[str, str]]) -> pa.Table:
        """One row a distinct pair."""
        ...


def commit(
    con: duckdb.DuckDBPyConnection, kind: type[Record], plain: pa.Table, salts: Committer
) -> pa.Table:
    """The rows with commitments for identifiers, and their cluster bucket where the kind has one.

    The bucket is the first byte of the committed user, else session, else tenant, `& 127`; NULL
    when a row has none of them. An empty identifier is none.
    """
    names = set(schema(kind).names)
    clustered = "cluster_bucket" in names
    wanted = [column for column in PSEUDONYMS if column in names]
    wanted += ["tenant"] if clustered and "tenant" in names else []
    if not wanted or not plain.num_rows:
        return plain
    rows = plain.select([*dict.fromkeys((*wanted, *({"tenant"} & names)))])
    con.register("plain", rows.append_column("row", pa.array(range(rows.num_rows), pa.int64())))
    con.register("known", _known(con, wanted, names, salts))
    committed = arrow(con, _joined_sql(wanted, names, clustered))
    con.unregister("plain")
    con.unregister("known")
    for name in committed.column_names:
        plain = plain.set_column(plain.column_names.index(name), name, committed[name])
    return plain


def _known(
    con: duckdb.DuckDBPyConnection, wanted: list[str], names: set[str], salts: Committer
) -> pa.Table:
    pairs = " UNION ".join(
        f"SELECT {_scope(column, names)}, {column} FROM plain WHERE coalesce({column}, '') != ''"
        for column in wanted
    )
    known = salts.commit_all(con.execute(pairs).fetchall())
    buckets = [int(commitment[:2], 16) & 127 for commitment in known["commitment"].to_pylist()]
    return known.append_column("bucket", pa.array(buckets, pa.int64()))


def _joined_sql(wanted: list[str], names: set[str], clustered: bool) -> str:
    joins = " ".join(
        f"LEFT JOIN known AS {column}_known ON {column}_known.plain = plain.{column}"
        f" AND {column}_known.scope = {_scope(column, names)}"
        for column in wanted
    )
    chosen = [f"{c}_known.commitment AS {c}" for c in wanted if c in PSEUDONYMS]
    if clustered:
        buckets = ", ".join(f"{c}_known.bucket" for c in _CLUSTERS if c in wanted)
        chosen.append(f"coalesce({buckets}) AS cluster_bucket")
    return f"SELECT {', '.join(chosen)} FROM plain {joins} ORDER BY plain.row"


def _scope(column: str, names: set[str]) -> str:
    if column == "api_key_commitment" or "tenant" not in names:
        return literal(ORGANISATION)
    return f"{literal(tenant_scope(None))} || coalesce(plain.tenant, '')"
