"""The browser's meter in a real Chromium: what it reports is what the page shows."""

import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from countersign import meters

pytestmark = pytest.mark.browser
WORDS = ["Grüße ", "aus ", "München: ", "ein ", "Satz ", "mit ", "🦊 ", "und ", "中文. "]
PAGE = """<!doctype html><meta charset="utf-8"><title>chat</title>
<button id="stop">Stop</button><main id="answer"></main>
<script src="{meters}/snippet.js"></script>
<script>
const meter = countersign({{ url: "{meters}/v1/deliveries?key=pk_aster" }});
const stop = document.getElementById("stop"), element = document.getElementById("answer");
async function ask(requestId, words, how) {{
  const control = new AbortController();
  const answer = meter.answer({{ requestId, element: how === "wrap" ? null : element }});
  const append = (text) => element.append(text);
  const render = how === "wrap" ? answer.wrap(append) : append;
  stop.onclick = () => {{ control.abort(); answer.stop(); }};
  try {{
    const address = `/answer?words=${{words}}&how=${{how}}`;
    const reply = await fetch(address, {{ signal: control.signal }});
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    answer.id("chatcmpl-" + requestId);
    for (let part = await reader.read(); !part.done; part = await reader.read()) {{
      if (how === "throw" && element.textContent) throw new Error("a fault of the page");
      render(part.value);
    }}
    answer.end();
  }} catch (error) {{
    if (error.name !== "AbortError") answer.fail();
    if (how === "throw") element.textContent = "";
  }}
}}
</script>"""


class Chat(BaseHTTPRequestHandler):
    """A page, and answers that come word by word; `broken` ones are cut."""

    protocol_version = "HTTP/1.1"
    page = b""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path != "/answer":
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(self.page)))
            self.end_headers()
            self.wfile.write(self.page)
            return
        asked = dict(pair.split("=") for pair in query.split("&"))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._say(int(asked["words"]), is_broken=asked["how"] == "broken")
        except OSError:
            self.close_connection = True

    def _say(self, words: int, *, is_broken: bool) -> None:
        for number in range(words):
            said = WORDS[number % len(WORDS)].encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(said), said))
            time.sleep(0.02)
        if is_broken:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def chat(new_endpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page's server and the endpoint beside it: two origins, as in life."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    folder = tmp_path_factory.mktemp("chat") / "deliveries"
    with new_endpoint(folder, origins=(origin,)) as endpoint:
        Chat.page = PAGE.format(meters=endpoint.url).encode()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield origin, endpoint
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, chat: Any) -> Iterator[Any]:
    context = chromium.new_context()
    opened = context.new_page()
    opened.goto(chat[0])
    yield opened
    context.close()


def shown(page: Any) -> int:
    """Characters on the screen, as Python and the books count them."""
    return len(page.locator("#answer").evaluate("e => e.textContent"))


def reported(chat: Any, request_id: str, patience_s: float = 10) -> dict[str, Any]:
    """The row of an answer, once it is there; one row only."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        found = [row for row in chat[1].rows() if row["request_id"] == request_id]
        if found:
            assert len(found) == 1
            return dict(found[0])
        time.sleep(0.1)
    pytest.fail(f"no row of {request_id} within {patience_s:g} s")


@pytest.mark.parametrize("how", ["observe", "wrap"])
def test_whole_answer_is_reported_character_by_character(page: Any, chat: Any, how: str) -> None:
    page.evaluate(f"ask('whole-{how}', 40, '{how}')")
    row = reported(chat, f"whole-{how}")
    assert row["rendered_characters"] == shown(page) == len("".join((WORDS * 5)[:40]))
    assert row["ended"] == "completed"
    assert row["response_id"] == f"chatcmpl-whole-{how}"
    assert (row["meter"], row["tenant"]) == ("browser", "aster-bank")


def test_stop_button_ends_the_count(page: Any, chat: Any) -> None:
    page.evaluate("void ask('stopped', 400, 'observe')")
    page.wait_for_function("document.getElementById('answer').textContent.length > 30")
    page.click("#stop")
    row = reported(chat, "stopped")
    assert row["ended"] == "user_stop"
    assert 30 < row["rendered_characters"] == shown(page) < len("".join(WORDS * 44))


def test_closed_tab_reports_what_was_on_it(page: Any, chat: Any) -> None:
    page.evaluate("void ask('closed', 400, 'observe')")
    page.wait_for_function("document.getElementById('answer').textContent.length > 30")
    least = shown(page)
    page.close(run_before_unload=True)
    row = reported(chat, "closed")
    assert row["ended"] == "disconnect"
    assert least <= row["rendered_characters"] < least + 60


def test_left_page_reports_too(page: Any, chat: Any) -> None:
    page.evaluate("void ask('left', 400, 'observe')")
    page.wait_for_function("document.getElementById('answer').textContent.length > 30")
    page.goto("about:blank")
    assert reported(chat, "left")["ended"] == "disconnect"


@pytest.mark.parametrize("how", ["broken", "throw"])
def test_error_is_reported_with_what_had_been_shown(page: Any, chat: Any, how: str) -> None:
    page.evaluate(f"ask('error-{how}', 9, '{how}')")
    row = reported(chat, f"error-{how}")
    assert row["ended"] == "error"
    most = len("".join(WORDS)) if how == "broken" else len("".join(WORDS)) - 1
    assert 0 < row["rendered_characters"] <= most


def test_hidden_tab_that_comes_back_has_one_final_row(page: Any, chat: Any) -> None:
    page.evaluate(
        """() => { const said = ask('hidden', 40, 'observe');
        Object.defineProperty(document, 'visibilityState', { value: 'hidden', writable: true });
        setTimeout(() => document.dispatchEvent(new Event('visibilitychange')), 200);
        return said; }"""
    )
    row = reported(chat, "hidden")
    assert row["ended"] == "completed"
    assert row["rendered_characters"] == shown(page)


def test_unanswered_row_is_sent_once_more(page: Any, chat: Any) -> None:
    tries = []

    def fail_first(route: Any) -> None:
        tries.append(route.request.url)
        route.abort() if len(tries) == 1 else route.continue_()

    page.route("**/v1/deliveries*", fail_first)
    page.evaluate("ask('again', 3, 'observe')")
    page.wait_for_timeout(2_500)
    assert reported(chat, "again")["ended"] == "completed"
    assert len(tries) == 2


def test_page_of_another_origin_reports_nothing(chromium: Any, chat: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.server_address[1]}")
    refused = []
    page.on("requestfailed", lambda request: refused.append(request.url))
    page.evaluate("ask('elsewhere', 3, 'observe')")
    page.wait_for_timeout(2_500)
    assert len(refused) == 2
    context.close()
    server.shutdown()
    server.server_close()
    assert not [row for row in chat[1].rows() if row["request_id"] == "elsewhere"]


def test_snippet_leaves_nothing_in_the_browser(page: Any, chat: Any) -> None:
    page.evaluate("ask('clean', 3, 'observe')")
    reported(chat, "clean")
    assert page.context.cookies() == []
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_snippet_is_small() -> None:
    assert Path(meters.__file__).with_name("snippet.js").stat().st_size < 3_072
