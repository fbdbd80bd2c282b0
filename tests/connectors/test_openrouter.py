"""OpenRouter: one request a day, tokens that exceed what holds them, tries that failed."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from countersign.connectors.openrouter import OpenRouter
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.pipeline.fetch import HttpFetch, Patience
from countersign.records import GatewayCall, InferenceLocation, ProviderUsage

TWO_DAYS = Window.parse("2026-11-01/2026-11-03")


@contextmanager
def served(status: int = 200) -> Iterator[tuple[HttpFetch, list[str]]]:
    """The activity API: a row for the day that is asked for, or an error."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            row = {"date": self.path.rpartition("=")[2], "model": "m", "prompt_tokens": 1}
            error = {"error": {"code": status, "message": "no management key"}}
            body = json.dumps({"data": [row]} if status == 200 else error).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        fetch = HttpFetch("openrouter", address, patience=Patience(attempts=1))
        yield fetch, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def activity(**fields: Any) -> ProviderUsage:
    row = {"date": "2026-11-02", "model": "openai/gpt-5.4", **fields}
    (found,) = OpenRouter().parse(json.dumps({"data": [row]}).encode())
    assert isinstance(found, ProviderUsage)
    return found


def generation(**fields: Any) -> list[Any]:
    made = {"id": "gen-1", "created_at": "2026-11-02T10:00:00Z", "model": "m", **fields}
    return list(OpenRouter().parse(json.dumps({"data": made}).encode()))


def test_each_day_is_asked_by_its_date() -> None:
    with served() as (fetch, asked):
        pages = list(OpenRouter().pages(fetch, TWO_DAYS))
    assert asked == [
        "/api/v1/activity?date=2026-11-01",
        "/api/v1/activity?date=2026-11-02",
    ]
    rows = [row for page in pages for row in OpenRouter().parse(page)]
    assert all(isinstance(row, ProviderUsage) for row in rows)
    assert len({row.bucket_start for row in rows if isinstance(row, ProviderUsage)}) == 2


def test_an_ordinary_key_is_refused_as_a_credential() -> None:
    with served(401) as (fetch, _), pytest.raises(SourceError) as caught:
        list(OpenRouter().pages(fetch, TWO_DAYS))
    assert caught.value.fault is Fault.CREDENTIAL


def test_cached_beyond_the_prompt_is_bounded_and_estimated() -> None:
    found = activity(prompt_tokens=100, cached_tokens=140, completion_tokens=5, reasoning_tokens=0)
    assert (found.in_uncached, found.in_cache_read) == (0, 100)
    assert found.usage_quality == "estimated"
    inside = activity(prompt_tokens=100, cached_tokens=40, completion_tokens=5)
    assert (inside.in_uncached, inside.in_cache_read, inside.out_reasoning) == (60, 40, None)
    assert inside.usage_quality == "exact"


def test_endpoints_of_one_model_are_things_of_their_own() -> None:
    one, two = (activity(endpoint_id=e, provider_name="Azure") for e in ("e1", "e2"))
    about = [tuple(getattr(u, name) for name in ProviderUsage.identity) for u in (one, two)]
    assert about[0] != about[1]
    assert one.upstream == "Azure/e1"


def test_native_tokens_are_taken_and_normalised_ones_are_not() -> None:
    (call,) = generation(tokens_prompt=90, tokens_completion=9, native_tokens_prompt=100)
    assert (call.in_uncached, call.out_visible) == (100, None)
    (silent,) = generation(tokens_prompt=90, tokens_completion=9)
    assert (silent.usage_quality, silent.in_uncached) == ("missing", None)


def test_reasoning_beyond_the_completion_is_bounded_and_estimated() -> None:
    (call,) = generation(native_tokens_completion=10, native_tokens_reasoning=11)
    assert (call.out_visible, call.out_reasoning, call.usage_quality) == (0, 10, "estimated")


def test_a_cancelled_generation_is_estimated() -> None:
    (call,) = generation(cancelled=True, native_tokens_prompt=5, native_tokens_completion=2)
    assert (call.status, call.ended_by) == ("cancelled", "client_disconnect")
    assert call.usage_quality == "estimated"


def test_failed_tries_are_attempts_of_the_same_request() -> None:
    tries = [{"status": 429}, {"status": None}, {"status": 503}, {"status": 200}]
    first, second, served_ = generation(provider_responses=tries, request_id="r")
    assert [c.attempt for c in (first, second, served_)] == [1, 3, 4]
    assert [c.http_status for c in (first, second, served_)] == [429, 503, 200]
    assert {c.request_id for c in (first, second, served_)} == {"r"}
    assert len({c.call_id for c in (first, second, served_)}) == 3
    assert (first.usage_quality, served_.status) == ("missing", "ok")


def test_when_every_try_failed_the_call_is_the_last_one() -> None:
    first, last = generation(provider_responses=[{"status": 429}, {"status": 502}])
    assert (first.call_id, last.call_id) == ("gen-1#attempt-1", "gen-1")
    assert (last.status, last.http_status) == ("error", 502)


@pytest.mark.parametrize(
    ("said", "strength", "jurisdiction"),
    [("europe", "R1", "EU"), ("us", "R1", "US"), ("global", "R0", None), ("mars", "R0", None)],
)
def test_the_routing_region_is_declared_and_not_where_the_upstream_is(
    said: str, strength: str, jurisdiction: str | None
) -> None:
    call, place = generation(data_region=said)
    assert isinstance(call, GatewayCall)
    assert isinstance(place, InferenceLocation)
    assert (place.region, place.strength, place.jurisdiction) == (said, strength, jurisdiction)


def test_what_openrouters_own_cache_answered_ran_nowhere() -> None:
    (call,) = generation(data_region="europe", response_cache_source_id="gen-0")
    assert call.stage == "gateway_cache"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": 429, "message": "slow down", "metadata": {"provider_name": "x"}}},
        {"data": None},
        {"data": [{"date": "soon"}]},
        {"data": [{"model": "m"}]},
        {"data": {"id": "g"}},
        {"data": {"id": "g", "created_at": "2026-11-02", "provider_responses": [1]}},
    ],
    ids=str,
)
def test_an_error_or_a_row_that_cannot_be_read_is_an_error_of_the_source(body: object) -> None:
    with pytest.raises(SourceError) as caught:
        list(OpenRouter().parse(json.dumps(body).encode()))
    assert caught.value.fault is Fault.MALFORMED
