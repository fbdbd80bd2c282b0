"""Rows and payloads against what was measured on the real proxy."""

from collections import Counter
from typing import Any

from countersign.world import text
from countersign.world.installation import CLAUDE, GPT, PriceList

COLUMNS = {
    "request_id", "litellm_call_id", "call_type", "api_key", "spend", "total_tokens",
    "prompt_tokens", "completion_tokens", "startTime", "endTime", "completionStartTime",
    "request_duration_ms", "model", "model_id", "model_group", "custom_llm_provider", "api_base",
    "user", "team_id", "organization_id", "end_user", "agent_id", "metadata", "cache_hit",
    "cache_key", "request_tags", "requester_ip_address", "session_id", "status",
    "mcp_namespaced_tool_name",
}  # fmt: skip


def by_class(small: Any, name: str) -> list[dict[str, Any]]:
    wanted = {e["subjects"][0] for e in small.truth["planted"] if e.get("class") == name}
    return [row for row in small.rows("litellm") if row["litellm_call_id"] in wanted]


def code(row: dict[str, Any]) -> str | None:
    return (row["metadata"]["error_information"] or {}).get("error_code")


def test_rows_have_the_columns_of_the_api_and_no_text(demo: Any) -> None:
    assert all(set(row) == COLUMNS for row in demo.rows("litellm"))


def test_totals_add_up_and_cached_tokens_are_inside_the_prompt(demo: Any) -> None:
    for row in demo.rows("litellm"):
        usage = row["metadata"]["usage_object"]
        assert row["total_tokens"] == row["prompt_tokens"] + row["completion_tokens"]
        assert usage["prompt_tokens"] == row["prompt_tokens"]
        assert usage["prompt_tokens_details"]["cached_tokens"] <= row["prompt_tokens"]
        reasoning = usage["completion_tokens_details"].get("reasoning_tokens", 0)
        assert reasoning <= row["completion_tokens"]


def test_spend_is_logged_tokens_at_list_price(demo: Any, span: Any) -> None:
    prices = PriceList(span.start)
    for row in demo.rows("litellm"):
        unit = prices.of((GPT if "gpt" in row["model"] else CLAUDE).name, span.start)
        details = row["metadata"]["usage_object"]["prompt_tokens_details"]
        split = details.get("cache_creation_token_details", {})
        parts = (
            details["cached_tokens"],
            split.get("ephemeral_5m_input_tokens", 0),
            split.get("ephemeral_1h_input_tokens", 0),
        )
        counts = (row["prompt_tokens"] - sum(parts), *parts, row["completion_tokens"])
        expected = sum(price * n for price, n in zip(unit, counts, strict=True))
        assert round(row["spend"] * 10**12) == expected


def test_stopped_streams_are_successes_with_code_499(demo: Any) -> None:
    for name in ("stop-usage-asked", "stop-usage-not-asked", "closed-before-first-chunk"):
        rows = by_class(demo, name)
        assert rows
        assert {(row["status"], code(row)) for row in rows} == {("success", "499")}
    assert {row["completion_tokens"] for row in by_class(demo, "closed-before-first-chunk")} == {0}


def test_readers_who_stop_the_screen_or_leave_a_whole_answer_log_plain_successes(
    demo: Any,
) -> None:
    for name in ("stop-on-screen-only", "client-closed-non-stream"):
        rows = by_class(demo, name)
        assert rows
        assert {(row["status"], code(row)) for row in rows} == {("success", None)}
    assert {r["cache_hit"] for r in by_class(demo, "client-closed-non-stream")} == {"None"}


def test_a_broken_stream_is_a_failure_with_tokens_that_lost_the_provider_id(demo: Any) -> None:
    failures = [row for row in demo.rows("litellm") if row["status"] == "failure"]
    assert failures
    for row in failures:
        assert row["request_id"] == row["litellm_call_id"]
        assert row["completion_tokens"] > 0
        assert row["spend"] > 0
        assert code(row) == "500"
    shown = {row["request_id"]: row for row in demo.rows("beacons")}
    assert all(shown[row["litellm_call_id"]]["response_id"] for row in failures)


