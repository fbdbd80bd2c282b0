"""LiteLLM's two row shapes under one set of names: SpendLogs rows and logging payloads.

A row is what the database and the API hold. A payload is what callbacks and object storage
get, one per event; its times are seconds since 1970, and it exists for failed attempts too.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from countersign import usage
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, UnreadableError, inner, row, text
from countersign.usage import Counters

CLIENT_CLOSED: Final = "499"
_TIMEOUTS: Final = ("408", "504")
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended. LiteLLM calls a stream that the client left a success, with code 499."""

    status: str
    ended_by: str
    http_status: int | None = None
    error_type: str | None = None
    boundary: str | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether the client left."""
        return self.status == "cancelled"


_COMPLETED: Final = Ending("ok", "completed")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row or payload. `metadata` is decoded, `call_id` is the row's key."""

    fields: Row
    metadata: Row
    call_id: str
    litellm_call_id: str
    is_payload: bool

    @classmethod
    def of(cls, item: object) -> "Entry":
        """Read the keys of a row or payload."""
        fields = row(item)
        call_id = text(fields.get("request_id")) or text(fields.get("id"))
        litellm_call_id = text(fields.get("litellm_call_id"))
        key = call_id or litellm_call_id
        if key is None:
            raise UnreadableError("neither request_id nor id nor litellm_call_id is there")
        metadata = _decoded(fields, "metadata")
        return cls(fields, metadata, key, litellm_call_id or key, "request_id" not in fields)

    @property
    def is_from_gateway_cache(self) -> bool:
        """Whether the gateway answered by itself: no provider was asked."""
        return "_cache_hit" in self.call_id or self.fields.get("cache_hit") in (True, "True")

    @property
    def is_failed_event(self) -> bool:
        """Whether this is the callback event of an attempt that got nothing."""
        return (
            self.is_payload
            and self.fields.get("status") == "failure"
            and not self.fields.get("total_tokens")
        )

    @property
    def provider_request_id(self) -> str | None:
        """The provider's own id, unless LiteLLM put its call id in that place."""
        if self.call_id == self.litellm_call_id or self.is_from_gateway_cache:
            return None
        return self.call_id

    @property
    def provider(self) -> str:
        """The provider, by LiteLLM's name; failures may lack it."""
        said = text(self.fields.get("custom_llm_provider"))
        model = text(self.fields.get("model")) or ""
        return said or (model.partition("/")[0] if "/" in model else _UNKNOWN)

    @property
    def model(self) -> str | None:
        """The model that answered, without the provider's prefix: billing pages have none."""
        said = text(self.fields.get("model"))
        return said.removeprefix(f"{self.provider}/") if said else None

    def ending(self) -> Ending:
        """How the call ended, by the error information; `status` alone hides the client's leave."""
        error = inner(self.metadata, "error_information") or inner(self.fields, "error_information")
        code, kind = text(error.get("error_code")) or "", text(error.get("error_class"))
        if code == CLIENT_CLOSED:
            return Ending("cancelled", "client_disconnect", int(code), kind, "proxy")
        if self.fields.get("status") != "failure":
            return _COMPLETED
        slow = code in _TIMEOUTS or "timeout" in (kind or "").lower()
        status = int(code) if code.isascii() and code.isdigit() and len(code) == 3 else None
        return Ending("error", "timeout" if slow else "upstream_error", status, kind)

    @property
    def usage_object(self) -> Row:
        """LiteLLM's normalised usage, as it was logged."""
        return inner(self.metadata, "usage_object") or inner(
            inner(self.fields, "hidden_params"), "usage_object"
        )

    def usage_block(self) -> Row:
        """The usage object, completed by the row's own totals where it lacks them."""
        found = self.usage_object
        if "prompt_tokens" in found:
            return found
        totals = ("prompt_tokens", "completion_tokens", "total_tokens")
        columns = {name: self.fields[name] for name in totals if self.fields.get(name)}
        return {**found, **inner(self.metadata, "additional_usage_values"), **columns}

    def counted(self, ending: Ending) -> tuple[Counters, str]:
        """Counters and their quality. What LiteLLM counted itself is an estimate.

        Such rows say zero cached tokens whatever the provider did, and zero of everything when
        no chunk came: they know nothing of it.
        """
        if self.is_from_gateway_cache:
            return Counters(in_uncached=0, out_visible=0), "exact"
        block = self.usage_block()
        if not block:
            return Counters(), "missing"
        reading = usage.reading("litellm", block)
        if reading.counters.is_empty:
            return reading.counters, "missing"
        if ending.status == "ok":
            return reading.counters, "estimated" if reading.unaccounted else "exact"
        if not reading.counters.total:
            return Counters(), "missing"
        return _without_silent_cache(reading.counters), "estimated"

    def tags(self) -> dict[str, str]:
        """`request_tags` of the form `name:value`; the first of a name counts."""
        found: dict[str, str] = {}
        for tag in _list(self.fields.get("request_tags")):
            name, colon, value = tag.partition(":") if isinstance(tag, str) else ("", "", "")
            if colon and value.strip():
                found.setdefault(name, value.strip())
        return found

    def failures_before(self, name: str) -> int:
        """`attempted_retries` or `attempted_fallbacks`; absent is none."""
        value = self.metadata.get(name)
        return value if isinstance(value, int) and value > 0 else 0


def entries(page: Page) -> Iterator[Entry]:
    """Every call of an API page, of JSONL, or of a JSON array, each once.

    A retried attempt has a failure event of its own in the payloads, under the id of the call,
    and no row by the API: it is left out when its call has an answer in the same page.
    """
    answered: set[str] = set()
    failed: list[Entry] = []
    for item in _items(page):
        entry = Entry.of(item)
        if entry.is_failed_event:
            failed.append(entry)
            continue
        answered.add(entry.litellm_call_id)
        yield entry
    yield from (entry for entry in failed if entry.litellm_call_id not in answered)


@lru_cache(maxsize=256)
def host(api_base: str) -> str | None:
    """The host of an address; stream rows and others spell the same base differently."""
    return urlsplit(api_base if "//" in api_base else f"//{api_base}").hostname


def _items(page: Page) -> Iterator[object]:
    for document in page.documents():
        if isinstance(document, list):
            yield from document
        elif isinstance(document, dict) and "data" in document and "request_id" not in document:
            yield from page.rows(document, "data")
        else:
            yield document


def _decoded(fields: Row, name: str) -> Row:
    """A JSON column: decoded by the API, text in database exports."""
    value = fields.get(name)
    if isinstance(value, dict):
        return value
    if isinstance(value, str) and value:
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            raise UnreadableError(f"{name} is no JSON") from None
        return found if isinstance(found, dict) else {}
    return {}


def _list(value: object) -> list[object]:
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return value if isinstance(value, list) else []


def _without_silent_cache(counters: Counters) -> Counters:
    if counters.in_cache_read or counters.in_cache_write_5m or counters.in_cache_write_1h:
        return counters
    return Counters(
        in_uncached=counters.in_uncached,
        out_visible=counters.out_visible,
        out_reasoning=counters.out_reasoning,
        out_other=counters.out_other,
    )
