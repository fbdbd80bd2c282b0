"""Secrets of the lake: they turn identifiers and contents into commitments, and never leave it.

Pseudonyms (users, sessions, keys) are HMAC-SHA256 under one secret per tenant, or under the
organisation's, so that the same person gives the same commitment. Contents and requests are
committed under a random 32-byte salt of their own. Record salts are stored, one Parquet file a
day, and not derived from a secret: destroying a person's salts must make that person's
commitments meaningless while everybody else's stay checkable, and a derived salt can be computed
again by whoever holds the secret it came from. 32 random bytes a request is the price.
"""

import hashlib
import hmac
import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from countersign.canonical import digest, encode
from countersign.errors import EvidenceError
from countersign.lake.store import Store

ORGANISATION: Final = "organisation"
SALT_BYTES: Final = 32
_GROUP_ROWS: Final = 131_072
_RECORD_SALTS = pa.schema([("request_id", pa.string()), ("salt", pa.binary(SALT_BYTES))])
PSEUDONYMS: Final = pa.schema(
    [("scope", pa.string()), ("plain", pa.string()), ("commitment", pa.string())]
)


def tenant_scope(tenant: str | None) -> str:
    """The scope of a tenant's users and sessions; calls without a tenant share one."""
    return f"tenant:{tenant or ''}"


