"""Kong's log lines: spellings, endings, caches, hosts that nobody asked."""

import json
from typing import Any

import pytest

from countersign.connectors.kong_ai import KongAI
from countersign.errors import Fault, SourceError
from countersign.records import GatewayCall, InferenceLocation, Record, SurfaceAccess

LINE: dict[str, Any] = {
    "started_at": 1793613600120,
    "request": {"id": "r-1"},
    "response": {"status": 200},
    "service": {"host": "bedrock-runtime.eu-central-1.amazonaws.com"},
}
META = {"provider_name": "bedrock", "request_model": "chat", "response_model": "claude-sonnet-5"}
USAGE = {"prompt_tokens": 1200, "completion_tokens": 88, "total_tokens": 1288}


def records(*lines: dict[str, Any]) -> list[Record]:
    return list(KongAI().parse("\n".join(map(json.dumps, lines)).encode()))


def call(**changes: Any) -> GatewayCall:
    [found] = [r for r in records(LINE | changes) if isinstance(r, GatewayCall)]
    return found


def proxy(usage: object = USAGE, **more: Any) -> dict[str, Any]:
    return {"proxy": {"meta": META, "usage": usage, **more}}


def test_other_traffic_is_no_call() -> None:
    assert records(LINE, LINE | {"ai": {}}, LINE | {"ai": None}) == []


def test_cost_of_zero_means_no_prices_and_stays_unknown() -> None:
    assert call(ai=proxy(USAGE | {"cost": 0})).cost_logged_usd_micros is None
    assert call(ai=proxy(USAGE | {"cost": 0.0021})).cost_logged_usd_micros == 2100


def test_old_spellings_of_plugin_and_tokens_are_read() -> None:
    old = {"ai-proxy": {"meta": META, "usage": {"prompt_token": 7, "completion_token": 3}}}
    found = call(ai=old)
    assert (found.in_uncached, found.out_visible, found.stage) == (7, 3, None)


def test_null_tokens_are_missing_and_zeros_of_a_cancelled_call_too() -> None:
    unknown = {"prompt_tokens": None, "completion_tokens": None}
    zero = {"prompt_tokens": 0, "completion_tokens": 0}
    for status, usage in ((200, unknown), (499, unknown), (499, zero), (504, zero)):
        found = call(ai=proxy(usage), response={"status": status})
        assert found.usage_quality == "missing"
        assert found.in_uncached is None


@pytest.mark.parametrize("status", ["Miss", "Bypass", "Refresh"])
def test_only_a_hit_is_not_billed(status: str) -> None:
    assert call(ai=proxy(cache={"cache_status": status})).in_uncached == 1200
    hit = call(ai=proxy(cache={"cache_status": "Hit"}))
    assert (hit.stage, hit.in_uncached, hit.usage_quality) == ("gateway_cache", 0, "exact")


def test_semantic_cache_of_another_plugin_counts_and_touches_its_embedding_model() -> None:
    cache = {"cache_status": "Hit", "embeddings_provider": "openai"}
    found = records(LINE | {"ai": proxy() | {"ai-semantic-cache": {"cache": cache}}})
    assert [type(r) for r in found] == [GatewayCall, SurfaceAccess]
    assert isinstance(found[1], SurfaceAccess)
    assert (found[1].surface, found[1].provider) == ("query_embedding", "openai")


def test_host_of_a_service_is_a_setting_and_proves_at_most_r1() -> None:
    [location] = [r for r in records(LINE | {"ai": proxy()}) if isinstance(r, InferenceLocation)]
    assert (location.region, location.strength) == ("eu-central-1", "R1")


@pytest.mark.parametrize("host", ["localhost", "eu.api.openai.com", ""])
def test_placeholder_host_says_nothing_about_the_place(host: str) -> None:
    found = records(LINE | {"ai": proxy(), "service": {"host": host}})
    assert [type(r) for r in found] == [GatewayCall]


def test_cache_reads_of_anthropic_make_an_estimate() -> None:
    cached = USAGE | {"prompt_tokens_details": {"cached_tokens": 1024}}
    assert call(ai=proxy(cached)).usage_quality == "estimated"
    assert call(ai=proxy(USAGE | {"prompt_tokens_details": {}})).usage_quality == "exact"


def test_total_that_is_not_the_sum_makes_an_estimate() -> None:
    assert call(ai=proxy(USAGE | {"total_tokens": 1300})).usage_quality == "estimated"


def test_same_line_without_a_request_id_is_the_same_call() -> None:
    line = {k: v for k, v in LINE.items() if k != "request"} | {"ai": proxy()}
    later = line | {"started_at": 1793613600121}
    ids = [r.call_id for r in records(line, line, later) if isinstance(r, GatewayCall)]
    assert ids[0] == ids[1] != ids[2]


def test_batch_of_http_log_is_read() -> None:
    body = json.dumps([LINE | {"ai": proxy()}] * 2).encode()
    assert sum(isinstance(r, GatewayCall) for r in KongAI().parse(body)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"started_at": None},
        {"started_at": 10**18},
        {"started_at": "soon"},
        {"ai": {"proxy": {"meta": META, "usage": {"prompt_tokens": 1.5}}}},
        {"ai": {"proxy": {"meta": META, "usage": {"prompt_tokens": 2**70}}}},
        {"ai": {"proxy": {"meta": META, "usage": {"time_to_first_token": 10**30}}}},
        {"ai": proxy(), "latencies": {"request": 10**16}},
        {"ai": proxy(), "response": {"status": "fine"}},
    ],
)
def test_row_that_cannot_be_read_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="row 2") as caught:
        records(LINE, LINE | changes)
    assert caught.value.fault is Fault.MALFORMED
