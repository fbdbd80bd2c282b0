"""Recorded HTTP exchanges, out of the containers that recorders write.

HAR 1.2 (browsers, proxies); JSON Lines with one exchange a line; a sidecar before the body that
it describes; rows of usage with the text that was rendered; YAML cassettes (`cassette.py`).
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from countersign.connectors.wire.logged import after
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    count,
    inner,
    instant,
    micros,
    optional_instant,
    row,
    text,
)
from countersign.errors import Fault

BODY_FOLLOWS: Final = b"\n\x00"
"""Between a sidecar and its body on one page: no JSON text holds a NUL."""
_CUT_OFF: Final = ("net::ERR_ABORTED", "NS_BINDING_ABORTED")
_NO_HEADERS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its reply, as far as they were recorded; header names in lower case."""

    method: str
    url: str
    body: bytes = b""
    sent: bytes = b""
    asked: Row = field(default_factory=dict)
    request_headers: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    provider: str | None = None
    ended_by: str | None = None
    is_aborted: bool = False
    is_timed: bool = True
    """Whether the recording itself says when: else a time was taken from elsewhere."""

    @property
    def path(self) -> str:
        """The path that was asked."""
        return urlsplit(self.url).path

    @property
    def host(self) -> str | None:
        """The host that was asked."""
        return urlsplit(self.url).hostname

    @property
    def said_at(self) -> int | None:
        """When the reply's `date` says that it was made; None where it says nothing readable."""
        try:
            return instant(parsedate_to_datetime(self.headers["date"]))
        except (KeyError, ValueError, OverflowError, TypeError, IndexError):
            return None


def har(entries: Sequence[Row]) -> Iterator[Exchange]:
    """The exchanges of HAR 1.2's `log.entries`."""
    for entry in entries:
        request, response = row(entry.get("request")), row(entry.get("response"))
        sent = text(inner(request, "postData").get("text")) or ""
        started = optional_instant(entry.get("startedDateTime"))
        yield Exchange(
            method=(text(request.get("method")) or "").upper(),
            url=_address(request.get("url")),
            body=_har_body(inner(response, "content")),
            sent=sent.encode(),
            asked=_object(sent),
            request_headers=_listed(request.get("headers")),
            headers=_listed(response.get("headers")),
            status=count(response.get("status")) or None,
            started_at=started,
            ended_at=_ended(started, entry.get("time")),
            is_aborted=text(response.get("_error")) in _CUT_OFF,
        )


def line(fields: Row, follows: bytes | None = None) -> Exchange:
    """The exchange of one line or sidecar; `follows` is the body behind a sidecar."""
    request, response = inner(fields, "request"), row(fields.get("response"))
    sent = _bytes(request.get("body"))
    return Exchange(
        method=(text(request.get("method")) or "POST").upper(),
        url=_address(request.get("url")),
        body=_line_body(response) if follows is None else follows,
        sent=sent,
        asked=_object(sent.decode(errors="replace")),
        request_headers=_named(request.get("headers")),
        headers=_named(response.get("headers")),
        status=count(response.get("status")),
        started_at=optional_instant(fields.get("started_at")),
        ended_at=optional_instant(fields.get("ended_at")),
        provider=text(fields.get("provider")),
        ended_by=text(fields.get("ended_by")),
    )


def followed(page: Page) -> Iterator[Exchange]:
    """The exchange of a sidecar and the body behind it.

    Raises:
        SourceError: the body does not have the length that the sidecar states.
    """
    head, _, body = page.body.partition(BODY_FOLLOWS)
    fields = Page(page.source, head, page.name).document()
    stated = count(inner(fields, "response").get("body_bytes"))
    if stated is None:
        raise UnreadableError("the sidecar states no response.body_bytes")
    if stated > len(body):
        raise page.fault(Fault.TRUNCATED, f"a body of {stated} bytes", f"{len(body)}")
    if stated < len(body):
        raise page.fault(Fault.MALFORMED, f"a body of {stated} bytes", f"{len(body)}")
    yield line(fields, body)


def of_cassette(request: Row, response: Row) -> Exchange:
    """One interaction of a cassette: headers are lists, bodies text, bytes, or decoded."""
    sent = _kept(request)
    return Exchange(
        method=(text(request.get("method")) or "").upper(),
        url=_address(request.get("uri")),
        body=_kept(response),
        sent=sent,
        asked=_object(sent.decode(errors="replace")),
        request_headers=_named(request.get("headers")),
        headers=_named(response.get("headers")),
        status=count(inner(response, "status").get("code")),
    )


def _kept(side: Row) -> bytes:
    if "parsed_body" in side:
        return _bytes(side["parsed_body"])
    body = side.get("body")
    return _bytes(body.get("string") if isinstance(body, dict) else body)


def _bytes(value: object) -> bytes:
    """A body that was kept as bytes, as text, or decoded from JSON."""
    if isinstance(value, bytes):
        return value
    if value is None or isinstance(value, str):
        return (value or "").encode("utf-8", "replace")
    try:
        return json.dumps(value, default=_plain).encode()
    except (RecursionError, TypeError) as error:
        raise UnreadableError(f"a body that is no JSON: {str(error)[:80]}") from None


def _plain(value: object) -> object:
    return float(str(value)) if type(value).__name__ == "Decimal" else str(value)


def _har_body(content: Row) -> bytes:
    return _decoded(content.get("text")) if _is_packed(content) else _bytes(content.get("text"))


def _is_packed(content: Row) -> bool:
    return text(content.get("encoding")) == "base64"


def _line_body(response: Row) -> bytes:
    packed = response.get("body_base64")
    return _bytes(response.get("body")) if packed is None else _decoded(packed)


def _decoded(packed: object) -> bytes:
    try:
        return base64.b64decode(text(packed) or "", validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableError("a body that is no base64") from None


def _object(sent: str) -> Row:
    try:
        found = json.loads(sent) if sent.lstrip()[:1] == "{" else None
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _address(value: object) -> str:
    said = text(value) or ""
    try:
        urlsplit(said)
    except ValueError:
        raise UnreadableError("a request to what is no address") from None
    return said


def _ended(started: int | None, lasted: object) -> int | None:
    """The start and HAR's `time` in milliseconds; -1 is its word for unknown."""
    span = micros(lasted)
    return None if started is None or span is None else after(started, span // 1000)


def _listed(headers: object) -> Mapping[str, str]:
    pairs = [h for h in headers if isinstance(h, dict)] if isinstance(headers, list) else []
    return {
        name.lower(): said
        for pair in pairs
        if (name := text(pair.get("name"))) and (said := text(pair.get("value")))
    }


def _named(headers: object) -> Mapping[str, str]:
    if not isinstance(headers, dict):
        return _NO_HEADERS
    firsts = ((n, v[0] if isinstance(v, list) and v else v) for n, v in headers.items())
    return {str(name).lower(): said for name, value in firsts if (said := text(value))}