@dataclass(frozen=True)
class Salts:
    """The salt table. `random` gives that many unpredictable bytes; tests hand in a fixed one."""

    store: Store
    random: Callable[[int], bytes]
    _secrets: dict[str, bytes] = field(default_factory=dict, repr=False)

    def commit(self, scope: str, plain: str) -> str:
        """The commitment of an identifier: 64 hexadecimal digits."""
        return hmac.digest(self._secret(scope), plain.encode(), "sha256").hex()

    def commit_all(self, pairs: Iterable[tuple[str, str]]) -> pa.Table:
        """Commit (scope, plain) pairs, and keep the mapping for `reveal`."""
        known = sorted(set(pairs))
        table = pa.table(
            {
                "scope": [scope for scope, _ in known],
                "plain": [plain for _, plain in known],
                "commitment": [self.commit(scope, plain) for scope, plain in known],
            },
            schema=PSEUDONYMS,
        )
        self._remember(table)
        return table

    def pseudonyms(self) -> pa.Table:
        """Every mapping of an identifier to its commitment: for privileged eyes only."""
        parts = [_read(self.store.get(name)) for name in self.store.names("salts/pseudonyms")]
        return pa.concat_tables(parts) if parts else PSEUDONYMS.empty_table()

    def reveal(self, commitment: str) -> tuple[str, str] | None:
        """Scope and identifier behind a commitment; None when unknown or erased."""
        table = self.pseudonyms()
        rows = table.filter(pc.field("commitment") == commitment).to_pylist()
        return (rows[0]["scope"], rows[0]["plain"]) if rows else None

    def request_salts(self, day: str, requests: Sequence[str]) -> dict[str, bytes]:
        """The salts of a day's requests; those that have none yet get one, once."""
        return _by_request(self.salt_requests(day, pa.array(requests, pa.string())))

    def salt_requests(self, day: str, requests: pa.Array) -> pa.Table:
        """The same for a column of requests: `request_id` and `salt` of the whole day."""
        name = _day_name(day)
        known = _RECORD_SALTS.empty_table()
        if self.store.exists(name):
            known = _read(self.store.get(name)).cast(_RECORD_SALTS)
        fresh = requests.unique()
        if known.num_rows:
            fresh = fresh.filter(pc.invert(pc.is_in(fresh, known["request_id"].combine_chunks())))
        if len(fresh):
            drawn = pa.py_buffer(self.random(SALT_BYTES * len(fresh)))
            drawn = pa.Array.from_buffers(pa.binary(SALT_BYTES), len(fresh), [None, drawn])
            added = pa.Table.from_arrays([fresh, drawn], schema=_RECORD_SALTS)
            known = pa.concat_tables([known, added])
            self.store.replace(name, _written(known), private=True)
        return known

    def request_salt(self, request_id: str, day: str) -> bytes:
        """The salt of one admitted request.

        Raises:
            EvidenceError: it never had one, or it was destroyed to erase a person.
        """
        try:
            return self._record_salts(day)[request_id]
        except KeyError:
            raise EvidenceError(
                f"salt of request {request_id} on {day}",
                expected="a stored salt",
                observed="none: not admitted, or erased",
                remedy="Admit the day first; after an erasure this is the intended state.",
            ) from None

    def known_request_salts(self, day: str) -> dict[str, bytes]:
        """The salts of a day's requests that have one; none is drawn."""
        return self._record_salts(day)

    def scopes(self) -> list[str]:
        """Every scope that has a secret."""
        names = self.store.names("salts/secrets")
        return sorted(json.loads(self.store.get(name))["scope"] for name in names)

    def forget(self, commitments: Collection[str], requests: Collection[str]) -> tuple[int, int]:
        """Destroy the mappings behind commitments and the salts of requests; how many of each."""
        return self._forget_pseudonyms(set(commitments)), self._forget_salts(set(requests))

    def keep_only(self, requests: Mapping[str, set[str]], commitments: set[str]) -> None:
        """Destroy what no row needs: salts of some days' other requests, all other mappings."""
        for day, kept in requests.items():
            self._forget_salts(set(self._record_salts(day)) - kept)
        known = set(self.pseudonyms()["commitment"].to_pylist())
        self._forget_pseudonyms(known - commitments)

    def _forget_pseudonyms(self, commitments: set[str]) -> int:
        gone = 0
        for name in self.store.names("salts/pseudonyms"):
            table = _read(self.store.get(name))
            kept = _without(table, "commitment", commitments)
            if kept.num_rows < table.num_rows:
                if kept.num_rows:  # before the old part goes: the others' mappings must not
                    content = _written(kept)
                    part = f"salts/pseudonyms/{digest(content)}.parquet"
                    self.store.put_new(part, content, private=True)
                self.store.delete(name)
                gone += table.num_rows - kept.num_rows
        return gone

    def _forget_salts(self, requests: set[str]) -> int:
        gone = 0
        for name in self.store.names("salts/records"):
            table = _read(self.store.get(name))
            kept = _without(table, "request_id", requests)
            if kept.num_rows < table.num_rows:
                self.store.replace(name, _written(kept), private=True)
                gone += table.num_rows - kept.num_rows
        return gone

    def _record_salts(self, day: str) -> dict[str, bytes]:
        if not self.store.exists(_day_name(day)):
            return {}
        return _by_request(_read(self.store.get(_day_name(day))))

    def _remember(self, table: pa.Table) -> None:
        """Add the mappings that are new; a part's name is its digest, so a rerun adds nothing."""
        held = self.pseudonyms()["commitment"]
        fresh = table.filter(pc.invert(pc.is_in(table["commitment"], held.combine_chunks())))
        if fresh.num_rows:
            content = _written(fresh)
            name = f"salts/pseudonyms/{digest(content)}.parquet"
            self.store.put_new(name, content, private=True)

    def _secret(self, scope: str) -> bytes:
        if scope not in self._secrets:
            name = f"salts/secrets/{hashlib.sha256(scope.encode()).hexdigest()}.json"
            if not self.store.exists(name):
                document = encode({"scope": scope, "secret": self.random(SALT_BYTES).hex()})
                self.store.put_new(name, document, private=True)
            # Read back: another process may have created it first, and the first one holds.
            self._secrets[scope] = bytes.fromhex(json.loads(self.store.get(name))["secret"])
        return self._secrets[scope]


def _without(table: pa.Table, column: str, values: set[str]) -> pa.Table:
    listed = pa.array(sorted(values), pa.string())
    return table.filter(pc.invert(pc.is_in(table[column], listed)))


def _by_request(table: pa.Table) -> dict[str, bytes]:
    return dict(zip(table["request_id"].to_pylist(), table["salt"].to_pylist(), strict=True))


def _day_name(day: str) -> str:
    return f"salts/records/{day}.parquet"


def _written(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=_GROUP_ROWS)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _read(content: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(content))
