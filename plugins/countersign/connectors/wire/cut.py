"""Some rows cut out of a page, every other byte of it left as it came.

A page is JSON Lines, or one document with lists of rows at any depth. Whose a row is, only the
connector can say: each row is read alone, in the page that is left when all other rows are taken
away. A list item with rows of several people is gone into, down to the single row.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol, TypeAlias

from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.errors import SourceError
from countersign.records import Record

_GZIP: Final = b"\x1f\x8b"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()
_DEEPEST: Final = 12

Parse: TypeAlias = Callable[[bytes], Iterable[Record]]
Wrap: TypeAlias = Callable[[str], str]
Span: TypeAlias = tuple[int, int]


class Whose(Protocol):
    """Tells a person's rows from all others."""

    def may_own(self, row: bytes) -> bool:
        """Whether a row's bytes name the person at all; False is certain."""
        ...

    def owns(self, record: Record) -> bool:
        """Whether a record is about the person."""
        ...


class UncuttableError(Exception):
    """The page's rows cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left of a page, and how many rows went; no `page`: nothing of it can be kept."""

    page: bytes | None
    rows: int


def cut(page: bytes, parse: Parse, whose: Whose) -> Cut:
    """The page without the rows of somebody; 0 rows, and the same page, when it has none.

    A page whose rows cannot be told apart, or which would read otherwise after the cut, is not
    kept at all: rather too much goes than too little.
    """
    if not whose.may_own(page):
        return Cut(page, 0)
    try:
        before = list(parse(page))
    except SourceError:
        return Cut(None, 0)
    theirs = sum(map(whose.owns, before))
    if not theirs:
        return Cut(page, 0)
    cutter = _Cutter(lambda row: parse(row.encode()), whose)
    try:
        left = _left(page, cutter)
        others = [record for record in before if record not in cutter.gone]
        is_clean = left is not None and list(parse(left)) == others
    except (SourceError, UncuttableError, ValueError, RecursionError):
        return Cut(None, theirs)
    return Cut(left if is_clean else None, theirs)


def _left(page: bytes, cutter: "_Cutter") -> bytes | None:
    if page.startswith(_GZIP):
        left = _left(plain(Page("", page)).body, cutter)
        return None if left is None else gzip.compress(left, mtime=0)
    text = page.decode("utf-8-sig")
    documents = list(_documents(text))
    parts, end = [], 0
    for start, stop in documents:
        kept = cutter.cut(text[start:stop], lambda row: row, 0)
        if kept is not None:
            parts.append(text[end:start] + kept)
        end = stop
    if not parts:
        return None
    return ("".join(parts).lstrip() + text[end:]).encode()


@dataclass(frozen=True, slots=True)
class _Cutter:
    parse: Callable[[str], Iterable[Record]]
    whose: Whose
    gone: set[Record] = field(default_factory=set)
    """The records of every row that was cut: a row goes with all that was read from it."""

    def cut(self, value: str, wrap: Wrap, depth: int) -> str | None:
        """A JSON value without the rows of somebody; None when nothing of it is anybody else's."""
        if not self.whose.may_own(value.encode()):
            return value
        records = self._records(wrap(value))
        theirs = sum(map(self.whose.owns, records))
        if records and not theirs:
            return value
        lists = list(_lists(value, 0)) if theirs < len(records) else []
        if depth > _DEEPEST:
            raise UncuttableError
        if lists and (left := self._without(value, lists, wrap, depth)) != value:
            return left
        self.gone.update(records)  # none, when nothing in it can be read and it names the person
        return None

    def _without(self, value: str, lists: Sequence[Span], wrap: Wrap, depth: int) -> str:
        """The value with each of its outermost lists cut item by item."""
        kept = [
            [
                left
                for start, stop in _items(value, list_start)
                if (left := self.cut(value[start:stop], _in(value, lists, i, wrap), depth + 1))
                is not None
            ]
            for i, (list_start, _) in enumerate(lists)
        ]
        return _filled(value, lists, ["[" + ",".join(items) + "]" for items in kept])

    def _records(self, page: str) -> list[Record]:
        try:
            return list(self.parse(page))
        except SourceError:
            return []


def _in(value: str, lists: Sequence[Span], chosen: int, wrap: Wrap) -> Wrap:
    """Puts one item alone into one of a value's lists; the other lists are empty."""

    def alone(item: str) -> str:
        filling = [f"[{item}]" if i == chosen else "[]" for i in range(len(lists))]
        return wrap(_filled(value, lists, filling))

    return alone


def _filled(value: str, lists: Sequence[Span], filling: Sequence[str]) -> str:
    ends = [(0, 0), *lists, (len(value), len(value))]
    between = [value[left[1] : right[0]] for left, right in pairwise(ends)]
    return "".join(part + fill for part, fill in zip(between, [*filling, ""], strict=True))


def _documents(text: str) -> Iterator[Span]:
    at = _skip(text, 0)
    while at < len(text):
        stop = _end(text, at)
        yield at, stop
        at = _skip(text, stop)


def _lists(text: str, at: int) -> Iterator[Span]:
    """The outermost lists of objects in a value."""
    if text[at] == "[":
        first = _skip(text, at + 1)
        if text[first] in "{[":
            yield at, _end(text, at)
    elif text[at] == "{":
        for start, _ in _values(text, at):
            yield from _lists(text, start)


def _values(text: str, at: int) -> Iterator[Span]:
    """The values of an object's members."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        start = _skip(text, _skip(text, _end(text, at)) + 1)
        stop = _end(text, start)
        yield start, stop
        at = _next(text, stop)


def _items(text: str, at: int) -> Iterator[Span]:
    at = _skip(text, at + 1)
    while text[at] != "]":
        stop = _end(text, at)
        yield at, stop
        at = _next(text, stop)


def _next(text: str, at: int) -> int:
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _end(text: str, at: int) -> int:
    return _DECODER.raw_decode(text, at)[1]


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
