"""Recorded HTTP exchanges with providers: what the wire itself said, byte for byte."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from countersign.connectors.interface import Connector, Fetch, Folder
from countersign.connectors.wire import capture_row
from countersign.connectors.wire.answer import Answer, answer
from countersign.connectors.wire.asked import Asked, asked, polled
from countersign.connectors.wire.capture import BODY_FOLLOWS, Exchange, followed, har, line
from countersign.connectors.wire.capture_call import Recorded, call, merged, places
from countersign.connectors.wire.cassette import exchanges
from countersign.connectors.wire.exchange import TEXT, texts, wants
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.spoken import Talk
from countersign.connectors.wire.value import Row, inner, optional_instant, row
from countersign.model import Window
from countersign.records import CallText, GatewayCall, InferenceLocation, Record
from countersign.registry import plugin_id

_SIDECAR: Final = ".capture.json"
_FORMS: Final = (".json", ".sse", ".bin", ".txt")
_CASSETTE: Final = re.compile(rb"^(?:interactions|version):", re.MULTILINE)


@dataclass(frozen=True)
class Captures(Connector):
    """One call per recorded request for an answer, with its usage, text, and place.

    Reads: HAR 1.2 files of browsers and proxies; JSON Lines with one exchange a line
    (`started_at`, `ended_at`, `provider`, `ended_by`, `request` with `method`, `url`, `headers`
    and `body`, `response` with `status`, `headers` and `body` or `body_base64`); a sidecar
    `NAME.capture.json` of that form with `response.body_bytes`, beside the body `NAME.json`,
    `.sse` or `.bin` as it came; YAML cassettes of VCR-like recorders; and rows of a usage block
    with its rendered text. Bodies may be JSON, server-sent events, or Amazon's binary event
    stream. One row is one exchange with a generating path; other traffic is left out.

    Credential: none; whoever records sees prompts and keys, so strip `authorization` there.

    Late: never, a recording is finished when it is copied; days are read again for a day.

    Cannot tell: what was not recorded, so its calls are no population. A cassette has no clock:
    the reply's own `date` or creation time counts, then the setting `recorded_at`, else it is
    refused. Who cut a stream is known only where a browser or the recorder said so; otherwise
    `status` and `ended_by` stay NULL. A stream without usage is `missing`, a cut one at best
    `estimated`. Users, keys and tenants are not read from requests: they stay NULL.
    """

    kinds = (GatewayCall, InferenceLocation, CallText)

    recorded_at: str | None = None
    """The time of exchanges that carry none, such as `2026-11-02T10:00:00Z`."""
    providers: Mapping[str, str] = field(default_factory=dict)
    """Provider by host, for gateways and hosts of one's own."""
    request_header: str = "x-request-id"
    """The header, of request or reply, that names what a client asked for: joins deliveries."""
    pipeline: str | None = None

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:  # noqa: ARG002 - one file
        """The one recording behind the address."""
        yield fetch("")

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield every file; a sidecar and its body, joined by a line break and NUL, are one."""
        del window  # recordings are named after what was recorded
        names = folder.names()
        bodies = _bodies(names)
        for name in names:
            if name in bodies:
                yield folder.read(name) + BODY_FOLLOWS + folder.read(bodies[name])
            elif name not in bodies.values():
                yield folder.read(name)

    def parse(self, page: bytes) -> Iterator[Record]:
        """The call of each exchange, its places and its texts."""
        whole = Page(plugin_id(type(self)), page)
        for each in merged(whole.records(enumerate(_exchanges(whole)), self._recorded)):
            yield from self._wanted(each)

    def _recorded(self, numbered: tuple[int, tuple[Exchange, Answer | None]]) -> Iterator[Recorded]:
        position, (exchange, known) = numbered
        request = _request(exchange, known)
        if request is None:
            return
        found = known or answer(exchange.body)
        placed = self._completed(exchange, found)
        made = call(placed, request, found, position, self.request_header)
        named = replace(made.call, pipeline=self.pipeline)
        yield replace(made, call=named, is_poll=exchange.method == "GET")

    def _completed(self, exchange: Exchange, found: Answer) -> Exchange:
        """The exchange with the time and the provider that it does not state itself."""
        elsewhere = exchange.said_at or found.created_at or optional_instant(self.recorded_at)
        return replace(
            exchange,
            started_at=elsewhere if exchange.started_at is None else exchange.started_at,
            is_timed=exchange.started_at is not None,
            provider=self.providers.get(exchange.host or "") or exchange.provider,
        )

    def _wanted(self, each: Recorded) -> Iterator[Record]:
        yield each.call
        yield from places(each)
        if wants(self.records, TEXT):
            yield from texts(each.call, Talk(each.asked.prompt, each.answer.text))


def _request(exchange: Exchange, known: Answer | None) -> Asked | None:
    """What an exchange asked, if it asked for an answer."""
    if exchange.method == "GET" and polled(exchange.path):
        return Asked("chat")
    if exchange.method != "POST":
        return None
    return asked(exchange.path, exchange.asked) or (Asked("chat") if known else None)


def _exchanges(page: Page) -> Iterator[tuple[Exchange, Answer | None]]:
    """The exchanges of a page, whichever container it is; some with their answer read before."""
    if BODY_FOLLOWS in page.body:
        yield from ((each, None) for each in followed(page))
    elif _CASSETTE.search(page.body[:4096]):
        yield from ((each, None) for each in exchanges(page))
    else:
        for document in page.documents():
            yield from _of_document(page, row(document))


def _of_document(page: Page, fields: Row) -> Iterator[tuple[Exchange, Answer | None]]:
    if "log" in fields:
        yield from ((each, None) for each in har(page.rows(inner(fields, "log"), "entries")))
    elif capture_row.is_row(fields):
        yield capture_row.read(fields)
    else:
        yield line(fields), None


def _bodies(names: Sequence[str]) -> Mapping[str, str]:
    """The body's file by its sidecar's: the one other file of that name."""
    known = frozenset(names)
    stems = {name: name.removesuffix(_SIDECAR) for name in names if name.endswith(_SIDECAR)}
    found = {n: [s + form for form in _FORMS if s + form in known] for n, s in stems.items()}
    return {name: bodies[0] for name, bodies in found.items() if len(bodies) == 1}
