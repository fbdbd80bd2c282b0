"""HttpFetch against a real server on loopback that misbehaves on purpose."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from countersign.connectors.interface import Params
from countersign.errors import ConfigError, Fault, SourceError
from countersign.pipeline.fetch import HttpFetch, Patience

KEY = "sk-admin-very-secret-0123456789"


class Misbehaving(BaseHTTPRequestHandler):
    """Each path is one fault. `server.seen` counts calls, `server.headers` keeps the last ones."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        state: Any = self.server
        path = urlsplit(self.path).path.strip("/")
        state.seen[path] = state.seen.get(path, 0) + 1
        state.last = dict(self.headers.items())
        state.query = urlsplit(self.path).query
        getattr(self, "on_" + path)(state.seen[path])

    def on_ok(self, _call: int) -> None:
        self._send(200, b'{"data": [1]}')

    def on_busy_once(self, call: int) -> None:
        if call == 1:
            self._send(429, b'{"error":{"message":"slow down"}}', {"Retry-After": "7"})
        else:
            self.on_ok(call)

    def on_busy_until_date(self, call: int) -> None:
        if call == 1:
            self._send(
                503,
                b"",
                {
                    "Date": "Mon, 09 Nov 2026 10:00:00 GMT",
                    "Retry-After": "Mon, 09 Nov 2026 10:00:12 GMT",
                },
            )
        else:
            self.on_ok(call)

    def on_busy_for_an_hour(self, _call: int) -> None:
        self._send(429, b'{"error":{"message":"quota"}}', {"Retry-After": "3600"})

    def on_busy_always(self, _call: int) -> None:
        self._send(429, b"")

    def on_broken_twice(self, call: int) -> None:
        self._send(500, b"oops") if call < 3 else self.on_ok(call)

    def on_wrong_key(self, _call: int) -> None:
        told = self.headers.get("Authorization") or self.headers.get("x-api-key")
        self._send(401, f'{{"error":{{"message":"Incorrect API key: {told}"}}}}'.encode())

    def on_bad_request(self, _call: int) -> None:
        self._send(400, b'{"type":"error","error":{"message":"group_by\\u001b[31m is wrong"}}')

    def on_html(self, _call: int) -> None:
        self._send(404, b"<html>no such page</html>")

    def on_cut(self, _call: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"data": [')
        self.close_connection = True

    def on_cut_chunk(self, _call: int) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b'a\r\n{"data": [\r\n')
        self.close_connection = True

    def on_cut_once(self, call: int) -> None:
        self.on_cut(call) if call == 1 else self.on_ok(call)

    def on_slow(self, _call: int) -> None:
        time.sleep(0.6)
        self._send(200, b"late")

    def on_reset(self, _call: int) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def on_moved(self, _call: int) -> None:
        self._send(307, b"", {"Location": "/ok"})

    def on_moved_away(self, _call: int) -> None:
        state: Any = self.server
        self._send(302, b"", {"Location": state.elsewhere})

    def on_moved_round(self, _call: int) -> None:
        self._send(302, b"", {"Location": "/moved_round"})

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Misbehaving)
        self.seen: dict[str, int] = {}
        self.last: dict[str, str] = {}
        self.query = ""
        self.elsewhere = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def start() -> Iterator[Callable[[], Server]]:
    running: list[Server] = []

    def begin() -> Server:
        server = Server()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return server

    yield begin
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(start: Callable[[], Server]) -> Server:
    return start()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def fetch(server: Server, slept: list[float]) -> Iterator[HttpFetch]:
    with HttpFetch(
        "openai-usage",
        server.url,
        {"Authorization": f"Bearer {KEY}"},
        patience=Patience(attempts=3, timeout_s=0.3),
        sleep=slept.append,
        random=lambda: 0.5,
    ) as bound:
        yield bound


def refused(fetch: HttpFetch, path: str, fault: Fault) -> SourceError:
    """The error of a path; every error names source, page and remedy, and hides the key."""
    with pytest.raises(SourceError) as caught:
        fetch(path, {"page": 4})
    error = caught.value
    assert error.fault is fault
    assert error.source == "openai-usage"
    assert error.page == f"{path} page=4"
    assert error.expected
    assert error.observed
    assert error.remedy
    assert KEY not in str(error)
    assert str(error).isprintable()
    return error


def test_body_comes_verbatim_with_the_credential_and_repeated_parameters(
    fetch: HttpFetch, server: Server
) -> None:
    asked: Params = {"group_by[]": ("model", "api_key_id"), "limit": 5}
    body = fetch("/ok", asked, headers={"anthropic-version": "2023-06-01"})
    assert body == b'{"data": [1]}'
    assert server.last["authorization".title()] == f"Bearer {KEY}"
    assert {k.lower(): v for k, v in server.last.items()}["anthropic-version"] == "2023-06-01"
    assert server.query == "group_by%5B%5D=model&group_by%5B%5D=api_key_id&limit=5"


