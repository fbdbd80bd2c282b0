"""The providers' usage and cost APIs, read over HTTP, against the providers' own books."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from countersign import world
from countersign.model import Window, moment, rfc3339

OPENAI = "/openai/v1/organization/usage/completions"
OPENAI_COSTS = "/openai/v1/organization/costs"
ANTHROPIC = "/anthropic/v1/organizations/usage_report/messages"
ANTHROPIC_COST = "/anthropic/v1/organizations/cost_report"
GROUPS = ["project_id", "api_key_id", "model", "batch", "service_tier"]
ANTHROPIC_GROUPS = ["api_key_id", "workspace_id", "model", "service_tier", "inference_geo"]


def booked(demo: Any, provider: str, days: list[Any]) -> Counter[str]:
    """The books of some days, all entries, whatever their posting time."""
    total: Counter[str] = Counter()
    for day in days:
        document = json.loads((demo.folder / "books" / f"{day}.json").read_text("utf-8"))
        for _, _, place, uncached, read, write_5m, write_1h, output in document["entries"]:
            if document["groups"][place][0] == provider:
                total += Counter(
                    uncached=uncached, read=read, write_5m=write_5m, write_1h=write_1h,
                    output=output, requests=1,
                )  # fmt: skip
    return total


@pytest.fixture
def later(demo: Any, client: Any) -> Any:
    """The same world a week after its end: everything is final."""
    now = datetime(2026, 9, 21, tzinfo=UTC)
    with (
        world.serve(demo.folder, now=now, throttle_every=0, truncate_every=0) as server,
        httpx.Client(base_url=server.url) as http,
    ):
        yield type(client)(http)


def openai_usage(client: Any, window: Any, **more: Any) -> list[dict[str, Any]]:
    asked = {"start_time": window.start_us // 10**6, "end_time": window.end_us // 10**6}
    pages = client.paged(OPENAI, "page", **asked, bucket_width="1h", group_by=GROUPS, **more)
    return [bucket for page in pages for bucket in page["data"]]


def anthropic_usage(client: Any, window: Any, **more: Any) -> list[dict[str, Any]]:
    asked = {"starting_at": rfc3339(window.start_us), "ending_at": rfc3339(window.end_us)}
    groups = {"group_by[]": ANTHROPIC_GROUPS}
    pages = client.paged(ANTHROPIC, "page", **asked, bucket_width="1h", **groups, **more)
    return [bucket for page in pages for bucket in page["data"]]


def test_openai_buckets_are_paged_once_each_by_the_limit_rules(client: Any, last_week: Any) -> None:
    asked = {"start_time": last_week.start_us // 10**6, "end_time": last_week.end_us // 10**6}
    pages = client.paged(OPENAI, "page", **asked, bucket_width="1h", group_by=GROUPS)
    assert [len(page["data"]) for page in pages] == [24] * 7
    assert [page["has_more"] for page in pages] == [True] * 6 + [False]
    starts = [bucket["start_time"] for page in pages for bucket in page["data"]]
    assert starts == [asked["start_time"] + 3600 * hour for hour in range(168)]
    assert client.get(OPENAI, **asked, bucket_width="1h", limit=168).json()["has_more"] is False
    assert client.get(OPENAI, **asked, bucket_width="1h", limit=169).status_code == 400


def test_openai_results_have_the_documented_fields(client: Any, last_week: Any) -> None:
    results = [r for bucket in openai_usage(client, last_week) for r in bucket["results"]]
    for result in results:
        assert result["object"] == "organization.usage.completions.result"
        parts = ("input_uncached_tokens", "input_cached_tokens", "input_cache_write_tokens")
        assert result["input_tokens"] == sum(result[part] for part in parts)
        assert result["user_id"] is None
        assert result["batch"] is False
    assert {r["api_key_id"] for r in results} == {"key_eu_prod", "key_us_prod", "key_shadow_lab"}


def test_final_openai_usage_is_the_sum_of_the_providers_books(
    demo: Any, later: Any, span: Any
) -> None:
    total: Counter[str] = Counter()
    for bucket in openai_usage(later, span, limit=168):
        for r in bucket["results"]:
            total += Counter(
                uncached=r["input_uncached_tokens"],
                read=r["input_cached_tokens"],
                output=r["output_tokens"],
                requests=r["num_model_requests"],
            )
    assert total == booked(demo, "openai", list(span.days()))


def test_final_anthropic_usage_is_the_sum_of_the_providers_books(
    demo: Any, later: Any, span: Any
) -> None:
    total: Counter[str] = Counter()
    for bucket in anthropic_usage(later, span, limit=168):
        for r in bucket["results"]:
            total += Counter(
                uncached=r["uncached_input_tokens"],
                read=r["cache_read_input_tokens"],
                write_5m=r["cache_creation"]["ephemeral_5m_input_tokens"],
                write_1h=r["cache_creation"]["ephemeral_1h_input_tokens"],
                output=r["output_tokens"],
            )
            assert r["context_window"] is None
            assert r["inference_geo"] == "global"
    expected = booked(demo, "anthropic", list(span.days()))
    del expected["requests"]
    assert total == expected


def test_recent_buckets_are_incomplete_and_some_change_for_three_days(
    client: Any, later: Any, span: Any
) -> None:
    now, final = openai_usage(client, span, limit=168), openai_usage(later, span, limit=168)
    by_day: Counter[str] = Counter()
    for before, after in zip(now, final, strict=True):
        assert before["start_time"] == after["start_time"]
        if before != after:
            by_day[moment(before["start_time"] * 10**6).date().isoformat()] += 1
    assert by_day["2026-09-13"] >= 3
    assert set(by_day) <= {"2026-09-11", "2026-09-12", "2026-09-13"}
    total = [sum(r["input_tokens"] for b in page for r in b["results"]) for page in (now, final)]
    assert total[0] < total[1]


def test_buckets_older_than_three_days_never_change(client: Any, later: Any) -> None:
    window = Window.parse("2026-08-31/2026-09-11")
    assert openai_usage(client, window, limit=168) == openai_usage(later, window, limit=168)
    assert anthropic_usage(client, window, limit=168) == anthropic_usage(later, window, limit=168)


def test_openai_costs_are_usage_at_list_price(later: Any, last_week: Any) -> None:
    asked = {"start_time": last_week.start_us // 10**6, "end_time": last_week.end_us // 10**6}
    pages = later.paged(OPENAI_COSTS, "page", **asked, group_by=["project_id", "line_item"])
    results = [r for page in pages for bucket in page["data"] for r in bucket["results"]]
    usage = [r for b in openai_usage(later, last_week) for r in b["results"]]
    expected = sum(
        Decimal(r["input_uncached_tokens"]) * 750_000
        + Decimal(r["input_cached_tokens"]) * 75_000
        + Decimal(r["output_tokens"]) * 4_800_000
        for r in usage
    )
    total = sum(Decimal(str(r["amount"]["value"])) for r in results)
    assert total == expected / 10**12
    assert {r["amount"]["currency"] for r in results} == {"usd"}
    assert {r["project_id"] for r in results} == {"proj_eu", "proj_us", "proj_research"}
    assert {r["line_item"] for r in results} == {
        f"gpt-5.4-mini-2026-03-17, {item}"
        for item in ("input_tokens", "cached_input_tokens", "output_tokens")
    }


def test_anthropic_costs_are_cents_as_text_by_token_type(later: Any, last_week: Any) -> None:
    asked = {"starting_at": rfc3339(last_week.start_us), "ending_at": rfc3339(last_week.end_us)}
    groups = {"group_by[]": ["workspace_id", "description"]}
    pages = later.paged(ANTHROPIC_COST, "page", **asked, **groups)
    results = [r for page in pages for bucket in page["data"] for r in bucket["results"]]
    output = sum(
        r["output_tokens"] for b in anthropic_usage(later, last_week) for r in b["results"]
    )
    charged = sum(Decimal(r["amount"]) for r in results if r["token_type"] == "output_tokens")
    assert all(isinstance(r["amount"], str) for r in results)
    assert charged == Decimal(output) * 10 / 10**6 * 100
    assert {r["workspace_id"] for r in results} == {"wrkspc_prod"}


def test_without_grouping_there_is_one_result_with_null_keys(client: Any, last_week: Any) -> None:
    asked = {"start_time": last_week.start_us // 10**6, "end_time": last_week.end_us // 10**6}
    page = client.get(OPENAI, **asked, bucket_width="1d").json()
    assert [len(bucket["results"]) for bucket in page["data"]] == [1] * 7
    assert all(b["results"][0]["api_key_id"] is None for b in page["data"])


def test_a_span_without_traffic_has_empty_buckets(client: Any) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    asked = {
        "start_time": int(start.timestamp()),
        "end_time": int((start + timedelta(days=1)).timestamp()),
    }
    page = client.get(OPENAI, **asked, bucket_width="1h").json()
    assert [bucket["results"] for bucket in page["data"]] == [[]] * 24


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (OPENAI, {"start_time": "soon"}),
        (OPENAI, {"start_time": 1, "end_time": 2, "bucket_width": "1y"}),
        (OPENAI, {"start_time": 1, "end_time": 2, "group_by": "mood"}),
        (OPENAI, {"start_time": 1, "end_time": 2, "page": "page_nonsense"}),
        (OPENAI_COSTS, {"start_time": 1, "end_time": 2, "bucket_width": "1h"}),
        (ANTHROPIC, {"starting_at": "once"}),
        (ANTHROPIC, {"starting_at": "2026-09-07T00:00:00Z", "limit": 32}),
    ],
)
def test_wrong_parameters_are_refused(client: Any, path: str, params: dict[str, Any]) -> None:
    answer = client.get(path, **params)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
