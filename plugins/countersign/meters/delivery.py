"""The collecting endpoint: a plain ASGI app that takes beacons and hands rows to a collector.

    POST /v1/deliveries        one row as JSON (a browser), or JSON Lines (a gateway's meter)
    GET  /v1/deliveries        what the connector `delivery-beacon` collects
    GET  /snippet.js           the browser's meter

Run it alone (`python -m countersign.meters --help`), or mount it in any ASGI framework:

    app.mount("/meters", Deliveries(Journal(folder, clock), Settings(...), clock))

Who may post: a gateway's meter with a secret key (`Authorization: Bearer`), a browser with its
tenant's public key (`?key=`). **A browser cannot keep a secret**: what it posts is self-reported,
by whoever has the page open. The public key only says which tenant's page it is, and cannot write
rows of another tenant or of another meter; the origin, the sizes and the rate are bounded. Such a
row is evidence next to a gateway's own, never instead of it.

A row is acknowledged (202) after it is on the disk. A tab that goes into the background sends a
provisional row, since that may be the last that is heard of it: it counts after `patience`, unless
the answer's final row comes first. Provisional rows wait in memory; a kill loses those.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from countersign.meters.asgi import Answer, Receive, Request, Scope, Send, is_among, read
from countersign.meters.beacon import AHEAD, OLDEST, Author, RefusedError, instant, rows
from countersign.meters.commit import Commit
from countersign.meters.journal import Journal, Place
from countersign.meters.rate import Rate
from countersign.meters.row import line, stamp

PATH: Final = "/v1/deliveries"
_SNIPPET: Final = Path(__file__).with_name("snippet.js")
_BROWSER_BYTES, _GATEWAY_BYTES = 8_192, 8_388_608
_MOST_ROWS, _MOST_SCANNED, _MOST_WAITING = 5_000, 100_000, 10_000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Settings:
    """Who may do what. Keys are compared in constant time."""

    reading_keys: tuple[str, ...]
    posting_keys: tuple[str, ...] = ()
    public_keys: Mapping[str, str] = field(default_factory=dict)
    """Tenants by their public key."""
    origins: tuple[str, ...] = ()
    """Pages that may post, as `https://chat.example`."""
    per_s: float = 5.0
    burst: int = 50
    """Posts of one address; behind a shared proxy that is the proxy's."""
    patience: timedelta = timedelta(minutes=10)