def test_retry_after_in_seconds_is_honoured(fetch: HttpFetch, slept: list[float]) -> None:
    assert fetch("/busy_once") == b'{"data": [1]}'
    assert slept == [7.0]


def test_retry_after_as_a_date_counts_from_the_servers_own_clock(
    fetch: HttpFetch, slept: list[float]
) -> None:
    assert fetch("/busy_until_date") == b'{"data": [1]}'
    assert slept == [12.0]


def test_retry_after_beyond_patience_is_an_error_at_once(
    fetch: HttpFetch, slept: list[float]
) -> None:
    error = refused(fetch, "/busy_for_an_hour", Fault.THROTTLED)
    assert "3600 s" in error.observed
    assert "quota" in error.observed
    assert slept == []


def test_delays_double_with_jitter_and_the_last_failure_is_reported(
    fetch: HttpFetch, server: Server, slept: list[float]
) -> None:
    refused(fetch, "/busy_always", Fault.THROTTLED)
    assert slept == [0.625, 1.25]
    assert server.seen["busy_always"] == 3


def test_server_errors_are_retried(fetch: HttpFetch, slept: list[float]) -> None:
    assert fetch("/broken_twice") == b'{"data": [1]}'
    assert len(slept) == 2


def test_wrong_credential_is_not_repeated_and_not_printed(fetch: HttpFetch, server: Server) -> None:
    error = refused(fetch, "/wrong_key", Fault.CREDENTIAL)
    assert "[credential]" in error.observed
    assert "[sources.openai-usage]" in error.remedy
    assert server.seen["wrong_key"] == 1


def test_credential_in_another_header_is_not_printed_either(server: Server) -> None:
    with HttpFetch.bound("openai-usage", server.url, "x-api-key: {}", KEY) as fetch:
        refused(fetch, "/wrong_key", Fault.CREDENTIAL)
        assert KEY not in repr(fetch)


def test_bad_request_shows_the_providers_sentence(fetch: HttpFetch) -> None:
    error = refused(fetch, "/bad_request", Fault.REFUSED)
    assert "HTTP 400 group_by [31m is wrong" in error.observed


def test_error_page_in_html_is_shown_as_it_is(fetch: HttpFetch) -> None:
    assert "no such page" in refused(fetch, "/html", Fault.REFUSED).observed


@pytest.mark.parametrize("path", ["/cut", "/cut_chunk"])
def test_cut_body_is_truncated_after_all_attempts(
    fetch: HttpFetch, server: Server, path: str
) -> None:
    refused(fetch, path, Fault.TRUNCATED)
    assert server.seen[path[1:]] == 3


def test_cut_body_is_read_again(fetch: HttpFetch) -> None:
    assert fetch("/cut_once") == b'{"data": [1]}'


@pytest.mark.parametrize("path", ["/slow", "/reset"])
def test_silence_and_reset_are_unreachable(fetch: HttpFetch, path: str) -> None:
    refused(fetch, path, Fault.UNREACHABLE)


def test_nobody_there_is_unreachable(slept: list[float]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    refused(
        HttpFetch("openai-usage", url, patience=Patience(attempts=2), sleep=slept.append),
        "/x",
        Fault.UNREACHABLE,
    )
    assert len(slept) == 1


def test_redirect_on_the_same_host_is_followed(fetch: HttpFetch, server: Server) -> None:
    assert fetch("/moved", headers={"anthropic-version": "1"}) == b'{"data": [1]}'
    assert {k.lower(): v for k, v in server.last.items()}["anthropic-version"] == "1"


def test_redirect_to_another_host_is_refused_before_anything_is_sent_there(
    fetch: HttpFetch, server: Server, start: Callable[[], Server]
) -> None:
    other = start()
    server.elsewhere = f"{other.url}/ok"
    error = refused(fetch, "/moved_away", Fault.REFUSED)
    assert "HTTP 302" in error.observed
    assert other.seen == {}


def test_redirects_in_a_circle_end(fetch: HttpFetch) -> None:
    refused(fetch, "/moved_round", Fault.REFUSED)


@pytest.mark.parametrize(
    ("url", "credential"),
    [
        ("ftp://host", "key"),
        ("https://user:secret@host", "key"),
        ("https://host", "key\nX-Other: 1"),
        ("https://host", " key"),
    ],
)
def test_address_or_credential_that_cannot_be_sent_is_refused(url: str, credential: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HttpFetch.bound("s", url, "Authorization: Bearer {}", credential)
    assert "secret@" not in str(caught.value)
    assert "X-Other" not in str(caught.value)
