"""Cloudflare's paging against a server that behaves, and against some that do not."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from countersign.connectors.cloudflare_ai import CloudflareAI
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.pipeline.fetch import HttpFetch
from countersign.records import GatewayCall

DAY = Window.parse("2026-11-02/2026-11-03")
BASE = "/client/v4/accounts/a/ai-gateway/gateways/g"


def row(number: int) -> dict[str, Any]:
    return {"id": f"log-{number}", "created_at": "2026-11-02T10:00:00Z", "provider": "openai"}


@dataclass
class Logs:
    """The listing over a number of rows; `lie` changes a reply's `result_info`."""

    rows: int
    info: bool = True
    lie: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def reply(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        assert path == f"{BASE}/logs"
        self.asked.append(query)
        number, size = int(query["page"]), int(query["per_page"])
        found = [row(n) for n in range(self.rows)][(number - 1) * size : number * size]
        answer: dict[str, Any] = {"success": True, "result": found}
        if self.info:
            answer["result_info"] = {"page": number, "per_page": size, "total_count": self.rows}
        for name, value in self.lie.get(number, {}).items():
            (answer if name in answer else answer["result_info"])[name] = value
        return answer


@contextmanager
def served(logs: Logs) -> Iterator[HttpFetch]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            assert self.headers["Authorization"] == "Bearer token"
            body = json.dumps(logs.reply(url.path, dict(parse_qsl(url.query)))).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}{BASE}"
    try:
        yield HttpFetch.bound("cloudflare-ai", address, CloudflareAI.credential_header, "token")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def collected(logs: Logs) -> list[str]:
    connector = CloudflareAI()
    with served(logs) as fetch:
        pages = list(connector.pages(fetch, DAY))
    calls = [r for page in pages for r in connector.parse(page)]
    return [r.call_id for r in calls if isinstance(r, GatewayCall)]


def fault(logs: Logs) -> SourceError:
    with served(logs) as fetch, pytest.raises(SourceError) as caught:
        list(CloudflareAI().pages(fetch, DAY))
    return caught.value


@pytest.mark.parametrize("info", [True, False])
@pytest.mark.parametrize("rows", [0, 1, 49, 50, 51, 100, 120])
def test_every_row_is_read_once_whether_or_not_a_total_is_told(rows: int, info: bool) -> None:
    logs = Logs(rows, info)
    assert collected(logs) == [f"log-{n}" for n in range(rows)]
    assert len(logs.asked) <= rows // 50 + 1


def test_window_is_asked_for_oldest_first() -> None:
    logs = Logs(1)
    collected(logs)
    assert logs.asked == [
        {
            "start_date": "2026-11-02T00:00:00Z",
            "end_date": "2026-11-03T00:00:00Z",
            "order_by": "created_at",
            "order_by_direction": "asc",
            "page": "1",
            "per_page": "50",
        }
    ]


def test_server_with_smaller_pages_than_asked_for_is_followed() -> None:
    logs = Logs(60)
    original = logs.reply

    def reply(path: str, query: dict[str, str]) -> dict[str, Any]:
        return original(path, query | {"per_page": "20"})

    logs.reply = reply  # type: ignore[method-assign]  # the server caps its pages
    assert len(collected(logs)) == 60


def test_listing_that_shrinks_while_it_is_read_is_truncated() -> None:
    error = fault(Logs(120, lie={3: {"result": []}}))
    assert error.fault is Fault.TRUNCATED
    assert (error.page, error.observed) == ("3", "100 rows")


@pytest.mark.parametrize(
    ("lie", "expected"),
    [
        ({"page": 1}, Fault.MALFORMED),
        ({"result": [row(0)]}, Fault.MALFORMED),
        ({"page": "two"}, Fault.MALFORMED),
        ({"result": None}, Fault.MALFORMED),
        ({"success": False}, Fault.REFUSED),
    ],
)
def test_second_page_that_is_none_is_refused(lie: dict[str, Any], expected: Fault) -> None:
    error = fault(Logs(120, lie={2: lie}))
    assert error.fault is expected
    assert error.page == "2"


def test_metadata_says_who_asked_only_where_it_is_readable() -> None:
    for metadata, tenant in (
        ('{"tenant": "acme"}', "acme"),
        ({"tenant": "acme"}, "acme"),
        ('{"tenant": ', None),
        ('["acme"]', None),
        ("{" * 5000, None),
        (None, None),
    ):
        [found] = CloudflareAI().parse(json.dumps(row(1) | {"metadata": metadata}).encode())
        assert isinstance(found, GatewayCall)
        assert found.tenant == tenant


def test_gateway_cache_is_not_billed_and_totals_are_estimates() -> None:
    tokens = {"tokens_in": 12, "tokens_out": 3, "success": True}
    rows = [row(1) | tokens, row(2) | tokens | {"cached": True}]
    seen, hit = CloudflareAI().parse("\n".join(map(json.dumps, rows)).encode())
    assert isinstance(seen, GatewayCall)
    assert isinstance(hit, GatewayCall)
    assert (seen.in_uncached, seen.in_cache_read, seen.usage_quality) == (12, None, "estimated")
    assert (hit.in_uncached, hit.stage, hit.usage_quality) == (0, "gateway_cache", "exact")