class Deliveries:
    """The ASGI application. One process is enough; several share the folder safely."""

    def __init__(self, journal: Journal, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._journal, self._settings, self._clock = journal, settings, clock
        self._keep = Commit(journal.append)
        self._rate = Rate(settings.per_s, settings.burst, time.monotonic)
        self._waiting: dict[tuple[object, object], tuple[datetime, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's start and stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        request = Request.of(scope)
        try:
            answer = await self._answer(request, receive)
        except RefusedError as error:
            answer = Answer.refusing(error)
        except OSError as error:
            reason = f"the row is not kept: {error.strerror or error}"
            answer = Answer.refusing(RefusedError(503, reason))
        await answer.send(send, self._cors(request))

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"]
            if event == "lifespan.shutdown":
                await self._release(datetime.max.replace(tzinfo=UTC))
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return

    async def _answer(self, request: Request, receive: Receive) -> Answer:
        match request.method, request.path:
            case "GET", "/snippet.js":
                return Answer(200, _SNIPPET.read_bytes(), "text/javascript; charset=utf-8")
            case "OPTIONS", path if path == PATH:
                return Answer(204)
            case "POST", path if path == PATH:
                return await self._post(request, receive)
            case "GET", path if path == PATH:
                return await self._get(request)
            case _, path if path in (PATH, "/snippet.js"):
                raise RefusedError(405, f"{request.method} is not understood here")
        raise RefusedError(404, f"there is nothing at {request.path[:80]}")

    async def _post(self, request: Request, receive: Receive) -> Answer:
        wait_s = self._rate.wait_s(request.address)
        if wait_s:
            raise RefusedError(429, f"too many rows from this address; wait {wait_s:.1f} s")
        author = self._author(request)
        limit = _GATEWAY_BYTES if author.is_trusted else _BROWSER_BYTES
        body = await read(request, receive, limit)
        taken = list(rows(body, author, self._clock()))
        final = b"".join(self._settle(row) for row, is_provisional in taken if not is_provisional)
        for row, is_provisional in taken:
            if is_provisional:
                self._hold(row)
        await self._keep(final) if final else None
        await self._release(self._clock())
        return Answer(202, json.dumps({"taken": len(taken)}).encode())

    def _author(self, request: Request) -> Author:
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._settings.origins:
            raise RefusedError(403, f"pages of {origin[:120]} may not post", "origin")
        if is_among(request.bearer, self._settings.posting_keys):
            return Author(is_trusted=True)
        tenant = self._settings.public_keys.get(request.one("key") or "")
        if tenant is None:
            raise RefusedError(401, "no key that may post: a bearer key, or ?key= of a tenant")
        return Author(tenant)

    def _settle(self, row: Mapping[str, object]) -> bytes:
        self._waiting.pop((row["request_id"], row["meter"]), None)
        return line(row)

    def _hold(self, row: Mapping[str, object]) -> None:
        if len(self._waiting) < _MOST_WAITING:
            key = (row["request_id"], row["meter"])
            self._waiting[key] = (self._clock() + self._settings.patience, line(row))

    async def _release(self, now: datetime) -> None:
        """Provisional rows that no final one has followed are what is known."""
        due = [key for key, (at, _) in self._waiting.items() if at <= now]
        if due:
            await self._keep(b"".join(self._waiting.pop(key)[1] for key in due))

    async def _get(self, request: Request) -> Answer:
        if not is_among(request.bearer, self._settings.reading_keys):
            raise RefusedError(401, "reading needs a bearer key")
        await self._release(self._clock())
        start, end = _instant(request, "start"), _instant(request, "end")
        limit = _limit(request)
        try:
            after = Place.parse(request.one("after") or "") if request.one("after") else None
            found, last = await asyncio.to_thread(self._page, start, end, after, limit)
        except ValueError:
            raise RefusedError(400, "no cursor of this endpoint", "after") from None
        more = json.dumps(str(last) if last else None).encode()
        return Answer(200, b'{"data":[' + b",".join(found) + b'],"next":' + more + b"}")

    def _page(
        self, start: datetime, end: datetime, after: Place | None, limit: int
    ) -> tuple[list[bytes], Place | None]:
        """Rows in their order of arrival, and the place to go on from, if there may be more."""
        first, last = stamp(start), stamp(end)
        found: list[bytes] = []
        lines = self._journal.rows(_days(start, end), after)
        for scanned, (text, place) in enumerate(lines, start=1):
            if first <= json.loads(text)["started_at"] < last:
                found.append(text.rstrip(b"\n"))
            if len(found) == limit or scanned == _MOST_SCANNED:
                return found, place
        return found, None

    def _cors(self, request: Request) -> Iterable[tuple[str, str]]:
        origin = request.headers.get("origin")
        if request.path == PATH and origin in self._settings.origins:
            yield "access-control-allow-origin", origin or ""
            yield "access-control-allow-methods", "POST"
            yield "access-control-allow-headers", "content-type"
            yield "vary", "origin"


def _days(start: datetime, end: datetime) -> Iterable[date]:
    """The days on which rows of the span may have arrived."""
    day, last = (start - AHEAD).date(), (end + OLDEST).date()
    while day <= last:
        yield day
        day += _DAY


def _instant(request: Request, name: str) -> datetime:
    found = instant(request.one(name))
    if found is None:
        raise RefusedError(400, f"{name} must be a time with a zone", name)
    return found


def _limit(request: Request) -> int:
    said = request.one("limit") or "1000"
    if not said.isascii() or not said.isdigit() or not 1 <= int(said[:9]) <= _MOST_ROWS:
        raise RefusedError(400, f"limit must be 1 to {_MOST_ROWS}", "limit")
    return int(said)
