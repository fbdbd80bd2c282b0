from typing import Any

import pytest

from countersign.model import rfc3339

LOGS = "/litellm/spend/logs/v2"
DELIVERIES = "/beacons/v1/deliveries"


def test_paging_shows_every_row_once_in_order(demo: Any, client: Any) -> None:
    asked = {"start_date": "2026-09-07", "end_date": "2026-09-08", "sort_order": "asc"}
    first = client.get(LOGS, **asked, page_size=70).json()
    assert first["total_pages"] == -(-first["total"] // 70)
    rows = list(first["data"])
    for page in range(2, first["total_pages"] + 1):
        answer = client.get(LOGS, **asked, page_size=70, page=page).json()
        assert answer["page"] == page
        assert answer["total"] == first["total"]
        rows += answer["data"]
    expected = [
        r for r in demo.rows("litellm") if r["startTime"][:10] in {"2026-09-07", "2026-09-08"}
    ]
    assert {r["request_id"] for r in rows} == {r["request_id"] for r in expected}
    assert len(rows) == len(expected) == first["total"]
    assert [r["startTime"] for r in rows] == sorted(r["startTime"] for r in rows)


def test_both_dates_are_inclusive_and_the_newest_row_comes_first(client: Any) -> None:
    day = client.get(LOGS, start_date="2026-09-07", end_date="2026-09-07", page_size=1000).json()
    assert {row["startTime"][:10] for row in day["data"]} == {"2026-09-07"}
    stamps = [row["startTime"] for row in day["data"]]
    assert stamps == sorted(stamps, reverse=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"start_date": "yesterday"}, "Invalid date format"),
        ({"page_size": 1001}, "page_size"),
        ({"sort_by": "mood"}, "sort_by"),
        ({"end_date": ""}, "end_date"),
    ],
)
def test_wrong_parameters_are_refused_in_litellms_words(
    client: Any, wrong: dict[str, Any], message: str
) -> None:
    asked = {"start_date": "2026-09-07", "end_date": "2026-09-08", **wrong}
    answer = client.get(LOGS, **asked)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_deliveries_are_paged_by_cursor_with_an_exclusive_end(
    demo: Any, client: Any, last_week: Any
) -> None:
    start, end = rfc3339(last_week.start_us), rfc3339(last_week.end_us)
    pages = client.paged(DELIVERIES, "after", start=start, end=end, limit=300)
    rows = [row for page in pages for row in page["data"]]
    assert len(pages) > 3
    assert all(start <= row["started_at"] < end for row in rows)
    ids = [row["request_id"] for row in rows]
    expected = [r for r in demo.rows("beacons") if start <= r["started_at"] < end]
    assert ids == [r["request_id"] for r in expected]


def test_deliveries_have_the_contracts_fields(demo: Any) -> None:
    for row in demo.rows("beacons"):
        assert list(row) == [
            "request_id", "response_id", "meter", "tenant", "started_at", "ended_at", "ended",
            "rendered_characters", "rendered_tokens", "tokenizer", "served_by",
        ]  # fmt: skip
        assert row["ended"] in {"completed", "user_stop", "disconnect", "error"}
        assert (row["rendered_tokens"] is None) == (row["tokenizer"] is None)


def test_every_gateway_request_has_a_delivery_by_a_clock_that_runs_ahead(demo: Any) -> None:
    started = {row["litellm_call_id"]: row["startTime"] for row in demo.rows("litellm")}
    seen = {row["request_id"]: row["started_at"] for row in demo.rows("beacons")}
    assert set(started) == set(seen)
    ahead = [seen[call_id][:19] > stamp[:19] for call_id, stamp in started.items()]
    assert sum(ahead) > 0.95 * len(ahead)
