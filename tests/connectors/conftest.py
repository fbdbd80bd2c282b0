"""The flag that rewrites golden files, and a small real HTTP server."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Answer = Callable[[str, str, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]
"""Method, target, headers and body to status, headers and body."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/connectors --rewrite-goldens`; then read the difference."""
    parser.addoption("--rewrite-goldens", action="store_true", help="write expected files anew")


@pytest.fixture
def rewrite_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether the flag was given."""
    return bool(request.config.getoption("--rewrite-goldens", default=False))


@pytest.fixture
def loopback() -> Iterator[Callable[[Answer], str]]:
    """Serve a function on loopback; gives its address."""
    running: list[ThreadingHTTPServer] = []

    def serve(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = (self.command, self.path, dict(self.headers.items()), body)
                status, headers, content = answer(*asked)
                self.send_response_only(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = "Content-Length" in headers  # a lie: the body is cut

            do_GET = do_POST = _reply

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in running:
        server.shutdown()
        server.server_close()
