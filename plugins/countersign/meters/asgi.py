"""One HTTP exchange over ASGI: what of a request is looked at, and an answer as it is sent."""

import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from countersign.meters.beacon import RefusedError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    """What of an ASGI scope is looked at."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    address: str

    @classmethod
    def of(cls, scope: Scope) -> "Request":
        """Read a scope; where the app is mounted, the path is what is left."""
        return cls(
            method=scope["method"],
            path=scope["path"].removeprefix(scope.get("root_path", "")),
            query=parse_qs(scope.get("query_string", b"").decode("latin-1")),
            headers={k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]},
            address=(scope.get("client") or ("",))[0],
        )

    def one(self, name: str) -> str | None:
        """The last value of a parameter."""
        return self.query.get(name, [None])[-1]

    @property
    def bearer(self) -> str:
        """The secret of the Authorization header, or nothing."""
        scheme, _, secret = self.headers.get("authorization", "").partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body, and what kind of thing the body is."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def refusing(cls, error: RefusedError) -> "Answer":
        """The error as JSON; what may work later says so."""
        said = {"message": str(error), "param": error.param, "code": error.status}
        again = (("retry-after", "1"),) if error.status in (429, 503) else ()
        return cls(error.status, json.dumps({"error": said}).encode(), headers=again)

    async def send(self, send: Send, more: Iterable[tuple[str, str]]) -> None:
        """Send it whole."""
        headers = [("content-type", self.kind), ("content-length", str(len(self.body)))]
        headers += [*self.headers, *more, ("x-content-type-options", "nosniff")]
        coded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": self.status, "headers": coded})
        await send({"type": "http.response.body", "body": self.body})


async def read(request: Request, receive: Receive, limit: int) -> bytes:
    """The body of a request.

    Raises:
        RefusedError: it has more than `limit` bytes, or the client left.
    """
    said = request.headers.get("content-length", "0")
    body, more = b"", True
    while more and len(body) <= limit and (not said.isdigit() or int(said) <= limit):
        event = await receive()
        if event["type"] == "http.disconnect":
            raise RefusedError(400, "the body ended early")
        body += event.get("body", b"")
        more = event.get("more_body", False)
    if more or len(body) > limit:
        raise RefusedError(413, f"a body may have {limit} bytes")
    return body


def is_among(secret: str, keys: Iterable[str]) -> bool:
    """Whether a secret is one of the keys, in constant time."""
    found = False
    for key in keys:
        found |= hmac.compare_digest(secret.encode(), key.encode())
    return found and bool(secret)
