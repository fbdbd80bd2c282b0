"""Who was erased: salted commitments, so that a person who is read again does not come back.

`erased/salt` is drawn once and never leaves the lake; without it the commitments, here and in
the log, tell nothing. Only rows from before an erasure are refused: the same person may become a
user again.
"""

import hmac
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from countersign.canonical import Json, encode
from countersign.lake.purge import Marks
from countersign.lake.store import Store
from countersign.lake.subject import LINKS, Named, Subject, is_before
from countersign.records import Record

_SALT: Final = "erased/salt"
_LISTS: Final = "erased/lists"
_SALT_BYTES: Final = 32
Instants: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.int64]]"


@dataclass(frozen=True)
class Erased:
    """Every erasure of a lake, as rows can be held against it."""

    store: Store
    random: Callable[[int], bytes]

    def commitment(self, what: str, plain: str) -> str:
        """The commitment of a name or id: 64 hexadecimal digits."""
        message = f"{what}\0{plain}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._salt, message, "sha256").hex()

    def add(self, subject: Subject) -> str:
        """Remember an erasure; returns the commitment that stands for the person in the log."""
        name = self.commitment("subject", subject.named.text)
        named = subject.named
        user = None if named.user is None else _user(named.tenant, named.user)
        people = [] if user is None else [self.commitment("user", user)]
        ids = sorted(self.commitment(column, value) for column, value in subject.links)
        document: dict[str, Json] = {
            "until_us": subject.until_us,
            "people": list[Json](people),
            "ids": list[Json](ids),
        }
        file = f"{_LISTS}/{name}-{subject.until_us}.json"
        self.store.replace(file, encode(document), private=True)
        self.__dict__.pop("_known", None)
        return name

    @property
    def until_us(self) -> int:
        """The latest instant before which rows are refused; 0 when nobody was erased."""
        return max(self._known.values(), default=0)

    def owns(self, record: Record) -> bool:
        """Whether a record is about somebody who was erased, from before the erasure."""
        if not self._known or not is_before(record, self.until_us):
            return False
        until = max((self._known.get(name, 0) for name in self._names(record)), default=0)
        return until > 0 and is_before(record, until)

    def knows(self, what: str, plain: str) -> bool:
        """Whether an id is that of somebody who was erased."""
        return self.until_us > 0 and self.commitment(what, plain) in self._known

    def marks(self, kind: type[Record], rows: pa.Table) -> Marks:
        """A mark for each row of a table of plain records that is about somebody erased."""
        until = np.zeros(rows.num_rows, dtype=np.int64)
        for column in set(LINKS) & set(rows.column_names):
            until = np.maximum(until, self._until(column, rows[column].to_pylist()))
        if "user_commitment" in rows.column_names:
            users = rows["user_commitment"].to_pylist()
            of = (
                rows["tenant"].to_pylist() if "tenant" in rows.column_names else [None] * len(users)
            )
            for tenants in (of, [None] * len(users)):
                pairs = zip(tenants, users, strict=True)
                named = [None if user is None else _user(tenant, user) for tenant, user in pairs]
                until = np.maximum(until, self._until("user", named))
        if not kind.time_column:
            return until > 0
        at = rows[kind.time_column].cast(pa.int64()).fill_null(0).to_numpy()
        return np.asarray(at < until)

    def _until(self, what: str, values: Sequence[str | None]) -> Instants:
        """Up to when each value was erased; 0 for those that were not."""
        known = {
            value: self._known.get(self.commitment(what, value), 0)
            for value in set(values)
            if value
        }
        return np.array([known.get(value, 0) if value else 0 for value in values], np.int64)

    def _names(self, record: Record) -> Iterable[str]:
        user = getattr(record, "user_commitment", None)
        if user:
            tenant = getattr(record, "tenant", None)
            yield self.commitment("user", _user(tenant, user))
            yield self.commitment("user", _user(None, user))
        for column in LINKS:
            value = getattr(record, column, None)
            if value:
                yield self.commitment(column, value)

    @cached_property
    def _known(self) -> Mapping[str, int]:
        """Commitments of people and ids, and the instant up to which each was erased."""
        known: dict[str, int] = {}
        for name in self.store.names(_LISTS):
            document: dict[str, Any] = json.loads(self.store.get(name))
            for commitment in (*document["people"], *document["ids"]):
                known[commitment] = max(known.get(commitment, 0), document["until_us"])
        return known

    @cached_property
    def _salt(self) -> bytes:
        if not self.store.exists(_SALT):
            self.store.put_new(_SALT, self.random(_SALT_BYTES), private=True)
        return self.store.get(_SALT)


def _user(tenant: str | None, user: str) -> str:
    return Named(user=user, tenant=tenant).text
