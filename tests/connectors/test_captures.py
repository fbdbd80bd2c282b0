"""Recorded exchanges: every real capture, and what containers, cut streams and polls leave."""

import base64
import gzip
import json
import random
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from countersign.connectors.captures import Captures
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.pipeline.folder import DiskFolder
from countersign.records import COUNTERS, CallText, GatewayCall, InferenceLocation, Record

AT = "2026-08-01T00:00:00Z"
HIDDEN_THOUGHTS = {(35, 12, 109), (66, 6, 100)}
"""Gemini behind its OpenAI-compatible endpoint bills tokens that no field shows."""
CHAT = "https://api.openai.com/v1/chat/completions"
CHUNK = {"id": "c-1", "object": "chat.completion.chunk", "model": "m"}
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
BILLED = CHUNK | {"choices": [], "usage": USAGE}


def read(page: bytes, **settings: Any) -> list[Record]:
    return list(Captures(**({"recorded_at": AT} | settings)).parse(page))


def calls(page: bytes, **settings: Any) -> list[GatewayCall]:
    return [r for r in read(page, **settings) if isinstance(r, GatewayCall)]


def line(body: object, /, **more: Any) -> bytes:
    request = {"method": "POST", "url": CHAT, "body": {"model": "m"}} | more.pop("request", {})
    response = {"status": 200, "headers": {}, "body": body} | more.pop("response", {})
    fields = {"started_at": AT, "request": request, "response": response} | more
    return json.dumps(fields).encode()


def stream(*chunks: object) -> str:
    return "".join(f"data: {c if isinstance(c, str) else json.dumps(c)}\n\n" for c in chunks)


def choice(content: str, finish: str | None = None) -> dict[str, Any]:
    return CHUNK | {"choices": [{"delta": {"content": content}, "finish_reason": finish}]}


SSE = {"headers": {"content-type": "text/event-stream"}}


def total(call: GatewayCall) -> int:
    return sum(getattr(call, name) or 0 for name in COUNTERS)


def stated(block: dict[str, Any]) -> int | None:
    names = ("total_tokens", "totalTokens", "totalTokenCount")
    return next((block[n] for n in names if n in block), None)


def check(call: GatewayCall) -> str:
    """The identity of wire-formats 0.1 on one call, written out apart from the code under test."""
    if call.usage_quality == "missing" or call.usage_raw is None:
        assert all(getattr(call, name) is None for name in COUNTERS), call.call_id
        return "missing"
    block = json.loads(call.usage_raw)
    sent = stated(block)
    if "input_tokens" in block and sent is None:
        beside = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        assert total(call) == sum(block.get(n) or 0 for n in (*beside, "output_tokens"))
        return "no total: disjoint parts"
    if "billed_units" in block:
        assert total(call) == sum(block["billed_units"].values())
        return "no total: billed units"
    assert sent is not None
    if call.usage_quality == "estimated" and total(call) != sent:
        key = (block["prompt_tokens"], block["completion_tokens"], sent)
        assert key in HIDDEN_THOUGHTS
        return "hidden tokens"
    assert total(call) == sent
    return "total"


@pytest.fixture(scope="module")
def captures(shared_data: Path) -> Path:
    return shared_data / "provider_captures"


def test_every_row_of_usage_and_rendered_text_keeps_its_identity(captures: Path) -> None:
    page = (captures / "usage_vs_rendered.jsonl").read_bytes()
    rows = [json.loads(text) for text in page.splitlines()]
    found = calls(page)
    assert len(found) == len(rows) == 933
    seen: Counter[str] = Counter()
    for row, call in zip(rows, found, strict=True):
        seen[check(call)] += 1
        assert (call.usage_quality == "missing") == (call.in_uncached is call.out_visible is None)
        assert call.provider != "" and call.operation
        if row["rendered_chars"] or row["usage"]:
            assert (call.output_characters or 0) == row["rendered_chars"]
        if row["status"] >= 400 or row["error"]:
            assert call.status == "error"
    print(dict(seen))
    assert seen["hidden tokens"] == 2
    assert seen["missing"] == sum(1 for row in rows if not row["usage"]) + 1  # one empty block
    assert seen["total"] > 600 and seen["no total: disjoint parts"] > 180
    streams = [c for c, row in zip(found, rows, strict=True) if row["stream"] and not row["usage"]]
    assert len(streams) == 2
    assert {c.usage_quality for c in streams} == {"missing"}


