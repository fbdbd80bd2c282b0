"""What a source's `url` and `credential` lead to: an API, a folder, or a database."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from countersign import config
from countersign.errors import ConfigError, Fault, SourceError
from countersign.model import Window
from countersign.pipeline.collect import reader
from countersign.pipeline.workspace import Workspace

DAY = Window.parse("2026-11-02/2026-11-03")
KEYS = "pk-lf-public:sk-lf-very-secret"


class Api(BaseHTTPRequestHandler):
    """Langfuse without observations; notes who asked, and when a connection is closed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        state: Any = self.server
        state.logins.append(self.headers["Authorization"])
        body = b'{"data": [], "meta": {}}'
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def finish(self) -> None:
        super().finish()
        state: Any = self.server
        state.closed.set()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Api)
        self.logins: list[str] = []
        self.closed = threading.Event()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def site(folder: Path, url: str, connector: str = "langfuse") -> Workspace:
    file = folder / "countersign.toml"
    file.write_text(
        '[countersign]\nentity = "Aster Bank AG"\n\n'
        f'[sources.calls]\nconnector = "{connector}"\nurl = "{url}"\ncredential = "env:KEYS"\n'
    )
    return Workspace(config.load(file), secret=lambda _reference: KEYS)


def test_api_is_asked_with_the_credential_and_left_closed(tmp_path: Path, server: Server) -> None:
    read = reader(site(tmp_path, f"http://127.0.0.1:{server.server_address[1]}"), "calls")
    for _ in range(2):
        server.closed.clear()
        assert [json.loads(page)["data"] for page in read(DAY)] == [[], []]
        assert server.closed.wait(5)
    assert set(server.logins) == {"Basic " + base64.b64encode(KEYS.encode()).decode()}


def test_folder_is_read_without_the_credential(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "a.jsonl").write_bytes(b"{}")
    assert list(reader(site(tmp_path, "file:export"), "calls")(DAY)) == [b"{}"]


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_database_of_a_source_without_tables_is_refused(tmp_path: Path, scheme: str) -> None:
    pytest.importorskip("psycopg", reason="psycopg, the extra [postgres], is not installed")
    read = reader(site(tmp_path, f"{scheme}://127.0.0.1:1/langfuse"), "calls")
    with pytest.raises(SourceError) as caught:
        list(read(DAY))
    assert caught.value.fault is Fault.REFUSED
    assert caught.value.observed == "a database"


def test_other_addresses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        reader(site(tmp_path, "ftp://host"), "calls")
    assert "postgresql://" in caught.value.expected
