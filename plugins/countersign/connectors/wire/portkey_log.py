"""One line of Portkey's log export, under one of the two spellings of its fields."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from countersign.connectors.wire import spoken
from countersign.connectors.wire.exchange import host, opened
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.logged import Ending, Quality, by_status, line_id, quality, raw
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.provider_name import UNKNOWN, canonical
from countersign.connectors.wire.value import (
    Row,
    count,
    flag,
    inner,
    instant,
    micros,
    money,
    row,
    text,
)
from countersign.usage import Counters, portkey

FIELDS: Final = (
    "id", "trace_id", "created_at", "is_success", "ai_org", "ai_model", "req_units", "res_units",
    "total_units", "request_url", "cost", "cost_currency", "response_time", "response_status_code",
    "mode", "config", "prompt_slug", "metadata", "response", "request",
)  # fmt: skip
"""What a job is asked for; the last is the prompt. The reply is read for its usage as well."""
_OTHER_SPELLINGS: Final = {
    "ai_provider": "ai_org",
    "request_tokens": "req_units",
    "response_tokens": "res_units",
    "total_tokens": "total_units",
    "status_code": "response_status_code",
    "request.body": "request",
    "response.body": "response",
}
_NAMES: Final = {
    "azure-ai": "azure.ai.inference",
    "mistral-ai": "mistral_ai",
    "vertex-ai": "gcp.vertex_ai",
    "x-ai": "x_ai",
}
_UNITS: Final = ("req_units", "res_units", "total_units")
_CONTROL: Final = frozenset({"export", "log_export"})
_SPELT: Final = re.compile(
    r"\w{3} ([A-Z][a-z]{2}) (\d{1,2}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT([+-]\d{2})(\d{2})\b.*"
)
_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"


@dataclass(frozen=True, slots=True)
class Log:
    """One logged request."""

    fields: Row
    call_id: str
    started_at: int
    metadata: Row

    @classmethod
    def of(cls, item: object) -> "Log":
        """Read what every line has, and refuse what is none."""
        given = row(item)
        fields = {_OTHER_SPELLINGS.get(name, name): value for name, value in given.items()}
        call_id = text(fields.get("id")) or line_id(given)
        return cls(
            fields, call_id, moment(fields.get("created_at")), opened(fields.get("metadata"))
        )

    @property
    def provider(self) -> str:
        """The provider by its common name."""
        said = (text(self.fields.get("ai_org")) or UNKNOWN).lower()
        return canonical(_NAMES.get(said, said))

    @property
    def address(self) -> str | None:
        """The provider's address that was asked."""
        return text(self.fields.get("request_url"))

    @property
    def endpoint(self) -> str | None:
        """The host of that address."""
        return host(self.address) if self.address else None

    @property
    def http_status(self) -> int | None:
        """The status of the answer."""
        return count(self.fields.get("response_status_code")) or None

    @property
    def is_from_cache(self) -> bool:
        """Whether Portkey answered from its own cache; only older exports have the column."""
        return (text(self.fields.get("cache_status")) or "").upper().endswith("HIT")

    @property
    def ending(self) -> Ending:
        """How the request ended: by its status, else by `is_success`."""
        by_code = by_status(self.http_status)
        if by_code.status is not None:
            return by_code
        said = self.fields.get("is_success")
        success = bool(said) if isinstance(said, int) else flag(said)
        if success is None:
            return by_code
        return Ending("ok", "completed") if success else Ending("error", "upstream_error")

    @property
    def cost(self) -> int | None:
        """Portkey's estimate in micro-USD; it is logged in cents."""
        cents, currency = self.fields.get("cost"), text(self.fields.get("cost_currency"))
        if cents is None or (currency or "USD").upper() != "USD":
            return None
        return micros(money(cents, per_unit=100))

    @property
    def asked(self) -> Row:
        """The request's body, where it was exported."""
        return _body(self.fields.get("request"))

    @property
    def answered(self) -> Row:
        """The response's body, where it was exported."""
        return _body(self.fields.get("response"))

    def counted(self) -> tuple[Counters, Quality]:
        """Counters by the reply's own usage, else by the columns, which know no cache."""
        if self.is_from_cache:
            return Counters(in_uncached=0, out_visible=0), "exact"
        block = inner(self.answered, "usage")
        if block:
            return quality(portkey.read(block), self.ending.status)
        entered, produced = (count(self.fields.get(name)) for name in _UNITS[:2])
        return quality(portkey.read_units(entered, produced), self.ending.status)

    def usage_raw(self) -> str | None:
        """The reply's usage, else the columns, as JSON text."""
        columns = {n: v for n in _UNITS if (v := self.fields.get(n)) is not None}
        return raw(inner(self.answered, "usage") or columns)

    def talk(self) -> spoken.Talk:
        """What was asked last and answered, where the bodies were exported."""
        return spoken.talk({"messages": self.asked.get("messages"), "response": self.answered})


def logs(page: Page) -> Iterator[Log]:
    """Every line of an export; the reply that made the job holds none."""
    whole = plain(page)
    for document in whole.documents():
        if not (isinstance(document, dict) and text(document.get("object")) in _CONTROL):
            yield from map(Log.of, document if isinstance(document, list) else [document])


def moment(value: object) -> int:
    """Microseconds of `created_at`: RFC 3339, or as JavaScript spells a date."""
    found = _SPELT.fullmatch(value) if isinstance(value, str) else None
    if found is None or found.group(1) not in _MONTHS:
        return instant(value)
    month, day, year, clock, hours, minutes = found.groups()
    number = _MONTHS.index(month) // 3 + 1
    return instant(f"{year}-{number:02}-{int(day):02}T{clock}{hours}:{minutes}")


def _body(value: object) -> Row:
    """A body, alone or in an envelope with its headers."""
    found = opened(value)
    return opened(found.get("body")) or found
