"""LiteLLM's two row shapes under one set of names: SpendLogs rows and logging payloads.

A row is what the database and the API hold. A payload is what callbacks and object storage
get, one per event; its times are seconds since 1970, and it exists for failed attempts too.

Pages have millions of rows, so they are decoded straight into the fields that are read, and
everything else is skipped. A page that is not exactly so typed (numbers as text, half
characters, several documents in a line) is decoded again by `Page`, leniently and row by row: it
gives the same entries, and errors that name their row.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Raw

from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, UnreadableError, exact, inner, row, text
from countersign.usage.litellm import Usage

_STRICT: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Failure(msgspec.Struct, frozen=True, gc=False):
    """`error_information`."""

    error_code: str | int | None = None
    error_class: str | None = None


class UsageObject(Usage, frozen=True, gc=False):
    """`usage_object`: figures, and what the provider said beside them."""

    inference_geo: str | None = None
    service_tier: str | None = None


class Metadata(msgspec.Struct, frozen=True, gc=False):
    """What is read of `metadata`."""

    usage_object: Raw = Raw()
    additional_usage_values: Raw = Raw()
    error_information: Failure | None = None
    attempted_retries: int | None = None
    attempted_fallbacks: int | None = None
    original_model_group: str | None = None
    user_api_key_team_alias: str | None = None
    user_api_key_team_id: str | None = None
    user_api_key_end_user_id: str | None = None


class Hidden(msgspec.Struct, frozen=True, gc=False):
    """What is read of a payload's `hidden_params`."""

    usage_object: Raw = Raw()
    api_base: str | None = None


class Entry(msgspec.Struct, gc=False):
    """One row or payload, as it was sent. `metadata` is text in exports of the database."""

    request_id: str | msgspec.UnsetType | None = msgspec.UNSET
    id: str | None = None
    litellm_call_id: str | None = None
    call_type: str | None = None
    model: str | None = None
    model_id: str | None = None
    model_group: str | None = None
    custom_llm_provider: str | None = None
    api_base: str | None = None
    end_user: str | None = None
    session_id: str | None = None
    trace_id: str | None = None
    team_id: str | None = None
    status: str | None = None
    started: Raw = msgspec.field(default=Raw(), name="startTime")
    ended: Raw = msgspec.field(default=Raw(), name="endTime")
    answering: Raw = msgspec.field(default=Raw(), name="completionStartTime")
    spend: Raw = Raw()
    response_cost: Raw = Raw()
    cache_hit: str | bool | None = None
    stream: str | bool | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    request_tags: Raw = Raw()
    messages: Raw = Raw()
    response: Raw = Raw()
    model_parameters: Raw = Raw()
    metadata: Metadata | str | None = None
    error_information: Failure | None = None
    hidden_params: Hidden | None = None
    data: Raw = Raw()

    @property
    def call_id(self) -> str:
        """The row's key."""
        key = self.request_id or self.id or self.litellm_call_id
        if not key:
            raise UnreadableError("neither request_id nor id nor litellm_call_id is there")
        return key

    @property
    def is_listing(self) -> bool:
        """Whether this is no call but a page of the API: its rows are under `data`."""
        return bool(bytes(self.data)) and self.request_id is msgspec.UNSET

    @property
    def is_failed_event(self) -> bool:
        """Whether this is the callback event of an attempt that got nothing."""
        is_payload = self.request_id is msgspec.UNSET
        return is_payload and self.status == "failure" and not self.total_tokens


def entries(page: Page) -> list[Entry]:
    """Every call of an API page, of JSONL, or of a JSON array, each once.

    A retried attempt has a failure event of its own in the payloads, under the id of the call,
    and no row by the API: it is left out when its call has an answer in the same page.

    Raises:
        SourceError: the page is no JSON, or a row cannot be read.
    """
    found = _typed(page.body)
    return _once(_lenient(page) if found is None else found)


def metadata(entry: Entry) -> Metadata:
    """A JSON column: decoded by the API, text in database exports; absent is empty."""
    found = entry.metadata
    if isinstance(found, str) and found:
        try:
            return _METADATA.decode(found)
        except _STRICT:
            return _metadata(_parsed(found, "metadata"))
    return found if isinstance(found, Metadata) else _SILENT


@lru_cache(maxsize=4_096)
def tags(request_tags: bytes) -> dict[str, str]:
    """`request_tags` of the form `name:value`; the first of a name counts."""
    listed = decoded(request_tags)
    if isinstance(listed, str) and listed.startswith("["):
        listed = decoded(listed.encode("utf-8", "surrogatepass"))
    found: dict[str, str] = {}
    for tag in listed if isinstance(listed, list) else ():
        name, colon, value = tag.partition(":") if isinstance(tag, str) else ("", "", "")
        if colon and value.strip():
            found.setdefault(name, value.strip())
    return found


