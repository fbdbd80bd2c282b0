"""Sources that break off in the middle: asked again from the first page, then reported.

Never is half a day admitted as a whole one, and never does a broken reading take the place of a
good one. The servers are real, on loopback.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from countersign.errors import Fault, SourceError
from countersign.model import US_PER_SECOND, Window
from countersign.pipeline import admit
from countersign.pipeline.collect import collect
from countersign.pipeline.fetch import HttpFetch, Patience
from countersign.pipeline.workspace import Workspace, open_workspace

DAY = Window.parse("2026-11-09/2026-11-10")
CONFIG = """
[countersign]
entity = "Example"
now = 2026-11-10T06:00:00Z

[sources.usage]
connector = "openai-usage"
url = "{url}"

[sources.calls]
connector = "litellm"
url = "{url}"
page_size = 2
"""


def bucket(hour: int, tokens: int) -> dict[str, Any]:
    start = DAY.start_us // US_PER_SECOND + hour * 3_600
    result = {"input_tokens": tokens, "input_cached_tokens": 0, "input_uncached_tokens": tokens,
              "input_cache_write_tokens": 0, "output_tokens": 1, "num_model_requests": 1,
              "project_id": "p", "api_key_id": "k", "model": "gpt-5.4", "batch": False,
              "service_tier": "default"}  # fmt: skip
    return {"object": "bucket", "start_time": start, "end_time": start + 3_600, "results": [result]}


class Provider(BaseHTTPRequestHandler):
    """Three pages of usage by cursor; `server.script` is called with the page number first."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        server.asked.append(asked)
        server.script(self, asked)

    def usage(self, asked: dict[str, str], **changed: Any) -> None:
        number = int(asked.get("page", "1").rsplit("-", 1)[-1])
        more = number < 3
        page = {"object": "page", "data": [bucket(number, 100 * number)], "has_more": more,
                "next_page": f"cursor-{number + 1}" if more else None}  # fmt: skip
        self.send(200, {**page, **changed})

    def send(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[dict[str, str]]
    script: Callable[[Any, dict[str, str]], None]

    def handle_error(self, *given: Any) -> None:
        """A client that gives up hangs up: that is the point."""


@pytest.fixture
def server() -> Iterator[Any]:
    with Server(("127.0.0.1", 0), Provider) as running:
        running.asked = []
        running.script = Provider.usage
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def waited() -> list[float]:
    return []


@pytest.fixture
def ws(server: Any, waited: list[float], tmp_path: Path) -> Workspace:
    file = tmp_path / "countersign.toml"
    file.write_text(CONFIG.format(url=f"http://127.0.0.1:{server.server_address[1]}"))
    from countersign.pipeline import keys  # noqa: PLC0415 - after the configuration is there

    keys.make(open_workspace(str(file)))
    return open_workspace(str(file), wait=waited.append)


def rows(ws: Workspace, source: str = "usage") -> int:
    admit.admit(ws)
    kinds = ws.lake.admitted().days[source, str(DAY.start)].kinds
    return sum(found.counts.rows for found in kinds.values())


def status(ws: Workspace, source: str = "usage") -> tuple[str, int]:
    manifest = ws.lake.raw.manifest(source, str(DAY.start))
    assert manifest is not None
    return manifest.status, len(manifest.pages)


def expires(times: int) -> Callable[[Any, dict[str, str]], None]:
    """A provider that forgets the third page's cursor so many times."""
    left = [times]

    def script(handler: Any, asked: dict[str, str]) -> None:
        if asked.get("page") == "cursor-3" and left[0]:
            left[0] -= 1
            handler.send(400, {"error": {"message": "cursor expired"}})
        else:
            handler.usage(asked)

    return script


def test_a_cursor_that_expires_starts_the_day_again_from_its_first_page(
    ws: Workspace, server: Any, waited: list[float]
) -> None:
    server.script = expires(2)
    (done,) = collect(ws, DAY, ("usage",))
    assert (done.failed, done.pages) == ((), 3)
    assert [a.get("page", "1")[-1] for a in server.asked] == [*"123", *"123", *"123"]
    assert waited == [0.2, 0.4]
    assert rows(ws) == 3


def test_one_that_always_expires_is_reported_after_three_times_and_admits_nothing(
    ws: Workspace, server: Any
) -> None:
    server.script = expires(99)
    (done,) = collect(ws, DAY, ("usage",))
    ((day, error),) = done.failed
    assert (day, error.fault, len(server.asked)) == ("2026-11-09", Fault.REFUSED, 9)
    assert "cursor expired" in str(error)
    assert status(ws) == ("request refused", 2), "what came is kept"
    assert rows(ws) == 0, "half a day is no day"


def test_a_refusal_of_the_first_page_is_not_repeated(ws: Workspace, server: Any) -> None:
    server.script = lambda handler, asked: handler.send(400, {"error": {"message": "no"}})
    two_days = Window.parse("2026-11-08/2026-11-10")
    (done,) = collect(ws, two_days, ("usage",))
    assert (len(done.failed), len(server.asked)) == (2, 1)


def test_an_expired_cursor_of_one_day_says_nothing_about_the_next(
    ws: Workspace, server: Any
) -> None:
    failing = expires(3)
    server.script = failing
    (done,) = collect(ws, Window.parse("2026-11-08/2026-11-10"), ("usage",))
    assert [day for day, _ in done.failed] == ["2026-11-08"]
    assert status(ws) == ("complete", 3)


def test_a_broken_reading_never_takes_the_place_of_a_whole_one(ws: Workspace, server: Any) -> None:
    collect(ws, DAY, ("usage",))
    assert rows(ws) == 3
    server.script = expires(99)
    collect(ws, DAY, ("usage",))
    assert status(ws) == ("complete", 3)
    assert rows(ws) == 3
    manifest = ws.lake.raw.manifest("usage", "2026-11-09")
    assert manifest is not None
    assert manifest.gap is not None
    assert manifest.gap.status == "request refused"


def test_cursors_in_a_circle_are_reported(ws: Workspace, server: Any) -> None:
    server.script = lambda handler, asked: handler.usage(
        asked,
        has_more=True,
        next_page="cursor-2" if asked.get("page") != "cursor-2" else "cursor-1",
    )
    (done,) = collect(ws, DAY, ("usage",))
    assert done.failed[0][1].fault is Fault.MALFORMED
    assert "for the second time" in str(done.failed[0][1])
    assert len(server.asked) == 9, "three pages, three times"
    assert rows(ws) == 0


def calls_of(total: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"request_id": f"r{n}", "startTime": f"2026-11-09T00:00:{n:02d}Z",
         "endTime": f"2026-11-09T00:00:{n:02d}Z", "model": "gpt-5.4", "status": "success",
         "custom_llm_provider": "openai", "prompt_tokens": 1, "completion_tokens": 1,
         "total_tokens": 2, "metadata": {}, "call_type": "acompletion"}
        for n in range(first, first + total)
    ]  # fmt: skip


