"""Identifiers of a batch become commitments, before anything is judged or stored.

While pages are read, each distinct identifier gets a number, and rows carry the number: the
scratch file that they wait in holds nobody's name. When all pages are read, every identifier is
committed once, and the rows get the commitments back for their numbers.
"""

from collections.abc import Iterable
from itertools import repeat
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from countersign.lake.salts import ORGANISATION, tenant_scope
from countersign.records import Record, schema

PSEUDONYMS: Final = ("user_commitment", "session_commitment", "api_key_commitment")
CLUSTER: Final = "cluster_bucket"
_CLUSTERS: Final = ("user_commitment", "session_commitment", "tenant")
_MANY: Final = ("user_commitment", "session_commitment")
_TENANT: Final = "tenant"
_NUMBER: Final = pa.int32()


class Committer(Protocol):
    """Commits (scope, identifier) pairs: columns scope, plain, commitment."""

    def commit_all(self, pairs: Iterable[tuple[str, str]]) -> pa.Table:
        """One row a distinct pair."""
        ...


def numbered_schema(plain: pa.Schema) -> pa.Schema:
    """The schema of rows whose identifiers are numbers."""
    return pa.schema(
        pa.field(f.name, _NUMBER) if f.name in (*PSEUDONYMS, CLUSTER) else f for f in plain
    )


class Identifiers:
    """The distinct identifiers of a batch, by number, and in the end their commitments."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._commitments: pa.Array = pa.array([], pa.string())
        self._buckets: pa.Array = pa.array([], pa.int64())

    def number(self, kind: type[Record], plain: pa.Table) -> pa.Table:
        """The rows with numbers for identifiers. An empty identifier is none."""
        names = set(schema(kind).names)
        held = {
            column: self._numbered(plain, column, scoped=_is_scoped(column, names))
            for column in dict.fromkeys((*PSEUDONYMS, *_CLUSTERS))
            if column in names and (column != "tenant" or CLUSTER in names)
        }
        if CLUSTER in names:
            clusters = [held[column] for column in _CLUSTERS if column in held]
            held[CLUSTER] = pc.coalesce(*clusters)
        held.pop("tenant", None)
        for name, numbers in held.items():
            position = plain.column_names.index(name)
            plain = plain.set_column(position, pa.field(name, _NUMBER), numbers)
        return plain

    def commit(self, salts: Committer) -> None:
        """Commit every identifier that has a number."""
        if not self._numbers:
            return
        table = salts.commit_all(self._numbers)
        pairs = zip(table["scope"].to_pylist(), table["plain"].to_pylist(), strict=True)
        order = [0] * table.num_rows
        for row, pair in enumerate(pairs):
            order[self._numbers[pair]] = row
        self._commitments = table["commitment"].take(pa.array(order, pa.int64())).combine_chunks()
        first = [int(said[:2], 16) & 127 for said in self._commitments.to_pylist()]
        self._buckets = pa.array(first, pa.int64())

    def committed(self, rows: pa.Table) -> pa.Table:
        """The rows with commitments for their numbers, and their cluster bucket.

        The bucket is the first byte of the committed user, else session, else tenant, `& 127`;
        NULL when a row has none of them.
        """
        for position, name in enumerate(rows.column_names):
            if name in PSEUDONYMS:
                values = self._commitments.take(rows[name].combine_chunks())
            elif name == CLUSTER:
                values = self._buckets.take(rows[name].combine_chunks())
            else:
                continue
            rows = rows.set_column(position, pa.field(name, values.type), values)
        return rows

    def _numbered(self, plain: pa.Table, column: str, *, scoped: bool) -> pa.Array:
        values = plain[column].combine_chunks()
        if values.null_count == len(values):
            return pa.nulls(len(values), _NUMBER)
        if column not in _MANY:
            return self._repeated(values, column)
        plains, numbers = values.to_pylist(), self._numbers
        scopes = _scopes(plain) if scoped else repeat(ORGANISATION)
        known = [
            numbers.setdefault((scope, said), len(numbers)) if said else None
            for scope, said in zip(scopes, plains, strict=False)
        ]
        return pa.array(known, _NUMBER)

    def _repeated(self, values: pa.Array, column: str) -> pa.Array:
        """The same for a column of few values: each is looked up once."""
        said, numbers = values.dictionary_encode(), self._numbers
        known = [
            numbers.setdefault((_scope(column, word), word), len(numbers)) if word else None
            for word in said.dictionary.to_pylist()
        ]
        return pa.array(known, _NUMBER).take(said.indices)


def _scope(column: str, word: str) -> str:
    return tenant_scope(word) if column == _TENANT else ORGANISATION


def _scopes(plain: pa.Table) -> list[str]:
    """The scope of each row's tenant, one text a tenant."""
    tenants = plain["tenant"].combine_chunks().fill_null("").dictionary_encode()
    scopes = [tenant_scope(tenant) for tenant in tenants.dictionary.to_pylist()]
    return [scopes[at] for at in tenants.indices.to_pylist()]


def commit(kind: type[Record], plain: pa.Table, salts: Committer) -> pa.Table:
    """The rows of one table, committed."""
    if not plain.num_rows:
        return plain
    identifiers = Identifiers()
    rows = identifiers.number(kind, plain)
    identifiers.commit(salts)
    return identifiers.committed(rows)


def _is_scoped(column: str, names: set[str]) -> bool:
    return column != "api_key_commitment" and "tenant" in names
