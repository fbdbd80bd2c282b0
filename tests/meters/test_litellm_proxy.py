"""A real LiteLLM proxy: its meter against what clients received and what the provider billed.

Behind it a provider with exact books, before it clients that stop half way; beside it LiteLLM's
own account of the same calls, read by the `litellm` connector from its API, its table in
PostgreSQL, and its logging payloads.
"""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from countersign import meters
from countersign.connectors.delivery_beacon import DeliveryBeacon
from countersign.connectors.litellm import LiteLLM
from countersign.model import Window
from countersign.pipeline.database import Postgres
from countersign.pipeline.fetch import HttpFetch
from countersign.pipeline.folder import DiskFolder
from countersign.records import Delivery, GatewayCall

WORDS, STOP_AFTER = 120, 9
LETTERS = 6
"""Every word of the provider has five letters and a space, and is one token."""
KEY = {"Authorization": "Bearer sk-master"}
STREAMED = ("complete", "no-usage", "retry", "stop", "drain", "before", "silent", "broken")


@dataclass(frozen=True)
class Received:
    """What one client got."""

    characters: int = 0
    response_id: str | None = None
    status: int | None = None
    saw_error: bool = False


def ask(url: str, name: str, *, stop_after: int | None = None, **order: Any) -> Received:
    """Ask for a stream and read it, or some of it; the call's id is the name."""
    usage = {"stream_options": {"include_usage": True}} if order.pop("usage", True) else {}
    patience_s = order.pop("patience_s", 60)
    headers = KEY | {"x-litellm-call-id": name}
    body = question(name, order) | {"stream": True} | usage
    characters, response_id, saw_error = 0, None, False
    try:
        with (
            httpx.Client(timeout=patience_s) as client,
            client.stream("POST", url, json=body, headers=headers) as answer,
        ):
            for line in answer.iter_lines():
                piece = json.loads(line[6:]) if line.startswith("data: {") else {}
                saw_error |= "error" in piece
                response_id = piece.get("id", response_id)
                for choice in piece.get("choices", []):
                    characters += len(choice["delta"].get("content") or "")
                if stop_after is not None and characters >= stop_after * LETTERS:
                    break
            return Received(characters, response_id, answer.status_code, saw_error)
    except httpx.ReadTimeout:
        return Received(characters, response_id)


def ask_whole(url: str, name: str, *, patience_s: float = 60, **order: Any) -> Received:
    """Ask for an answer in one piece."""
    headers = KEY | {"x-litellm-call-id": name}
    try:
        answer = httpx.post(url, json=question(name, order), headers=headers, timeout=patience_s)
    except httpx.ReadTimeout:
        return Received()
    if not answer.is_success:
        return Received(status=answer.status_code, saw_error=True)
    said = answer.json()
    return Received(len(said["choices"][0]["message"]["content"]), said["id"], answer.status_code)


def question(name: str, order: Mapping[str, Any]) -> dict[str, Any]:
    told = {"name": name, "words": WORDS, "pause_ms": 10, **order}
    return {
        "model": "chat-eu",
        "user": "user-7",
        "messages": [{"role": "user", "content": json.dumps(told)}],
    }


LONG = {"words": 500, "pause_ms": 15}
"""Long enough that a busy proxy hears of the close before the end."""
CALLS: dict[str, Callable[[str, str], Received]] = {
    "complete": ask,
    "no-usage": lambda url, name: ask(url, name, usage=False),
    "retry": lambda url, name: ask(url, name, fail_first=1),
    "stop": lambda url, name: ask(url, name, stop_after=STOP_AFTER, **LONG),
    "drain": lambda url, name: ask(url, name, stop_after=STOP_AFTER, drain=True, **LONG),
    "before": lambda url, name: ask(url, name, patience_s=0.7, first_ms=3_000, drain=True),
    "silent": lambda url, name: ask(url, name, patience_s=0.7, silent_ms=3_000, drain=True),
    "broken": lambda url, name: ask(url, name, break_after=7),
    "whole": ask_whole,
    "gone": lambda url, name: ask_whole(url, name, patience_s=0.5),
    "lost": lambda url, name: ask_whole(url, name, lose_first=1),
    "failed": lambda url, name: ask_whole(url, name, fail_first=9),
}


