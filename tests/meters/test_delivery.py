"""The collecting endpoint: what it takes and refuses, what survives, and what a collector sees."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from countersign.meters.delivery import Deliveries, Settings
from countersign.meters.journal import Journal

Row = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def refusing(new_endpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One endpoint for everything that it must refuse: nothing may ever be in it."""
    with new_endpoint(tmp_path_factory.mktemp("refusing") / "deliveries") as running:
        yield running


def test_row_is_collected_as_it_was_posted(endpoint: Any, row: Row) -> None:
    assert endpoint.post(row(rendered_tokens=3, tokenizer="o200k_base")).status_code == 202
    [delivery] = endpoint.collected()
    assert delivery.request_id == "call-1"
    assert delivery.call_id == "chatcmpl-1"
    assert delivery.tenant == "aster-bank"
    assert delivery.ended == "user_stop"
    assert delivery.ended_at - delivery.started_at == 3_000_000
    assert (delivery.rendered_characters, delivery.rendered_tokens) == (12, 3)


def test_what_is_not_known_stays_unknown_and_zero_stays_zero(endpoint: Any, row: Row) -> None:
    endpoint.post(row("unknown", rendered_characters=None))
    endpoint.post(row("nothing", rendered_characters=0))
    found = {d.request_id: d.rendered_characters for d in endpoint.collected()}
    assert found == {"unknown": None, "nothing": 0}


def test_text_has_no_way_in(endpoint: Any, row: Row) -> None:
    endpoint.post(row(text="the answer", prompt="the question", messages=[{"content": "secret"}]))
    kept = b"".join(path.read_bytes() for path in endpoint.folder.iterdir())
    assert b"secret" not in kept
    assert set(endpoint.rows()[0]) == {
        "request_id", "response_id", "meter", "tenant", "started_at", "ended_at", "ended",
        "rendered_characters", "rendered_tokens", "tokenizer", "served_by",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"request_id": None}, 422, "request_id"),
        ({"request_id": "x" * 257}, 422, "request_id"),
        ({"request_id": "two\nlines"}, 422, "request_id"),
        ({"request_id": 7}, 422, "request_id"),
        ({"ended": "bored"}, 422, "ended"),
        ({"rendered_characters": -1}, 422, "rendered_characters"),
        ({"rendered_characters": True}, 422, "rendered_characters"),
        ({"rendered_characters": 1.5}, 422, "rendered_characters"),
        ({"rendered_characters": 10**400}, 422, "rendered_characters"),
        ({"started_at": "yesterday"}, 422, "started_at"),
        ({"started_at": "2026-11-09T10:00:00"}, 422, "started_at"),
        ({"started_at": "1971-01-01T00:00:00Z"}, 422, "started_at"),
        ({"started_at": "9999-12-31T23:59:59-14:00"}, 422, "started_at"),
        ({"ended_at": "1971-01-01T00:00:00Z"}, 422, "ended_at"),
        ({"served_by": "eu"}, 422, "served_by"),
        ({"tenant": "borealis-shop"}, 403, "tenant"),
        ({"meter": "gateway"}, 403, "meter"),
    ],
)
def test_wrong_field_is_named(
    refusing: Any, row: Row, fields: dict[str, Any], status: int, param: str
) -> None:
    answer = refusing.post(None, json=row(**fields))
    assert answer.status_code == status
    assert answer.json()["error"]["param"] == param
    assert refusing.rows() == []


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"content": b"{"}, 400),
        ({"content": b"[]"}, 400),
        ({"content": b""}, 400),
        ({"content": b"\xff\xfe"}, 400),
        ({"content": b"[" * 5_000}, 400),
        ({"content": b" " * 8_193}, 413),
        ({"content": iter([b" " * 5_000] * 3)}, 413),
        ({"params": {"key": "pk_other"}}, 401),
        ({"params": {}}, 401),
        ({"headers": {"Authorization": "Bearer wrong"}, "params": {}}, 401),
        ({"headers": {"Origin": "https://elsewhere.example"}}, 403),
    ],
)
def test_wrong_request_gets_a_clear_error(
    refusing: Any, row: Row, options: dict[str, Any], status: int
) -> None:
    given = {"json": row()} if "content" not in options else {"json": None}
    answer = refusing.post(None, **(given | options))
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert refusing.rows() == []


def test_unknown_paths_and_methods_are_refused(refusing: Any) -> None:
    assert httpx.get(f"{refusing.url}/").status_code == 404
    assert httpx.delete(f"{refusing.url}/v1/deliveries").status_code == 405


@pytest.mark.parametrize(
    "params",
    [
        {"start": "today"}, {"end": "2026-11-09"}, {"limit": "0"}, {"limit": "many"},
        {"after": "nonsense"}, {"after": "2026-11-09.1x"}, {"after": "2026-13-09.1"},
    ],
)  # fmt: skip
def test_wrong_question_is_refused(refusing: Any, params: dict[str, str]) -> None:
    assert refusing.get(**params).status_code == 400


def test_cursor_between_two_rows_only(endpoint: Any, row: Row) -> None:
    endpoint.post(row())
    inside = f"{datetime.now(UTC).date()}.5"
    assert endpoint.get(after=inside).status_code == 400


def test_reading_needs_the_reading_key(refusing: Any) -> None:
    asked = {"start": "2026-11-09T00:00:00Z", "end": "2026-11-10T00:00:00Z"}
    for key in ("none", "wrong", "post-key", "pk_aster"):
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.get(f"{refusing.url}/v1/deliveries", params=asked, headers=headers)
        assert answer.status_code == 401


