"""One log of Cloudflare's AI Gateway."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from countersign.connectors.wire.logged import CLIENT_LEFT, Ending, Quality, by_status
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.provider_name import UNKNOWN, canonical
from countersign.connectors.wire.value import (
    Row,
    count,
    flag,
    instant,
    micros,
    needed,
    row,
    text,
    verbatim,
)
from countersign.errors import Fault
from countersign.usage import Counters

_TOKENS = ("tokens_in", "tokens_out")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the listing."""

    fields: Row
    call_id: str
    started_at: int

    @classmethod
    def of(cls, item: object) -> "Entry":
        """Read what every row has, and refuse what is none."""
        fields = row(item)
        return cls(fields, needed(fields, "id"), instant(fields.get("created_at")))

    @property
    def provider(self) -> str:
        """The provider by its common name."""
        said = text(self.fields.get("provider"))
        return canonical(said) if said else UNKNOWN

    @property
    def is_from_cache(self) -> bool:
        """Whether the gateway answered from its own cache: no provider was asked or billed."""
        return flag(self.fields.get("cached")) is True

    @property
    def attempt(self) -> int | None:
        """The fallback step, counted from 1."""
        step = count(self.fields.get("step"))
        return None if step is None else count(step + 1)

    @property
    def ending(self) -> Ending:
        """How the call ended: by its status, else by `success`."""
        by_code = by_status(count(self.fields.get("status_code")))
        if by_code == CLIENT_LEFT:
            return by_code
        if flag(self.fields.get("success")) is False and by_code.status != "error":
            return Ending("error", "upstream_error")
        if by_code.status is None and flag(self.fields.get("success")) is True:
            return Ending("ok", "completed")
        return by_code

    @property
    def cost(self) -> int | None:
        """The gateway's estimate in micro-USD."""
        return micros(self.fields.get("cost"))

    def counted(self) -> tuple[Counters, Quality]:
        """Totals without their split, which makes them estimates of what is uncached."""
        if self.is_from_cache:
            return Counters(in_uncached=0, out_visible=0), "exact"
        entered, produced = (count(self.fields.get(name)) for name in _TOKENS)
        if (entered, produced) == (None, None):
            return Counters(), "missing"
        if self.ending.status != "ok" and not entered and not produced:
            return Counters(), "missing"
        return Counters(in_uncached=entered, out_visible=produced), "estimated"

    def usage_raw(self) -> str | None:
        """The token fields as they came."""
        block = {name: self.fields[name] for name in _TOKENS if name in self.fields}
        return verbatim(block) if block else None

    def tag(self, key: str) -> str | None:
        """A value of the metadata, which is JSON in a string."""
        said = self.fields.get("metadata")
        if isinstance(said, str) and said.startswith("{"):
            try:
                said = json.loads(said)
            except (ValueError, RecursionError):
                return None
        return text(said.get(key)) if isinstance(said, dict) and key else None


def answer(page: Page) -> Row:
    """The one document of a reply.

    Raises:
        SourceError: it cannot be read, or says that the request failed.
    """
    document = page.document()
    if document.get("success") is False:
        said = json.dumps(document.get("errors"), default=str)[:200]
        raise page.fault(Fault.REFUSED, "a listing", f"an error: {said}")
    return document


def entries(page: Page) -> Iterator[Entry]:
    """Every row of replies, or of a file with one row a line."""
    for document in page.documents():
        if isinstance(document, dict) and "result" in document and "id" not in document:
            yield from map(Entry.of, page.rows(document, "result"))
        else:
            yield Entry.of(document)
