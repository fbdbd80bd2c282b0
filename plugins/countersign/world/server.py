"""The world on loopback: the gateway's, the providers' and the meters' HTTP APIs in one server.

A thread in this process; `with serve(folder) as server: server.url`.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from countersign.errors import ConfigError
from countersign.model import instant
from countersign.world import listing, wire_anthropic, wire_openai
from countersign.world.books import Books
from countersign.world.door import ANTHROPIC, BEACON, LITELLM, OPENAI, Door
from countersign.world.installation import PriceList
from countersign.world.mishap import Mishaps
from countersign.world.reply import Query, RefusedError, Reply
from countersign.world.row_files import RowFiles

HOST: Final = "127.0.0.1"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: its source, its door, and what it answers."""

    source: str
    door: Door
    answer: Callable[[Query], bytes]


def endpoints(folder: Path, now_us: int, start: date) -> dict[str, Endpoint]:
    """Every path of the world's server."""
    books, prices = Books(folder / "books", now_us), PriceList(start)
    calls = RowFiles(folder / "traffic" / "litellm", now_us)
    beacons = RowFiles(folder / "traffic" / "beacons", now_us)
    openai, anthropic = Door(OPENAI), Door(ANTHROPIC)
    return {
        "/litellm/spend/logs/v2": Endpoint(
            "litellm", Door(LITELLM), lambda query: listing.spend_logs(calls, query)
        ),
        "/openai/v1/organization/usage/completions": Endpoint(
            "openai-usage", openai, lambda query: wire_openai.usage(books, query)
        ),
        "/openai/v1/organization/costs": Endpoint(
            "openai-costs", openai, lambda query: wire_openai.costs(books, query, prices)
        ),
        "/anthropic/v1/organizations/usage_report/messages": Endpoint(
            "anthropic-usage", anthropic, lambda query: wire_anthropic.usage(books, query)
        ),
        "/anthropic/v1/organizations/cost_report": Endpoint(
            "anthropic-cost", anthropic, lambda query: wire_anthropic.costs(books, query, prices)
        ),
        "/beacons/v1/deliveries": Endpoint(
            "beacons", Door(BEACON), lambda query: listing.deliveries(beacons, query)
        ),
    }


@dataclass(frozen=True)
class Running:
    """A server that runs until it is closed."""

    server: ThreadingHTTPServer
    thread: threading.Thread

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{HOST}:{self.server.server_address[1]}"

    def close(self) -> None:
        """Stop serving and free the port."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(
    folder: Path,
    port: int = 0,
    now: datetime | None = None,
    *,
    faults: Mapping[str, str] | None = None,
    throttle_every: int = 101,
    truncate_every: int = 127,
) -> Running:
    """Serve a built world; `now` decides which usage is in already (the world's own by default).

    `faults` switches sources off: down, unauthorized, truncated, malformed. One request in
    `throttle_every` gets a 429 first, one in `truncate_every` a broken answer; 0 is never.

    Raises:
        ConfigError: the folder holds no world, the port is taken, or a fault does not exist.
    """
    facts = _facts(folder)
    now_us = instant(now or datetime.fromisoformat(facts["now"]))
    paths = endpoints(folder, now_us, date.fromisoformat(facts["start"]))
    mishaps = Mishaps(dict(faults or {}), throttle_every, truncate_every)
    mishaps.check(tuple(endpoint.source for endpoint in paths.values()))
    try:
        server = _Server(port, paths, mishaps)
    except OSError as error:
        raise ConfigError(
            f"port {port} on {HOST}",
            expected="a free port",
            observed=str(error),
            remedy="End what listens there, or build the world with another port.",
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="world", daemon=True)
    thread.start()
    return Running(server, thread)


def _facts(folder: Path) -> dict[str, str]:
    try:
        facts: dict[str, str] = json.loads((folder / "world.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"world {folder}",
            expected="a folder written by `countersign world build`",
            observed=str(error),
        ) from None
    return facts


class _Server(ThreadingHTTPServer):
    """Knows the paths and the mishaps that its handlers need."""

    daemon_threads = True

    def __init__(self, port: int, paths: Mapping[str, Endpoint], mishaps: Mishaps) -> None:
        self.paths = paths
        self.mishaps = mishaps
        super().__init__((HOST, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts, mishaps = urlsplit(self.path), self.server.mishaps
        endpoint = self.server.paths.get(parts.path)
        if endpoint is None:
            self._send(Reply(404, b'{"error":{"message":"Not Found","code":"404"}}'))
        elif mishaps.faults.get(endpoint.source) == "down":
            self.close_connection = True
        else:
            reply = self._reply(endpoint, Query.parse(parts.query))
            self._send(reply, cut=reply.status == 200 and mishaps.cuts(self.path))

    def _reply(self, endpoint: Endpoint, query: Query) -> Reply:
        door, mishaps = endpoint.door, self.server.mishaps
        headers = {name.lower(): value for name, value in self.headers.items()}
        if mishaps.faults.get(endpoint.source) == "unauthorized":
            headers = {}
        try:
            door.admit(headers)
            if mishaps.throttles(self.path):
                slow_down = RefusedError("Rate limit reached. Please retry.", status=429)
                return door.refuse(slow_down, (("Retry-After", "1"),))
            return mishaps.spoil(endpoint.source, Reply(200, endpoint.answer(query)))
        except RefusedError as error:
            return door.refuse(error)

    def _send(self, reply: Reply, *, cut: bool = False) -> None:
        head = [
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
            f"Content-Type: {_JSON}",
            f"Content-Length: {len(reply.body)}",
            *(f"{name}: {value}" for name, value in reply.headers),
        ]
        body = reply.body[: len(reply.body) // 2] if cut else reply.body
        # One write: a head that travels alone waits for its acknowledgement.
        self.wfile.write("\r\n".join([*head, "", ""]).encode() + body)
        self.close_connection = self.close_connection or cut

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