def interactions(folder: Path) -> Iterator[tuple[str, Path, list[dict[str, Any]]]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted(folder.rglob("*.yaml")):
        name = f"pydantic-ai/{file.relative_to(folder).as_posix()}"
        yield name, file, yaml.load(file.read_bytes(), loader)["interactions"]


def test_every_cassette_gives_its_calls_and_what_they_rendered(captures: Path) -> None:
    rows = map(json.loads, (captures / "usage_vs_rendered.jsonl").read_text().splitlines())
    rendered = {(row["source"], row["interaction"]): row for row in rows}
    seen: Counter[str] = Counter()
    for name, file, recorded in interactions(captures / "raw"):
        found = calls(file.read_bytes())
        wanted = [rendered[name, n] for n in range(len(recorded)) if (name, n) in rendered]
        seen["files"] += 1
        seen["exchanges"] += len(recorded)
        for call in found:
            seen[check(call)] += 1
            seen[f"status {call.status}"] += 1
        by_id: dict[str | None, list[dict[str, Any]]] = {}
        for row in wanted:
            by_id.setdefault(row["response_id"], []).append(row)
        for call in found:
            for row in by_id.get(call.call_id, [])[-1:]:
                assert (call.output_characters or 0) == row["rendered_chars"], (name, call)
                assert call.finish_reason == row["finish"]
                seen["rendered text compared"] += 1
        for row in wanted:
            if row["response_id"] not in (None, "stub"):  # a chunk of a recorder's own
                assert any(call.call_id == row["response_id"] for call in found), row
    print(dict(seen))
    assert seen["files"] == 152
    assert seen["rendered text compared"] > 150
    assert seen["total"] + seen["no total: disjoint parts"] > 195
    assert seen["missing"] and seen["status error"]


def test_places_have_the_strength_of_their_evidence(captures: Path) -> None:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for _, file, _ in interactions(captures / "raw"):
        for r in read(file.read_bytes()):
            if isinstance(r, InferenceLocation):
                found[r.provider, r.evidence, r.region, r.strength or ""] += 1
    assert {s for (_, e, r, s), _ in found.items() if r in ("global", "not_available")} == {"R0"}
    assert found["aws.bedrock", "host", "us-east-1", "R1"] == 1  # the others are profiles
    assert all(s != "R2" for (_, evidence, _, s) in found if evidence == "host")


@pytest.mark.parametrize(
    ("body", "quality", "status", "figures"),
    [
        (stream(choice("a"), choice("b", "stop"), "[DONE]"), "missing", "ok", (None, None)),
        (stream(choice("a"), choice("b")), "missing", None, (None, None)),
        (stream(choice("ab", "stop"), BILLED), "exact", "ok", (7, 3)),
        (stream(choice("ab"), BILLED), "estimated", None, (7, 3)),
        (stream(choice("ab"), {"error": {"type": "gone"}}), "missing", "error", (None, None)),
        (stream(choice("ab")) + 'data: {"id": "c-1", "cho', "missing", None, (None, None)),
        ("<html>signed in?</html>", "missing", None, (None, None)),
        ("", "missing", None, (None, None)),
    ],
)  # fmt: skip
def test_stream_is_worth_what_came_of_it(
    body: str, quality: str, status: str | None, figures: tuple[int | None, int | None]
) -> None:
    [call] = calls(line(body, response=SSE))
    assert (call.usage_quality, call.status) == (quality, status)
    assert (call.in_uncached, call.out_visible) == figures
    shown = {"ab": 2, '"a"': 2}
    expected = next((n for piece, n in shown.items() if piece in body), None)
    assert call.output_characters == expected


def test_who_left_is_said_only_where_it_was_seen() -> None:
    cut = stream(choice("ab"))
    [unknown] = calls(line(cut, response=SSE))
    [left] = calls(line(cut, response=SSE, ended_by="user_stop"))
    assert (unknown.ended_by, unknown.cancel_boundary) == (None, None)
    assert (left.status, left.ended_by, left.cancel_boundary) == (
        "cancelled",
        "user_stop",
        "client",
    )
    whole = {"id": "c", "object": "chat.completion", "choices": [], "usage": USAGE}
    [stopped] = calls(line(whole, ended_by="client_disconnect"))
    assert (stopped.usage_quality, stopped.in_uncached) == ("estimated", 7)


def test_arguments_of_tool_calls_are_not_rendered() -> None:
    said = {"content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    whole = {"id": "c", "object": "chat.completion", "choices": [{"message": said}], "usage": USAGE}
    records = read(line(whole))
    assert [r.output_characters for r in records if isinstance(r, GatewayCall)] == [0]
    assert not [r for r in records if isinstance(r, CallText)]


def test_text_is_not_read_where_it_is_not_wanted() -> None:
    page = line({"choices": [{"message": {"content": "ab"}}], "usage": USAGE})
    assert any(isinstance(r, CallText) for r in read(page))
    assert not any(isinstance(r, CallText) for r in read(page, records=("gateway_call",)))


def test_time_is_the_recordings_then_the_replys_then_the_settings() -> None:
    whole = {"id": "c", "choices": [], "usage": USAGE}
    dated = {"response": {"headers": {"Date": "Mon, 03 Aug 2026 00:00:00 GMT"}}}
    day = Window.parse("2026-08-01/2026-08-02").start_us
    assert calls(line(whole, **dated))[0].started_at == day
    assert calls(line(whole, started_at=None, **dated))[0].started_at == day + 2 * 86_400 * 10**6
    made = whole | {"created": 1785888000}
    assert calls(line(made, started_at=None))[0].started_at == 1785888000 * 10**6
    assert calls(line(whole, started_at=None))[0].started_at == day
    with pytest.raises(SourceError, match="row 1: an exchange without a time"):
        read(line(whole, started_at=None), recorded_at=None)


def test_counting_tokens_and_other_traffic_is_no_call() -> None:
    for url in ("https://api.anthropic.com/v1/messages/count_tokens", "https://x.example/"):
        assert read(line({"input_tokens": 9}, request={"url": url})) == []
    assert read(line({}, request={"method": "GET"})) == []


def test_two_alike_without_id_and_clock_are_two_calls() -> None:
    page = b"\n".join([line({"choices": [], "usage": USAGE}, started_at=None)] * 2)
    first, second = calls(page)
    assert first.call_id != second.call_id
    timed = b"\n".join([line({"choices": [], "usage": USAGE})] * 2)
    first, second = calls(timed)
    assert first.call_id == second.call_id  # the same bytes at the same time: one, twice recorded


def test_sidecar_and_its_binary_body_are_one_page(tmp_path: Path) -> None:
    golden = Path(__file__).parent / "golden" / "captures" / "bedrock.page.bin"
    head, _, body = golden.read_bytes().partition(b"\n\x00")
    (tmp_path / "a.capture.json").write_bytes(head)
    (tmp_path / "a.bin").write_bytes(body)
    (tmp_path / "b.har").write_bytes(b'{"log": {"entries": []}}')
    pages = list(
        Captures().export(DiskFolder("captures", tmp_path), Window.parse("2026-11-02/2026-11-03"))
    )
    assert pages == [golden.read_bytes(), b'{"log": {"entries": []}}']
    assert calls(pages[0])[0].out_visible == 12


def test_body_of_another_length_than_the_sidecar_states_is_refused() -> None:
    head = line(None, response={"body_bytes": 5})
    with pytest.raises(SourceError) as short:
        read(head + b"\n\x00" + b"1234")
    with pytest.raises(SourceError) as over:
        read(head + b"\n\x00" + b"123456")
    assert (short.value.fault, over.value.fault) == (Fault.TRUNCATED, Fault.MALFORMED)


def test_body_that_is_base64_is_the_body() -> None:
    whole = json.dumps({"id": "c", "choices": [], "usage": USAGE}).encode()
    packed = base64.b64encode(whole).decode()
    assert calls(line(None, response={"body_base64": packed}))[0].in_uncached == 7
    with pytest.raises(SourceError, match="no base64"):
        read(line(None, response={"body_base64": "%%%"}))


def test_body_that_was_kept_packed_is_unpacked_and_a_bomb_is_missing() -> None:
    whole = gzip.compress(json.dumps({"id": "c", "choices": [], "usage": USAGE}).encode())
    for body, quality in (
        (whole, "exact"),
        (whole[:-9], "missing"),
        (gzip.compress(b" " * 2**26), "missing"),
    ):
        packed = base64.b64encode(body).decode()
        assert calls(line(None, response={"body_base64": packed}))[0].usage_quality == quality


def resealed(rng: random.Random, body: bytes) -> bytes:
    """One message of an event stream with a few bytes changed and its checksums made right."""
    total, head = struct.unpack_from(">II", body)
    inside = bytearray(body[12 : total - 4])
    for _ in range(rng.choice((1, 2, 8))):
        inside[rng.randrange(len(inside))] = rng.randrange(256)
    if rng.random() < 0.3:
        head = rng.randrange(len(inside))
    prelude = struct.pack(">II", total, head)
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + bytes(inside)
    return message + struct.pack(">I", zlib.crc32(message)) + body[total:]


def test_event_stream_with_right_checksums_and_wrong_content_is_no_crash() -> None:
    golden = Path(__file__).parent / "golden" / "captures" / "bedrock.page.bin"
    head, mark, body = golden.read_bytes().partition(b"\n\x00")
    rng, seen = random.Random(7), Counter[str]()
    for _ in range(500):
        [call] = calls(head + mark + resealed(rng, body))
        seen[call.usage_quality or ""] += 1
    assert seen["exact"] and seen["missing"]
    assert sum(seen.values()) == 500


CASSETTE = b"""interactions:
- request: {method: POST, uri: 'https://api.openai.com/v1/chat/completions', body: '{}'}
  response:
    headers: {content-type: [application/json]}
    body: {string: '{"id": "c", "choices": [], "usage": {"prompt_tokens": 7}}'}
    status: {code: 200}
version: 1
"""


def test_cassette_with_aliases_or_depth_is_refused_and_a_cut_one_named() -> None:
    assert calls(CASSETTE)[0].in_uncached == 7
    with pytest.raises(SourceError, match="alias"):
        read(CASSETTE + b"a: &a [1]\nb: [*a, *a]\n")
    with pytest.raises(SourceError, match="levels"):
        read(CASSETTE + b"a: " + b"[" * 5_000 + b"]" * 5_000)
    for end in (b"    status:", b"code: 200}"):
        with pytest.raises(SourceError) as cut:
            read(CASSETTE[: CASSETTE.index(end)])
        assert cut.value.fault is Fault.TRUNCATED