def test_each_request_has_one_row_except_those_logged_twice(demo: Any) -> None:
    counts = Counter(row["litellm_call_id"] for row in demo.rows("litellm"))
    twice = {call_id for call_id, rows in counts.items() if rows != 1}
    planted = {e["subjects"][0] for e in demo.planted("double-logged")}
    assert twice == planted
    assert planted
    for call_id in planted:
        first, surplus = sorted(
            (r for r in demo.rows("litellm") if r["litellm_call_id"] == call_id),
            key=lambda r: r["metadata"]["attempted_retries"],
        )
        assert surplus["request_id"] == call_id
        assert first["request_id"].startswith("chatcmpl-")
        assert surplus["metadata"]["usage_object"] == first["metadata"]["usage_object"]
        assert surplus["metadata"]["attempted_retries"] == 1


def test_request_ids_are_unique(demo: Any) -> None:
    ids = [row["request_id"] for row in demo.rows("litellm")]
    assert len(ids) == len(set(ids))


def test_intent_is_on_the_wire_for_one_tenant_only(demo: Any) -> None:
    tagged = {
        row["metadata"]["user_api_key_team_alias"]
        for row in demo.rows("litellm")
        if any(tag.startswith("intent:") for tag in row["request_tags"])
    }
    assert tagged == {"borealis-shop"}


def test_the_failover_shows_where_the_calls_went_and_what_was_asked(demo: Any) -> None:
    (entry,) = demo.planted("out-of-region")
    rows = {row["litellm_call_id"]: row for row in demo.rows("litellm")}
    hit = [rows[call_id] for call_id in entry["subjects"]]
    assert len(hit) >= 20
    for row in hit:
        assert row["model_group"] == "chat-us"
        assert row["api_base"].startswith("https://us.api.openai.com/v1")
        assert row["metadata"]["original_model_group"] == "chat-eu"
        assert row["metadata"]["attempted_fallbacks"] == 1
    others = [
        row
        for call_id, row in rows.items()
        if row["team_id"] == "team-aster" and call_id not in set(entry["subjects"])
    ]
    assert {row["model_group"] for row in others} == {"chat-eu"}


def test_answers_of_complete_openai_calls_have_the_billed_number_of_tokens(demo: Any) -> None:
    checked = 0
    for payload in demo.payloads():
        usage = payload["response"].get("usage")
        if payload["custom_llm_provider"] != "openai" or usage is None:
            continue
        (choice,) = payload["response"]["choices"]
        reasoning = usage["completion_tokens_details"].get("reasoning_tokens", 0)
        counted = text.tokenizer().count(choice["message"]["content"])
        assert counted == usage["completion_tokens"] - reasoning
        checked += 1
    assert checked > 500


def test_prompts_have_no_more_tokens_than_are_billed(demo: Any) -> None:
    for payload in demo.payloads():
        typed = payload["messages"][1]["content"]
        assert text.tokenizer().count(typed) < payload["prompt_tokens"]


def test_hostile_and_giant_prompts_travel(demo: Any) -> None:
    prompts = [payload["messages"][1]["content"] for payload in demo.payloads()]
    assert sum(len(prompt.encode()) >= 1_000_000 for prompt in prompts) == 1
    carried = {snippet for snippet in text.HOSTILE for prompt in prompts if snippet in prompt}
    assert len(carried) >= 4


def test_payload_and_row_say_the_same(demo: Any) -> None:
    payloads = {payload["id"]: payload for payload in demo.payloads()}
    rows = demo.rows("litellm")
    assert len(payloads) == len(rows)
    for row in rows:
        payload = payloads[row["request_id"]]
        assert payload["metadata"] == row["metadata"]
        assert payload["trace_id"] == row["session_id"]
        assert payload["response_cost"] == row["spend"]
