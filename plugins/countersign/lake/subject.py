"""Whom something is about: a person by user and tenant, or a request; and the rows that are theirs.

Only a gateway knows the user. Every other kind names the request or the call, so the ids of a
person's calls are found first (`Links`) and then tell whose the other rows are.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from countersign.canonical import Json
from countersign.records import Record, schema

LINKS: Final = ("request_id", "call_id", "provider_request_id")
"""Columns whose value belongs to one person. A session does not: some clients share one."""
PERSONAL: Final = ("user_commitment", *LINKS)
_PACKED: Final = (b"\x1f\x8b", b"PAR1", b"PK\x03\x04")
_TOKENS: Final = re.compile(rb'[^"]+')
_FEW: Final = 150
_WORDS: Final = re.compile(rb"[\w.@:+/-]+")


def is_personal(kind: type[Record]) -> bool:
    """Whether rows of a kind can be about a person."""
    return not set(PERSONAL).isdisjoint(schema(kind).names)


@dataclass(frozen=True, slots=True)
class Named:
    """What a duty is about: a user, of one tenant or of any, or one request, or a whole tenant."""

    user: str | None = None
    tenant: str | None = None
    request: str | None = None

    @property
    def text(self) -> str:
        """What is committed to in its name: never shown."""
        return json.dumps([self.tenant, self.user, self.request], ensure_ascii=False)

    def document(self) -> dict[str, Json]:
        """The private JSON form."""
        return {"user": self.user, "tenant": self.tenant, "request": self.request}

    def is_caller(self, record: Record) -> bool:
        """Whether a record itself names the user, or the tenant when no user is asked for."""
        tenant, user = getattr(record, "tenant", None), getattr(record, "user_commitment", None)
        if self.tenant is not None and tenant != self.tenant:
            return False
        if self.user is not None:
            return bool(user == self.user)
        return self.tenant is not None and self.request is None


@dataclass(frozen=True)
class Links:
    """The ids of somebody's calls, by column."""

    values: Mapping[str, set[str]] = field(default_factory=lambda: {c: set() for c in LINKS})

    def add(self, record: Record) -> None:
        """Take the ids of a record that is theirs."""
        for column in LINKS:
            value = getattr(record, column, None)
            if value:
                self.values[column].add(value)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Every column and value."""
        for column in LINKS:
            yield from ((column, value) for value in sorted(self.values[column]))

    def own(self, record: Record) -> bool:
        """Whether a record carries one of the ids."""
        return any(getattr(record, column, None) in self.values[column] for column in LINKS)

    def document(self) -> dict[str, Json]:
        """The private JSON form."""
        return {column: list[Json](sorted(self.values[column])) for column in LINKS}


@dataclass(frozen=True)
class Subject:
    """Somebody's rows up to an instant: those that name them, and those that carry their ids."""

    named: Named
    links: Links
    until_us: int

    def owns(self, record: Record) -> bool:
        """Whether a record is theirs."""
        if not is_before(record, self.until_us):
            return False
        return self.named.is_caller(record) or self.links.own(record)

    def may_own(self, row: bytes) -> bool:
        """Whether a row's bytes name them; packed bytes always may."""
        if row.startswith(_PACKED):
            return True
        few = len(self._needles) <= _FEW
        if few and not any(needle in row for needle in self._needles):
            return False  # ten times as fast as taking the row apart, which only many need
        if any(needle in row for needle in self._odd):
            return True
        found = {*_TOKENS.findall(row), *_WORDS.findall(row)}
        return not found.isdisjoint(self._needles)

    @cached_property
    def _needles(self) -> frozenset[bytes]:
        return frozenset(form for text in self._texts() for form in _forms(text))

    @cached_property
    def _odd(self) -> tuple[bytes, ...]:
        """Needles that are no single token: they hold quotes, escapes or line ends."""
        whole = (_TOKENS.fullmatch, _WORDS.fullmatch)
        return tuple(n for n in self._needles if not any(is_whole(n) for is_whole in whole))

    def _texts(self) -> Iterable[str]:
        plain = self.named.user or self.named.request or self.named.tenant
        return {*([plain] if plain else []), *(value for _, value in self.links)}


def is_before(record: Record, until_us: int) -> bool:
    """Whether a record's time lies before an instant; one without a time always does."""
    at = getattr(record, record.time_column, None) if record.time_column else None
    return not isinstance(at, int) or at < until_us


def _forms(text: str) -> set[bytes]:
    """How a text may stand in a page: as it is, and as JSON writes it."""
    written = (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    return {form.encode("utf-8", "surrogatepass") for form in written}
