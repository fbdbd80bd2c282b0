"""An OTLP/HTTP receiver for traces that keeps what it is sent: an ASGI app without a framework.

Each export request becomes one file of a drop folder, which the `otlp` connector reads. A
request is answered with success only when its file is on the disk, so an exporter that got no
answer sends it again; the connector counts a span once. Standard library only, but for protobuf
bodies, which need `opentelemetry-proto`; without it they are refused, and told how to switch.

    COUNTERSIGN_OTLP_DROP=/var/spool/otlp COUNTERSIGN_OTLP_TOKEN=… \
        uvicorn --factory countersign.meters.otlp_receiver:from_environment --port 4318
"""

import asyncio
import hmac
import json
import os
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from countersign.meters.drop import Drop
from countersign.meters.otlp_protobuf import is_readable, status_body, to_json

Scope = Mapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
_PATH: Final = "/v1/traces"
_GZIP: Final = 31
_RETRY_AFTER_S: Final = b"5"
_TO_JSON: Final = (
    "set OTEL_EXPORTER_OTLP_PROTOCOL=http/json in the SDK, or `encoding: json` in the "
    "collector's otlphttp exporter, or install opentelemetry-proto beside this receiver"
)


class Refused(Exception):  # noqa: N818 - an answer, not an accident
    """A request that is not kept: the status to answer with, and why."""

    def __init__(self, status: int, said: str) -> None:
        self.status = status
        super().__init__(said)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take; together they bound the memory."""

    body_bytes: int = 16 * 2**20
    """Of a body as it is sent, and of what it unpacks to."""
    at_once: int = 8


@dataclass(slots=True)
class OtlpReceiver:
    """The app: `POST /v1/traces` with a bearer token."""

    drop: Drop
    token: str = field(repr=False)
    limits: Limits = field(default_factory=Limits)
    _busy: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if len(self.token) < 16:
            raise ValueError("the receiver's token needs at least 16 characters")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event (ASGI 3)."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        try:
            self._admit(scope, headers, kind)
            self._busy += 1
            try:
                body = await _body(receive, self.limits.body_bytes)
                if body is None:
                    return
                packing = headers.get(b"content-encoding", b"identity").strip().lower()
                await asyncio.to_thread(self._keep, body, packing, kind)
            finally:
                self._busy -= 1
        except Refused as refused:
            await _send(send, refused.status, kind, str(refused))
        else:
            await _send(send, 200, kind, None)

    def _admit(self, scope: Scope, headers: Mapping[bytes, bytes], kind: str) -> None:
        if scope["path"] != _PATH:
            raise Refused(404, f"only {_PATH} is served here; other signals are not kept")
        if scope["method"] != "POST":
            raise Refused(405, f"{_PATH} takes POST")
        given = headers.get(b"authorization", b"")
        if not hmac.compare_digest(given, b"Bearer " + self.token.encode()):
            raise Refused(401, "the bearer token is absent or wrong")
        if kind not in (JSON, PROTOBUF) or (kind == PROTOBUF and not is_readable()):
            raise Refused(415, f"{kind or 'no content type'} is not taken here: {_TO_JSON}")
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit() or int(announced[:20]) > self.limits.body_bytes:
            raise Refused(413, _too_large(self.limits.body_bytes))
        if self._busy >= self.limits.at_once:
            raise Refused(503, f"{self._busy} requests are being written; send again")

    def _keep(self, body: bytes, packing: bytes, kind: str) -> None:
        """Unpack, look whether it is an export request at all, and write it as it came."""
        content = _unpacked(body, packing, self.limits.body_bytes)
        if kind == PROTOBUF:
            try:
                content = to_json(content)
            except ValueError as error:
                raise Refused(400, str(error)) from None
        _check(content)
        try:
            self.drop.write(content)
        except OSError as error:
            raise Refused(503, f"not kept: {error.strerror}; send again") from None


def from_environment() -> OtlpReceiver:
    """The app by `COUNTERSIGN_OTLP_DROP` (a folder) and `COUNTERSIGN_OTLP_TOKEN`."""
    absent = [n for n in ("COUNTERSIGN_OTLP_DROP", "COUNTERSIGN_OTLP_TOKEN") if not os.getenv(n)]
    if absent:
        raise ValueError(f"the receiver needs {' and '.join(absent)} in its environment")
    folder = Path(os.environ["COUNTERSIGN_OTLP_DROP"])
    drop = Drop(folder, lambda: datetime.now(UTC))
    return OtlpReceiver(drop, os.environ["COUNTERSIGN_OTLP_TOKEN"])


async def _live(receive: Receive, send: Send) -> None:
    while True:
        step = (await receive())["type"]
        await send({"type": f"{step}.complete"})
        if step == "lifespan.shutdown":
            return


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None when the client left before its end."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise Refused(413, _too_large(limit))
        if not message.get("more_body"):
            return b"".join(parts)


def _unpacked(body: bytes, packing: bytes, limit: int) -> bytes:
    if packing == b"identity":
        return body
    if packing != b"gzip":
        raise Refused(
            415, f"content encoding {packing.decode('latin-1')!r}: gzip is taken, or none"
        )
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refused(400, f"the body is no gzip: {error}") from None
    if len(content) > limit:
        raise Refused(413, _too_large(limit))
    if not unpacker.eof or unpacker.unused_data:
        raise Refused(400, "the body is not one whole gzip member")
    return content


def _check(content: bytes) -> None:
    """A body that no reader could read would spoil its day: refuse it while someone notices."""
    try:
        request = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is no JSON: {str(error)[:120]}") from None
    groups = request.get("resourceSpans", []) if isinstance(request, dict) else None
    if not isinstance(groups, list) or (request and "resourceSpans" not in request):
        raise Refused(400, "the body is no ExportTraceServiceRequest: resourceSpans is absent")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _too_large(limit: int) -> str:
    return f"more than {limit} bytes: lower the exporter's batch size"


async def _send(send: Send, status: int, kind: str, said: str | None) -> None:
    """Answer in the encoding of the request: nothing was rejected, or a Status that says why."""
    is_protobuf = kind == PROTOBUF
    if said is None:
        body = b"" if is_protobuf else b"{}"
    else:
        body = status_body(said) if is_protobuf else json.dumps({"message": said}).encode()
    headers = [
        (b"content-type", (PROTOBUF if is_protobuf else JSON).encode()),
        (b"content-length", str(len(body)).encode()),
        *{
            401: [(b"www-authenticate", b"Bearer")],
            405: [(b"allow", b"POST")],
            503: [(b"retry-after", _RETRY_AFTER_S)],
        }.get(status, []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
