"""Somebody's spans cut out of OTLP-JSON.

Whose a span is may be said by its resource, so a span is judged in a request of its own, with its
resource and scope. Requests without such spans stay byte for byte.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from countersign.connectors.wire.cut import Cut, Whose
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import exact
from countersign.errors import SourceError
from countersign.records import Record

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder(parse_float=Decimal)

Parse: TypeAlias = Callable[[bytes], Iterable[Record]]


def cut(page: Page, parse: Parse, whose: Whose) -> Cut:
    """The page without somebody's spans; 0 rows, and the same page, when it has none.

    A page that cannot be read is not kept: rather too much goes than too little.
    """
    if not whose.may_own(page.body):
        return Cut(page.body, 0)
    cutter = _Cutter(parse, whose)
    try:
        content = plain(page).text()
        left = "".join(part for part in map(cutter.part, _parts(content)) if part)
        is_clean = not any(map(whose.owns, parse(left.encode())))
    except (SourceError, ValueError, RecursionError):
        return Cut(None, 0)
    if not cutter.rows:
        return Cut(page.body if is_clean else None, 0)
    if not is_clean or not left.strip():
        return Cut(None, cutter.rows)
    is_packed = content.encode() != page.body
    return Cut(gzip.compress(left.encode(), mtime=0) if is_packed else left.encode(), cutter.rows)


@dataclass(slots=True)
class _Cutter:
    parse: Parse
    whose: Whose
    rows: int = 0

    def part(self, text: str) -> str:
        """One request with the white space behind it; empty when it was all somebody's."""
        if not self.whose.may_own(text.encode()):
            return text
        request, stop = _DECODER.raw_decode(text)
        before = self.rows
        groups = [left for g in request.get("resourceSpans", ()) if (left := self._group(g))]
        if self.rows == before:
            return text
        return exact(request | {"resourceSpans": groups}) + text[stop:] if groups else ""

    def _group(self, group: dict[str, Any]) -> dict[str, Any] | None:
        scopes = []
        for scope in group.get("scopeSpans", ()):
            spans = [s for s in scope.get("spans", ()) if not self._is_theirs(group, scope, s)]
            if spans:
                scopes.append(scope | {"spans": spans})
        return group | {"scopeSpans": scopes} if scopes else None

    def _is_theirs(self, group: dict[str, Any], scope: dict[str, Any], span: Any) -> bool:
        alone = {"resourceSpans": [group | {"scopeSpans": [scope | {"spans": [span]}]}]}
        found = any(map(self.whose.owns, self.parse(exact(alone).encode())))
        self.rows += found
        return found


def _parts(content: str) -> Iterator[str]:
    """Each request with the white space behind it."""
    at = len(content) - len(content.lstrip())
    while at < len(content):
        _, stop = _DECODER.raw_decode(content, at)
        match = _SPACE.match(content, stop)
        end = match.end() if match else stop
        yield content[at:end]
        at = end
