"""One page of a source: its JSON documents, and errors that name it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NoReturn, TypeVar

from countersign.canonical import digest
from countersign.connectors.wire.value import Row, UnreadableError, row
from countersign.errors import EvidenceError, Fault, SourceError
from countersign.records import Record

T = TypeVar("T")
U = TypeVar("U")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SHOWN: Final = 400
"""Characters of what a source sent that a message may repeat."""
_NEAR_THE_END: Final = 8
"""A document cut inside a literal, number or escape is refused a few characters before its end."""


def _refuse_constant(constant: str) -> NoReturn:
    raise UnreadableError(f"{constant} is no JSON number")


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


@dataclass(frozen=True, slots=True)
class Page:
    """The bytes of a page; `name` says where in the paging, else its digest names it."""

    source: str
    body: bytes
    name: str = ""

    def document(self) -> Row:
        """The one JSON object that the page is.

        Raises:
            SourceError: empty, cut short, or anything else.
        """
        documents = list(self.documents())
        if len(documents) == 1 and isinstance(documents[0], dict):
            return documents[0]
        if not documents:
            raise self.fault(Fault.TRUNCATED, "a JSON object", "no content")
        raise self.fault(Fault.MALFORMED, "one JSON object", _seen(documents))

    def documents(self) -> Iterator[Any]:
        """Every JSON document of the page, one after the other (JSONL, or one). Money stays exact.

        Raises:
            SourceError: the text is cut short, or is no JSON.
        """
        content = self.text()
        at = _skip(content, 0)
        while at < len(content):
            try:
                found, end = _DECODER.raw_decode(content, at)
            except json.JSONDecodeError as error:
                raise self._undecoded(content, at, error) from None
            except (ValueError, ArithmeticError, RecursionError) as error:
                raise self.fault(Fault.MALFORMED, "JSON", str(error)[:120]) from None
            yield found
            at = _skip(content, end)

    def text(self) -> str:
        """The page as text.

        Raises:
            SourceError: it is no UTF-8, or ends inside a character.
        """
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            cut = error.end >= len(self.body) and error.reason == "unexpected end of data"
            fault = Fault.TRUNCATED if cut else Fault.MALFORMED
            raise self.fault(fault, "UTF-8 text", f"{error.reason} at byte {error.start}") from None

    def records(self, rows: Iterable[T], read: Callable[[T], Iterable[U]]) -> Iterator[U]:
        """Read every row; the first that cannot be read makes the page malformed, and is named."""
        done = 0
        try:
            for item in rows:
                yield from read(item)
                done += 1
        except (UnreadableError, EvidenceError) as error:
            raise self.fault(Fault.MALFORMED, "readable rows", f"row {done + 1}: {error}") from None

    def bucketed(self, read: Callable[[tuple[Row, Row]], Iterable[Record]]) -> Iterator[Record]:
        """Read every result of a usage or cost report with its bucket; an empty bucket is none."""
        for bucket in self.rows(self.document(), "data"):
            results = self.rows(bucket, "results")
            yield from self.records(((bucket, result) for result in results), read)

    def rows(self, document: Row, name: str) -> list[Row]:
        """The list of objects under a name."""
        found = document.get(name)
        if not isinstance(found, list):
            raise self.fault(Fault.MALFORMED, f"a list {name!r}", type(found).__name__)
        try:
            return [row(item) for item in found]
        except UnreadableError as error:
            raise self.fault(Fault.MALFORMED, f"objects in {name!r}", str(error)) from None

    def fault(self, fault: Fault, expected: str, observed: str) -> SourceError:
        """The error to raise about this page."""
        return SourceError(
            self.source,
            fault,
            page=self.name or f"sha256:{digest(self.body)[:16]}",
            expected=expected,
            observed=observed[:_SHOWN],
            remedy="The page is kept as it came; collect the day again.",
        )

    def _undecoded(self, content: str, start: int, error: json.JSONDecodeError) -> SourceError:
        cut = content[start] in "{[" and (
            error.msg.startswith("Unterminated string")
            or error.pos >= len(content.rstrip()) - _NEAR_THE_END
        )
        where = f"{error.msg} at character {error.pos} of {len(content)}"
        return self.fault(Fault.TRUNCATED if cut else Fault.MALFORMED, "whole JSON", where)


def _skip(content: str, at: int) -> int:
    match = _SPACE.match(content, at)
    return match.end() if match else at


def _seen(documents: list[Any]) -> str:
    return f"{len(documents)} documents, the first a {type(documents[0]).__name__}"