@dataclass(frozen=True)
class Run:
    """Every call once, and each side's account of it."""

    gateway: Any
    received: dict[str, Received]
    billed: dict[str, int]
    deliveries: dict[str, Delivery]


@pytest.fixture(scope="module")
def gateway(
    new_gateway: Any, spend_database: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("gateway")
    meter = {"COUNTERSIGN_METER_FOLDER": str(folder / "deliveries")}
    with new_gateway(folder, meter, spend_database) as running:
        print(f"{running.version}, database: {running.database or 'none'}")
        yield running


@pytest.fixture(scope="module")
def run(gateway: Any, until: Any) -> Run:
    url = f"{gateway.url}/v1/chat/completions"
    ask(url, "first", words=1)  # a new proxy takes seconds for its first call
    with ThreadPoolExecutor(3) as pool:
        asked = {name: pool.submit(call, url, name) for name, call in CALLS.items()}
        received = {name: answer.result() for name, answer in asked.items()}
    until(lambda: all(book["done"] for book in gateway.books()), "the provider's end")
    expected = {*STREAMED, "failed"}
    found = until(
        lambda: (
            {d.request_id: d for d in delivered(gateway)}.keys() >= expected
            and {d.request_id: d for d in delivered(gateway)}
        ),
        "a row of every call",
    )
    billed = dict.fromkeys(CALLS, 0)
    for book in gateway.books():
        billed[book["name"]] = billed.get(book["name"], 0) + book["billed"]
    return Run(gateway, received, billed, found)


def days() -> Window:
    today = datetime.now(UTC).date()
    return Window(today - timedelta(days=1), today + timedelta(days=1))


def delivered(gateway: Any) -> list[Delivery]:
    """What the connector reads from the meter's drop folder."""
    if not gateway.drop.is_dir():
        return []
    connector = DeliveryBeacon()
    pages = connector.export(DiskFolder("beacons", gateway.drop), days())
    found = [record for page in pages for record in connector.parse(page)]
    return [record for record in found if isinstance(record, Delivery)]


@pytest.mark.parametrize("name", ["complete", "no-usage", "retry"])
def test_complete_stream_is_what_the_client_got_and_the_provider_billed(
    run: Run, name: str
) -> None:
    row = run.deliveries[name]
    assert row.rendered_characters == run.received[name].characters == WORDS * LETTERS
    assert row.rendered_tokens == run.billed[name] == WORDS
    assert (row.ended, row.meter, row.tokenizer) == ("completed", "gateway", "o200k_base")


@pytest.mark.parametrize("name", ["stop", "drain"])
def test_stopped_stream_is_between_what_the_client_got_and_the_bill(run: Run, name: str) -> None:
    row = run.deliveries[name]
    assert row.ended == "disconnect"
    assert row.rendered_tokens is not None
    assert row.rendered_characters == row.rendered_tokens * LETTERS
    assert run.received[name].characters <= row.rendered_characters
    assert row.rendered_tokens < run.billed[name]
    if name == "drain":
        assert run.billed[name] == LONG["words"]


@pytest.mark.parametrize("name", ["before", "silent"])
def test_stream_closed_before_its_first_piece_showed_nothing_and_was_billed(
    run: Run, name: str
) -> None:
    """Also where the provider kept silent until its first word, so that LiteLLM still took it."""
    row = run.deliveries[name]
    assert (row.ended, row.rendered_characters, row.rendered_tokens) == ("disconnect", 0, 0)
    assert run.received[name] == Received()
    assert run.billed[name] == WORDS


def test_broken_stream_says_error_and_what_came_before_it(run: Run) -> None:
    row = run.deliveries["broken"]
    assert row.ended == "error"
    assert run.received["broken"].saw_error
    assert run.billed["broken"] == 7
    assert row.rendered_characters == run.received["broken"].characters <= 7 * LETTERS


def test_failed_call_showed_nothing(run: Run) -> None:
    row = run.deliveries["failed"]
    assert (row.ended, row.rendered_characters) == ("error", 0)
    assert run.received["failed"].status == 500


def test_what_is_not_streamed_has_no_row(run: Run) -> None:
    """LiteLLM finishes such a call and cannot tell whether its client is still there."""
    assert run.received["gone"] == Received()
    assert run.billed["gone"] == run.billed["whole"] == WORDS
    assert run.deliveries.keys().isdisjoint({"whole", "gone", "lost"})


def test_each_call_has_one_row(run: Run) -> None:
    counted = [row.request_id for row in delivered(run.gateway)]
    assert sorted(counted) == sorted(set(counted))


def test_row_names_the_answer_as_the_client_saw_it(run: Run) -> None:
    for name in ("complete", "no-usage", "retry", "stop", "drain", "broken"):
        assert run.deliveries[name].call_id == run.received[name].response_id


def test_rows_hold_no_text(run: Run) -> None:
    kept = b"".join(path.read_bytes() for path in run.gateway.drop.rglob("*.jsonl"))
    assert b"river" not in kept
    assert b"user-7" not in kept


def test_full_disk_holds_up_no_answer_and_loses_no_row(run: Run, until: Any) -> None:
    away = run.gateway.drop.rename(run.gateway.folder / "away")
    run.gateway.drop.write_text("in the way")
    answer = ask(f"{run.gateway.url}/v1/chat/completions", "disk", words=5)
    assert answer.characters == 5 * LETTERS
    log = run.gateway.folder / "proxy.log"
    until(lambda: b"delivery meter: rows wait" in log.read_bytes(), "a warning in the log")
    run.gateway.drop.unlink()
    away.rename(run.gateway.drop)
    until(lambda: [row for row in delivered(run.gateway) if row.request_id == "disk"], "the row")


@pytest.mark.parametrize(
    "settings",
    [{}, {"COUNTERSIGN_METER_FOLDER": "rows", "COUNTERSIGN_METER_URL": "https://meters.example"}],
)
def test_meter_without_one_place_to_write_to_stops_the_start(
    litellm: Path, settings: dict[str, str]
) -> None:
    command = [str(litellm / "venv" / "bin" / "python"), "-c"]
    command += ["from countersign.meters.litellm_callback import meter"]
    plugins = str(Path(meters.__file__).parents[2])
    given = {"PATH": "", "PYTHONPATH": plugins, "LITELLM_LOCAL_MODEL_COST_MAP": "True", **settings}
    ended = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "set one of COUNTERSIGN_METER_FOLDER and COUNTERSIGN_METER_URL" in ended.stderr


def test_rows_can_be_posted_to_the_endpoint(
    new_gateway: Any, new_endpoint: Any, until: Any, tmp_path: Path
) -> None:
    (tmp_path / "proxy").mkdir()
    with new_endpoint(tmp_path / "deliveries") as endpoint:
        posting = {"COUNTERSIGN_METER_URL": f"{endpoint.url}/v1/deliveries"}
        posting |= {"COUNTERSIGN_METER_KEY": "post-key"}
        with new_gateway(tmp_path / "proxy", posting) as running:
            url = f"{running.url}/v1/chat/completions"
            received = ask(url, "posted", stop_after=STOP_AFTER)
            [row] = until(endpoint.collected, "the posted row")
    assert row.rendered_characters >= received.characters
    assert (row.request_id, row.meter, row.ended) == ("posted", "gateway", "disconnect")


def by_api(gateway: Any) -> dict[str, GatewayCall]:
    connector = LiteLLM()
    fetch = HttpFetch.bound("litellm", gateway.url, connector.credential_header, "sk-master")
    return read(connector, connector.pages(fetch, days()))


def by_table(gateway: Any) -> dict[str, GatewayCall]:
    connector = LiteLLM()
    address = gateway.database.replace("litellm@", "")
    database = Postgres.bound("litellm", address, "litellm:unused")
    return read(connector, connector.select(database, days()))


def by_payloads(gateway: Any) -> dict[str, GatewayCall]:
    return read(LiteLLM(), iter([gateway.payloads.read_bytes()]))


def read(connector: LiteLLM, pages: Iterator[bytes]) -> dict[str, GatewayCall]:
    found = [record for page in pages for record in connector.parse(page)]
    calls = [record for record in found if isinstance(record, GatewayCall)]
    asked = {call.request_id: call for call in calls if call.request_id in CALLS}
    assert len(asked) == len([call for call in calls if call.request_id in CALLS])
    return asked


@pytest.fixture(scope="module")
def logged(run: Run, until: Any) -> dict[str, dict[str, GatewayCall]]:
    """LiteLLM's account of the calls, read in its three forms."""
    if run.gateway.database is None:
        pytest.skip("no PostgreSQL, or no Node for the proxy's way to it")
    pytest.importorskip("psycopg", reason="psycopg, the extra [postgres], is not installed")
    expected = CALLS.keys() - {"before"}
    readers = {"api": by_api, "table": by_table, "payloads": by_payloads}
    return {
        name: until(
            lambda read=reader: (found := read(run.gateway)).keys() >= expected and found,
            f"all calls by {name}",
        )
        for name, reader in readers.items()
    }


SAME = (
    "call_id", "request_id", "provider", "model_requested", "model_resolved",
    "provider_request_id", "endpoint_host", "status", "ended_by", "cancel_boundary",
    "in_cache_read", "out_visible", "out_reasoning", "cost_logged_usd_micros",
    "user_commitment", "session_commitment",
)  # fmt: skip


@pytest.mark.parametrize("form", ["table", "payloads"])
def test_every_form_of_the_log_gives_the_same_calls(
    logged: dict[str, dict[str, GatewayCall]], form: str
) -> None:
    """But a payload does not say how many attempts there were, since each has one of its own; and
    of a call that got nothing a row holds LiteLLM's count of the prompt, a payload none."""
    for name, call in logged["api"].items():
        counts = () if name == "failed" and form == "payloads" else ("in_uncached", "usage_quality")
        for field in (*SAME, *counts):
            told = getattr(logged[form][name], field)
            assert (name, field, told) == (name, field, getattr(call, field))


def test_table_says_attempts_and_times_as_the_api_does(
    logged: dict[str, dict[str, GatewayCall]],
) -> None:
    for name, call in logged["api"].items():
        assert logged["table"][name].attempt == call.attempt
        assert logged["table"][name].started_at == call.started_at
        assert logged["table"][name].ended_at == call.ended_at


def test_calls_and_deliveries_join_by_the_calls_id(
    run: Run, logged: dict[str, dict[str, GatewayCall]]
) -> None:
    for name, call in logged["api"].items():
        row = run.deliveries.get(name)
        if row is not None and row.rendered_tokens is not None and name != "failed":
            assert row.rendered_tokens <= (call.out_visible or 0) <= run.billed[name]


def test_stream_closed_before_its_first_piece_is_known_to_the_meter_alone(
    run: Run, logged: dict[str, dict[str, GatewayCall]]
) -> None:
    """LiteLLM writes no row when it has taken no piece; the provider bills the whole answer."""
    assert all("before" not in calls for calls in logged.values())
    assert run.deliveries["before"].rendered_tokens == 0
    assert run.billed["before"] == WORDS


def test_logged_success_of_a_client_that_left_is_no_delivery(
    run: Run, logged: dict[str, dict[str, GatewayCall]]
) -> None:
    assert logged["api"]["gone"].status == "ok"
    assert logged["api"]["gone"].out_visible == run.billed["gone"]
    assert "gone" not in run.deliveries


def test_lost_answer_was_billed_twice_and_logged_once(
    run: Run, logged: dict[str, dict[str, GatewayCall]]
) -> None:
    call = logged["api"]["lost"]
    assert call.attempt == 2
    assert (call.out_visible, run.billed["lost"]) == (WORDS, 2 * WORDS)
