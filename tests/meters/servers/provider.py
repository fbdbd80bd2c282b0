"""An OpenAI-compatible provider with exact books, run as `python provider.py PORT`.

The last message is an order, as JSON: `words` to say, `pause_ms` between them, `silent_ms` before
the headers, `first_ms` before the first word, `fail_first` (so many attempts get a 500),
`lose_first` (so many attempts are said and billed, and their answer is lost), `break_after` so many
words the connection is torn, `drain` says on after the client left. Every word is one token of
o200k_base. `GET /books` is what is billed.
"""

import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "gpt-4o-mini-2024-07-18"
WORDS = (" river", " apple", " stone", " green", " table", " cloud", " paper", " music")
PROMPT_TOKENS = 20
books: list[dict[str, Any]] = []
attempts: Counter[str] = Counter()
guard = threading.Lock()


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with guard:
            self._json(200, books)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        order = json.loads(body["messages"][-1]["content"])
        with guard:
            attempts[order["name"]] += 1
            attempt = attempts[order["name"]]
            book = {"id": f"chatcmpl-{order['name']}-{attempt}", "name": order["name"]}
            book |= {"attempt": attempt, "billed": 0, "done": False}
            books.append(book)
        if attempt <= order.get("fail_first", 0):
            book["done"] = True
            self._json(500, {"error": {"message": "overloaded", "type": "server_error"}})
        elif body.get("stream"):
            self._stream(order, book, body.get("stream_options") or {})
        else:
            self._whole(order, book, attempt)

    def _whole(self, order: dict[str, Any], book: dict[str, Any], attempt: int) -> None:
        for _ in range(order["words"]):
            time.sleep(order.get("pause_ms", 0) / 1000)
            book["billed"] += 1
        book["done"] = True
        if attempt <= order.get("lose_first", 0):
            self.close_connection = True
            return
        message = {"role": "assistant", "content": text(order["words"])}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self._json(200, self._envelope(book, "chat.completion", [choice]) | usage(book))

    def _stream(self, order: dict[str, Any], book: dict[str, Any], options: dict[str, Any]) -> None:
        time.sleep(order.get("silent_ms", 0) / 1000)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        time.sleep(order.get("first_ms", 0) / 1000)
        is_listening = True
        for number in range(order["words"]):
            if number == order.get("break_after"):
                book["done"] = self.close_connection = True  # in the middle of a chunked body
                return
            book["billed"] += 1
            delta = {"role": "assistant", "content": word(number)}
            is_listening = is_listening and self._event(self._chunk(book, delta))
            if not is_listening:
                self.close_connection = True
                if not order.get("drain"):
                    break
            time.sleep(order.get("pause_ms", 0) / 1000)
        book["done"] = True
        if is_listening:
            self._event(self._chunk(book, {}, "stop"))
            if options.get("include_usage"):
                self._event(self._envelope(book, "chat.completion.chunk", []) | usage(book))
            self._chunked(b"data: [DONE]\n\n")
            self._send(b"0\r\n\r\n")

    def _chunk(
        self, book: dict[str, Any], delta: dict[str, Any], reason: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return self._envelope(book, "chat.completion.chunk", [choice])

    def _envelope(self, book: dict[str, Any], kind: str, choices: list[Any]) -> dict[str, Any]:
        named = {"id": book["id"], "object": kind, "created": int(time.time()), "model": MODEL}
        return named | {"choices": choices}

    def _event(self, document: dict[str, Any]) -> bool:
        return self._chunked(b"data: " + json.dumps(document).encode() + b"\n\n")

    def _chunked(self, body: bytes) -> bool:
        return self._send(b"%x\r\n%b\r\n" % (len(body), body))

    def _send(self, body: bytes) -> bool:
        try:
            self.wfile.write(body)
        except OSError:
            return False
        return True

    def _json(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._send(body)

    def log_message(self, *_: object) -> None:
        pass


def word(number: int) -> str:
    return WORDS[number % len(WORDS)]


def text(words: int) -> str:
    return "".join(word(number) for number in range(words))


def usage(book: dict[str, Any]) -> dict[str, Any]:
    billed = book["billed"]
    figures = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": billed}
    return {"usage": figures | {"total_tokens": PROMPT_TOKENS + billed}}


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Provider).serve_forever()