def moving(lists: list[list[dict[str, Any]]]) -> Callable[[Any, dict[str, str]], None]:
    """A list that is another one at each request, until the last one holds."""
    at = [0]

    def script(handler: Any, asked: dict[str, str]) -> None:
        listed = lists[min(at[0], len(lists) - 1)]
        at[0] += 1
        number, size = int(asked["page"]), int(asked["page_size"])
        pages = -(-len(listed) // size)
        shown = listed[(number - 1) * size : number * size]
        handler.send(200, {"data": shown, "page": number, "total": len(listed),
                           "total_pages": pages, "page_size": size})  # fmt: skip

    return script


def test_a_row_that_goes_away_between_two_pages_is_noticed_and_the_day_read_again(
    ws: Workspace, server: Any, waited: list[float]
) -> None:
    before, after = calls_of(5), calls_of(4, first=1)
    server.script = moving([before, after])
    (done,) = collect(ws, DAY, ("calls",))
    assert done.failed == ()
    assert waited == [0.2], "the rows that moved up would have been missed"
    assert status(ws, "calls") == ("complete", 2)
    assert rows(ws, "calls") >= 4


def test_a_list_that_never_stands_still_is_reported(ws: Workspace, server: Any) -> None:
    server.script = moving([calls_of(60 - n, first=n) for n in range(60)])
    (done,) = collect(ws, DAY, ("calls",))
    assert done.failed[0][1].fault in {Fault.TRUNCATED, Fault.MALFORMED}
    assert rows(ws, "calls") == 0


def drip(connection: socket.socket) -> None:
    """Half an answer, then a byte now and then for ever."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    with connection:
        for _ in range(200):
            connection.sendall(b" ")
            time.sleep(0.05)


def half_closed(connection: socket.socket) -> None:
    """An answer without its end: the writing side is closed, the reading side is not."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    connection.shutdown(socket.SHUT_WR)
    time.sleep(1)


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    listening: list[socket.socket] = []

    def begin(answer: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listening.append(listener)

        def quietly(connection: socket.socket) -> None:
            try:
                answer(connection)
            except OSError:
                connection.close()  # the client hung up

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=quietly, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield begin
    for listener in listening:
        listener.close()


@pytest.mark.parametrize(
    ("answer", "fault"), [(drip, Fault.UNREACHABLE), (half_closed, Fault.TRUNCATED)]
)
def test_a_connection_that_never_ends_its_answer_ends_all_the_same(
    raw_server: Callable[..., str], answer: Callable[[socket.socket], None], fault: Fault
) -> None:
    patience = Patience(attempts=2, timeout_s=0.5, longest_answer_s=0.6)
    began = time.monotonic()
    with (
        HttpFetch("usage", raw_server(answer), patience=patience, sleep=lambda _: None) as fetch,
        pytest.raises(SourceError) as caught,
    ):
        fetch("/x")
    assert caught.value.fault is fault
    assert caught.value.remedy
    assert time.monotonic() - began < 5