def decoded(raw: bytes | Raw) -> Any:
    """The JSON value of one field; None when it is absent or no JSON."""
    content = bytes(raw)
    if not content:
        return None
    try:
        return _ANY.decode(content)
    except _STRICT:
        try:
            return json.loads(content.decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            return None


_METADATA: Final = msgspec.json.Decoder(Metadata)
_ENTRY: Final = msgspec.json.Decoder(Entry)
_ENTRIES: Final = msgspec.json.Decoder(list[Entry])
_ANY: Final = msgspec.json.Decoder()
_SILENT: Final = Metadata()
_BOM: Final = b"\xef\xbb\xbf"
_HEAD: Final = 64


def _typed(body: bytes) -> list[Entry] | None:
    """The entries of a page that is typed as documented; None when it is not."""
    content = body.removeprefix(_BOM)
    try:
        if not content.isascii():
            content.decode()
        if content[:_HEAD].lstrip(b" \t\r\n").startswith(b"["):
            return _ENTRIES.decode(content)
        found: list[Entry] = _ENTRY.decode_lines(content)
        if len(found) == 1 and found[0].is_listing:
            return _ENTRIES.decode(found[0].data)
    except _STRICT:
        return None
    return None if any(entry.is_listing for entry in found) else found


def _once(found: list[Entry]) -> list[Entry]:
    failed = [entry for entry in found if entry.is_failed_event]
    if not failed:
        return found
    others = [entry for entry in found if not entry.is_failed_event]
    answered = {entry.litellm_call_id or entry.call_id for entry in others}
    left = (e for e in failed if (e.litellm_call_id or e.call_id) not in answered)
    return [*others, *left]


def _lenient(page: Page) -> list[Entry]:
    return list(page.records(_items(page), lambda item: [_entry(item)]))


def _items(page: Page) -> Iterator[object]:
    for document in page.documents():
        if isinstance(document, list):
            yield from document
        elif isinstance(document, dict) and "data" in document and "request_id" not in document:
            yield from page.rows(document, "data")
        else:
            yield document


def _entry(item: object) -> Entry:
    fields = row(item)
    said = fields.get("metadata")
    values: dict[str, Any] = {name: text(fields.get(name)) for name in _TEXTS}
    values |= {name: _raw(fields.get(wire)) for name, wire in _RAWS.items()}
    values |= {name: _figure(fields.get(name)) for name in _TOTALS}
    if "request_id" not in fields:
        del values["request_id"]
    return Entry(
        **values,
        cache_hit=_flag(fields.get("cache_hit")),
        stream=_flag(fields.get("stream")),
        metadata=_metadata(_parsed(said, "metadata") if isinstance(said, str) else said),
        error_information=_failure(inner(fields, "error_information")),
        hidden_params=_hidden(inner(fields, "hidden_params")),
    )


_TOTALS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
_TEXTS: Final = (
    *("request_id", "id", "litellm_call_id", "call_type", "model", "model_id", "model_group"),
    *("custom_llm_provider", "api_base", "end_user", "session_id", "trace_id", "team_id", "status"),
)
_RAWS: Final = {
    "started": "startTime",
    "ended": "endTime",
    "answering": "completionStartTime",
    "spend": "spend",
    "response_cost": "response_cost",
    "request_tags": "request_tags",
    "messages": "messages",
    "response": "response",
    "model_parameters": "model_parameters",
}


def _metadata(found: object) -> Metadata:
    fields: Row = found if isinstance(found, dict) else {}
    return Metadata(
        usage_object=_raw(inner(fields, "usage_object")),
        additional_usage_values=_raw(inner(fields, "additional_usage_values")),
        error_information=_failure(inner(fields, "error_information")),
        attempted_retries=_figure(fields.get("attempted_retries")),
        attempted_fallbacks=_figure(fields.get("attempted_fallbacks")),
        original_model_group=text(fields.get("original_model_group")),
        user_api_key_team_alias=text(fields.get("user_api_key_team_alias")),
        user_api_key_team_id=text(fields.get("user_api_key_team_id")),
        user_api_key_end_user_id=text(fields.get("user_api_key_end_user_id")),
    )


def _failure(fields: Row) -> Failure:
    return Failure(text(fields.get("error_code")), text(fields.get("error_class")))


def _hidden(fields: Row) -> Hidden:
    return Hidden(_raw(inner(fields, "usage_object")), text(fields.get("api_base")))


def _raw(value: object) -> Raw:
    return Raw() if value is None else Raw(exact(value).encode())


def _figure(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _flag(value: object) -> str | bool | None:
    return value if isinstance(value, str | bool) else None


def _parsed(said: str, name: str) -> object:
    if not said:
        return None
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        raise UnreadableError(f"{name} is no JSON") from None