def test_gateway_posts_many_rows_for_any_tenant(endpoint: Any, row: Row) -> None:
    rows = [row(f"call-{n}", meter="gateway", tenant=f"tenant-{n}") for n in range(3)]
    body = b"".join(json.dumps(item).encode() + b"\n" for item in rows)
    bearer = {"Authorization": "Bearer post-key"}
    answer = endpoint.post(None, json=None, params={}, content=body, headers=bearer)
    assert answer.json() == {"taken": 3}
    assert [r["tenant"] for r in endpoint.rows()] == ["tenant-0", "tenant-1", "tenant-2"]


def test_one_wrong_row_of_many_keeps_none(refusing: Any, row: Row) -> None:
    """Half a batch would be kept twice when the meter sends it again."""
    body = f"{json.dumps(row())}\n{json.dumps(row(ended='bored'))}\n".encode()
    bearer = {"Authorization": "Bearer post-key"}
    assert refusing.post(None, json=None, content=body, headers=bearer).status_code == 422
    assert refusing.rows() == []


def test_address_that_posts_too_often_is_told_to_wait(endpoint: Any, row: Row) -> None:
    with httpx.Client() as client:
        url, key = f"{endpoint.url}/v1/deliveries", {"key": "pk_aster"}
        statuses = [client.post(url, params=key, json=row(f"{n}")) for n in range(90)]
    assert statuses[0].status_code == 202
    refused = next(answer for answer in statuses if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"


def test_pages_show_each_row_once_while_more_arrive(endpoint: Any, row: Row) -> None:
    """Later rows may have begun earlier: the order is that of arrival, so nothing shifts."""
    for number in range(6):
        endpoint.post(row(f"early-{number}"))
    seen, after = [], None
    for late in range(20):
        page = endpoint.get(limit=2, **({"after": after} if after else {})).json()
        seen += [r["request_id"] for r in page["data"]]
        if late < 4:
            started = (datetime.now(UTC) - timedelta(minutes=late + 1)).isoformat()
            endpoint.post(row(f"late-{late}", started_at=started))
        after = page["next"]
        if after is None:
            break
    assert seen == [f"early-{n}" for n in range(6)] + [f"late-{n}" for n in range(4)]


def test_connector_follows_pages_to_the_end(endpoint: Any, row: Row) -> None:
    for number in range(7):
        endpoint.post(row(f"call-{number}"))
    assert len(endpoint.collected(limit=3)) == 7


def test_span_is_half_open_by_the_start_of_the_answer(endpoint: Any, row: Row) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    endpoint.post(row("at", started_at=at.isoformat()))
    second = timedelta(seconds=1)
    spans = [(at, at + second), (at - second, at)]
    counts = [
        len(endpoint.get(start=start.isoformat(), end=end.isoformat()).json()["data"])
        for start, end in spans
    ]
    assert counts == [1, 0]


def test_acknowledged_rows_survive_a_kill(endpoint: Any, row: Row, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: endpoint.post(row(f"call-{n}")), range(40)))
    os.kill(endpoint.process.pid, signal.SIGKILL)
    kept = b"".join(path.read_bytes() for path in endpoint.folder.iterdir())
    ids = {json.loads(line)["request_id"] for line in kept.splitlines()}
    assert ids == {f"call-{n}" for n in range(40)}
    assert all(answer.status_code == 202 for answer in answers)


def test_final_row_replaces_a_provisional_one(endpoint: Any, row: Row) -> None:
    endpoint.post(row(ended="disconnect", provisional=True, rendered_characters=4))
    assert endpoint.rows() == []
    endpoint.post(row(ended="completed", rendered_characters=9))
    [kept] = endpoint.rows()
    assert (kept["ended"], kept["rendered_characters"]) == ("completed", 9)


def test_provisional_row_that_nothing_follows_is_kept_at_the_end(endpoint: Any, row: Row) -> None:
    endpoint.post(row(ended="disconnect", provisional=True, rendered_characters=4))
    endpoint.process.terminate()
    endpoint.process.wait(20)
    [path] = endpoint.folder.iterdir()
    assert json.loads(path.read_bytes())["rendered_characters"] == 4


def test_endpoint_without_a_place_to_write_says_so(tmp_path: Path, row: Row) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = Settings(reading_keys=("r",), public_keys={"pk_aster": "aster-bank"})
    app = Deliveries(Journal(tmp_path / "file", _now), settings, _now)
    answer = _ask(app, row())
    assert answer.status_code == 503
    assert "not kept" in answer.json()["error"]["message"]


def _now() -> datetime:
    return datetime.now(UTC)


def _ask(app: Any, document: dict[str, Any], mount: str = "") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://meters") as client:
            return await client.post(f"{mount}/v1/deliveries?key=pk_aster", json=document)

    return asyncio.run(ask())


def test_mounted_in_another_app(tmp_path: Path, row: Row) -> None:
    routing = pytest.importorskip("starlette.routing")
    applications = pytest.importorskip("starlette.applications")
    settings = Settings(reading_keys=("r",), public_keys={"pk_aster": "aster-bank"})
    meters = Deliveries(Journal(tmp_path / "rows", _now), settings, _now)
    app = applications.Starlette(routes=[routing.Mount("/meters", meters)])
    assert _ask(app, row(), "/meters").status_code == 202
    assert len(list((tmp_path / "rows").iterdir())) == 1
