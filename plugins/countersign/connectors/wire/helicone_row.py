"""One request as Helicone's API and its export tool give it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from countersign.connectors.wire import spoken
from countersign.connectors.wire.exchange import host, opened
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.logged import Ending, Quality, by_status, quality
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.provider_name import UNKNOWN, canonical
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    count,
    instant,
    needed,
    row,
    text,
    verbatim,
)
from countersign.errors import Fault
from countersign.usage import Counters, helicone

_NO_CACHE: Final = "00000000-0000-0000-0000-000000000000"
"""What the column holds by default: the row did not come from Helicone's cache."""
_TIMED_OUT, _PENDING, _CANCELLED, _BLOCKED = -1, -2, -3, -4
_ENDINGS: Final = {
    _TIMED_OUT: Ending("error", "timeout"),
    _PENDING: Ending(None),
    _CANCELLED: Ending("cancelled", "client_disconnect", "proxy"),
    _BLOCKED: Ending("error"),
}
_PLACEHOLDER: Final = "helicone_message"


@dataclass(frozen=True, slots=True)
class Request:
    """One row. The bodies are there only where Helicone keeps them beside the row."""

    fields: Row
    call_id: str
    started_at: int
    properties: Row

    @classmethod
    def of(cls, item: object) -> "Request":
        """Read what every row has, and refuse what is none."""
        fields = row(item)
        properties = opened(fields.get("request_properties")) or opened(fields.get("properties"))
        started_at = instant(fields.get("request_created_at"))
        return cls(fields, needed(fields, "request_id"), started_at, properties)

    @property
    def provider(self) -> str:
        """The provider by its common name."""
        said = text(self.fields.get("provider"))
        return canonical(said) if said else UNKNOWN

    @property
    def model(self) -> str | None:
        """The model that answered; the listing has one column for both names."""
        return text(self.fields.get("response_model")) or text(self.fields.get("request_model"))

    @property
    def code(self) -> int | None:
        """The status, or one of the sentinels below zero."""
        return count(self.fields.get("response_status"))

    @property
    def ending(self) -> Ending:
        """How the request ended."""
        return _ENDINGS.get(self.code or 0) or by_status(self.code)

    @property
    def is_from_cache(self) -> bool:
        """Whether Helicone answered from its own cache: no provider was asked or billed."""
        return text(self.fields.get("cache_reference_id")) not in (None, _NO_CACHE)

    @property
    def reached_provider(self) -> bool:
        """Whether the request went out: neither answered from the cache nor blocked as a threat."""
        return not self.is_from_cache and self.code != _BLOCKED

    @property
    def target(self) -> str | None:
        """The provider's address that was asked."""
        return text(self.fields.get("target_url"))

    @property
    def endpoint(self) -> str | None:
        """The host of that address."""
        return host(self.target) if self.target else None

    @property
    def asked(self) -> Row:
        """The request's body, where it is kept beside the row."""
        return _body(self.fields.get("request_body"))

    @property
    def answered(self) -> Row:
        """The response's body, where it is kept beside the row."""
        return _body(self.fields.get("response_body"))

    @property
    def cost(self) -> object:
        """Helicone's estimate in USD."""
        own = self.fields.get("cost")
        return self.fields.get("costUSD") if own is None else own

    def block(self) -> Row:
        """The token columns as they came."""
        return {n: v for n in helicone.COLUMNS if (v := self.fields.get(n)) is not None}

    def counted(self, *, cache_inside: bool) -> tuple[Counters, Quality]:
        """Counters and their worth. Of a stream that was left they are what Helicone had seen."""
        if self.is_from_cache:
            return Counters(in_uncached=0, out_visible=0), "exact"
        figures = {name: count(value) for name, value in self.block().items()}
        reading = helicone.read(
            figures, is_openai=self.provider == "openai", cache_inside=cache_inside
        )
        counters, worth = quality(reading, self.ending.status)
        if self.ending.status != "ok" and counters.out_visible is None:
            return counters, "missing"  # the input is known, the output never came
        return counters, "estimated" if worth == "exact" and not counters.total else worth

    def usage_raw(self) -> str | None:
        """The token columns as JSON text."""
        block = self.block()
        return verbatim(block) if block else None

    def talk(self) -> spoken.Talk:
        """What was asked last and answered, where the bodies are kept beside the row."""
        return spoken.talk({"messages": self.asked.get("messages"), "response": self.answered})


def times_of(page: Page) -> list[int]:
    """The times of a reply's rows.

    Raises:
        SourceError: it cannot be read, or says that the question failed.
    """
    document = page.document()
    if document.get("error") is not None:
        raise page.fault(Fault.REFUSED, "rows", f"an error: {str(document['error'])[:200]}")
    try:
        return [instant(r.get("request_created_at")) for r in page.rows(document, "data")]
    except UnreadableError as error:
        raise page.fault(Fault.MALFORMED, "times of the rows", str(error)) from None


def requests(page: Page) -> Iterator[Request]:
    """Every row of replies, or of the export tool's files (JSON or JSON lines)."""
    whole = plain(page)
    for document in whole.documents():
        if isinstance(document, list):
            yield from map(Request.of, document)
        elif isinstance(document, dict) and "data" in document and "request_id" not in document:
            yield from map(Request.of, whole.rows(document, "data"))
        else:
            yield Request.of(document)


def _body(value: object) -> Row:
    found = opened(value)
    return {} if _PLACEHOLDER in found else found
