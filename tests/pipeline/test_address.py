"""POST, signed links, HTTP Basic and closed connections, against a real server on loopback."""

import base64
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from countersign.errors import ConfigError, Fault, SourceError
from countersign.pipeline import address
from countersign.pipeline.fetch import HttpFetch, Patience

KEY = "pk-lf-public:sk-lf-very-secret-0123"
SIGNATURE = "X-Amz-Signature=0f1e2d3c4b5a69788796a5b4c3d2e1f0"


class Door(BaseHTTPRequestHandler):
    """Answers what it was asked, as JSON, or the fault that the path names."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        state: Any = self.server
        state.asked.append((self.command, self.path, dict(self.headers.items()), body))
        path = urlsplit(self.path).path
        if path == "/busy_once" and len(state.asked) == 1:
            self._send(429, b"", {"Retry-After": "0"})
        elif path == "/expired":
            self._send(403, f"<Error>{self.path} has expired</Error>".encode())
        elif path == "/gone":
            self._send(503, f"<Error>{self.path}</Error>".encode())
        elif path == "/told":
            told = base64.b64decode(self.headers["Authorization"].split()[1]).decode()
            self._send(400, json.dumps({"message": f"no project for {told}"}).encode())
        elif path in ("/kept", "/changed"):
            self._send(307 if path == "/kept" else 303, b"", {"Location": "/echo"})
        elif path == "/cut":
            self._send(200, b'{"half', {"Content-Length": "1000"})
            self.close_connection = True
        else:
            self._send(200, body or b"content")

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def fetch(server: Server) -> Iterator[HttpFetch]:
    bound = HttpFetch.bound("langfuse", server.url, "Authorization: Basic {basic}", KEY)
    quick = HttpFetch(
        bound.source,
        bound.base_url,
        bound.headers,
        bound.secrets,
        patience=Patience(attempts=2, first_s=0, timeout_s=2),
    )
    with quick:
        yield quick


def refused(fetch: HttpFetch, path: str, fault: Fault) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetch(path)
    assert caught.value.fault is fault
    for secret in (KEY, KEY.partition(":")[2], SIGNATURE):
        assert secret not in str(caught.value)
    return caught.value


def test_basic_credential_is_the_base64_of_the_secret(fetch: HttpFetch, server: Server) -> None:
    fetch("/echo")
    _, _, headers, _ = server.asked[0]
    assert headers["Authorization"] == "Basic " + base64.b64encode(KEY.encode()).decode()
    assert KEY not in repr(fetch)


def test_decoded_basic_secret_is_not_printed(fetch: HttpFetch) -> None:
    assert "[credential]" in refused(fetch, "/told", Fault.REFUSED).observed


@pytest.mark.parametrize("secret", ["no-colon-at-all", ":only-a-password"])
def test_basic_needs_user_and_password(secret: str) -> None:
    with pytest.raises(ConfigError, match="user:password") as caught:
        address.Credential.of("langfuse", "Authorization: Basic {basic}", secret)
    assert secret not in str(caught.value)


def test_body_is_posted_as_json_and_asked_again_when_throttled(
    fetch: HttpFetch, server: Server
) -> None:
    assert json.loads(fetch("/busy_once", {"a": 1}, body={"filter": {"gte": 5}})) == {
        "filter": {"gte": 5}
    }
    assert [(verb, path) for verb, path, _, _ in server.asked] == [("POST", "/busy_once?a=1")] * 2
    assert server.asked[0][2]["Content-Type"] == "application/json"


def test_empty_body_is_a_post_too(fetch: HttpFetch, server: Server) -> None:
    assert fetch("/start", body={}) == b"{}"
    assert server.asked[0][0] == "POST"


def test_redirect_of_a_post_keeps_its_body_or_is_refused(fetch: HttpFetch, server: Server) -> None:
    assert fetch("/kept", body={"n": 1}) in (b'{"n":1}', b'{"n": 1}')
    with pytest.raises(SourceError) as caught:
        fetch("/changed", body={"n": 1})
    assert "HTTP 303" in caught.value.observed


def test_signed_link_is_asked_without_the_credential(fetch: HttpFetch, server: Server) -> None:
    assert fetch(f"{server.url}/file.jsonl?{SIGNATURE}") == b"content"
    verb, path, headers, _ = server.asked[0]
    assert (verb, path) == ("GET", f"/file.jsonl?{SIGNATURE}")
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("path", "fault"),
    [("/expired", Fault.REFUSED), ("/gone", Fault.UNREACHABLE), ("/cut", Fault.TRUNCATED)],
)
def test_failing_link_is_named_without_its_signature(
    fetch: HttpFetch, server: Server, path: str, fault: Fault
) -> None:
    error = refused(fetch, f"{server.url}{path}?{SIGNATURE}", fault)
    assert error.page == f"{server.url}{path}"


def test_signature_is_not_logged(
    fetch: HttpFetch, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        fetch(f"{server.url}/file.jsonl?{SIGNATURE}")
    assert "/file.jsonl" in caplog.text
    assert SIGNATURE not in caplog.text


def test_plain_link_beside_a_secure_base_is_refused_unasked(server: Server) -> None:
    with HttpFetch("portkey", "https://api.example.test") as secure:
        error = refused(secure, f"{server.url}/file.jsonl?{SIGNATURE}", Fault.REFUSED)
    assert error.expected == "a link by https:"
    assert server.asked == []


@pytest.mark.parametrize("link", ["https://[::1", "https://host:port/x"])
def test_link_that_is_no_address_is_malformed(fetch: HttpFetch, link: str) -> None:
    refused(fetch, link, Fault.MALFORMED)


def test_closed_fetch_opens_anew_when_asked_again(fetch: HttpFetch, server: Server) -> None:
    with fetch:
        fetch("/a")
        first = fetch._client
    assert first.is_closed
    assert fetch("/b") == b"content"
    assert not fetch._client.is_closed


def test_body_beyond_the_limit_is_refused(server: Server) -> None:
    with HttpFetch("s", server.url, patience=Patience(largest_bytes=3)) as small:
        assert "at most 3 bytes" in refused(small, "/echo", Fault.REFUSED).expected
