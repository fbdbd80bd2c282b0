"""The receiver under a real server, asked by raw requests and by OpenTelemetry's own exporter."""

import contextlib
import gzip
import http.client
import json
import os
import socket
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from countersign.connectors.otlp import Otlp
from countersign.meters import otlp_receiver
from countersign.meters.drop import Drop
from countersign.meters.otlp_receiver import Limits, OtlpReceiver
from countersign.model import Window
from countersign.pipeline.folder import DiskFolder
from countersign.records import GatewayCall
from countersign.records.trace import Span

uvicorn = pytest.importorskip("uvicorn", reason="the server comes with the [platform] extra")

TOKEN = "a-token-of-the-receiver"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAY = Window.parse("2026-11-02/2026-11-03")
SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "chat",
    "startTimeUnixNano": "1793613600120000000",
    "endTimeUnixNano": "1793613603900000000",
}
REQUEST = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}, indent=1).encode()
LIMIT = 100_000


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> str:
        return str(json.loads(self.body)["message"])


@dataclass
class Running:
    folder: Path
    port: int

    def post(self, body: bytes = REQUEST, path: str = "/v1/traces", **headers: str) -> Answer:
        given = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, body, given)

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, found, reply.read())

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def running(folder: Path, limits: Limits) -> Iterator[Running]:
    app = OtlpReceiver(Drop(folder, lambda: NOON), TOKEN, limits)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    try:
        yield Running(folder, port)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "drop", Limits(body_bytes=LIMIT, at_once=4)) as found:
        yield found


def test_body_is_kept_verbatim_and_answered_as_the_standard_says(receiver: Running) -> None:
    answer = receiver.post()
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["content-type"] == "application/json"
    [file] = receiver.files()
    assert file.read_bytes() == REQUEST
    assert file.parent == receiver.folder / "2026-11-02"


def test_what_was_kept_is_what_the_connector_reads(receiver: Running) -> None:
    receiver.post()
    receiver.post()
    other = SPAN | {"spanId": "b" * 16}
    receiver.post(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [other]}]}]}).encode())
    connector = Otlp()
    pages = list(connector.export(DiskFolder("otlp", receiver.folder), DAY))
    found = [r for page in pages for r in connector.parse(page)]
    assert {r.span_id for r in found if isinstance(r, Span)} == {"eee19b7ec3c1b174", "b" * 16}
    assert len(found) == 2


def test_gzip_is_unpacked(receiver: Running) -> None:
    assert receiver.post(gzip.compress(REQUEST), content_encoding="gzip").status == 200
    assert receiver.files()[0].read_bytes() == REQUEST


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"authorization": "Bearer another-token-of-24-b"}, 401),
        ({"authorization": TOKEN}, 401),
        ({"authorization": ""}, 401),
        ({"path": "/v1/metrics"}, 404),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": ""}, 415),
        ({"content_encoding": "zstd"}, 415),
        ({"content_encoding": "gzip"}, 400),
        ({"body": gzip.compress(REQUEST)[:-9], "content_encoding": "gzip"}, 400),
        ({"body": gzip.compress(REQUEST) * 2, "content_encoding": "gzip"}, 400),
        ({"body": b""}, 400),
        ({"body": REQUEST[:-5]}, 400),
        ({"body": b'{"resourceSpans": NaN}'}, 400),
        ({"body": b'{"resourceSpans": [NaN]}'}, 400),
        ({"body": b'{"resourceLogs": []}'}, 400),
        ({"body": b"[" * 50_000}, 400),
        ({"body": b"\xff\xfe"}, 400),
        ({"body": b" " * (LIMIT + 1)}, 413),
        ({"body": gzip.compress(b" " * (LIMIT + 1)), "content_encoding": "gzip"}, 413),
    ],
)
def test_refused_request_is_told_why_and_leaves_nothing(
    receiver: Running, changes: dict[str, Any], status: int
) -> None:
    answer = receiver.post(**changes)
    assert answer.status == status
    assert answer.said
    assert receiver.files() == []
    assert receiver.post().status == 200


def test_token_is_not_told(receiver: Running) -> None:
    answer = receiver.post(authorization="Bearer wrong")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.said
    assert TOKEN not in repr(OtlpReceiver(Drop(receiver.folder, lambda: NOON), TOKEN))


def test_other_methods_are_refused(receiver: Running) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    answer = receiver.ask("GET", "/v1/traces", b"", headers)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_bomb_is_given_up_at_the_limit(receiver: Running) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
    assert len(bomb) < LIMIT
    assert receiver.post(bomb, content_encoding="gzip").status == 413


def test_body_without_a_length_is_counted_as_it_comes(receiver: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=10)
    headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
    with contextlib.closing(connection):
        chunks = iter([b" " * 60_000] * 2)
        connection.request("POST", "/v1/traces", chunks, headers, encode_chunked=True)
        assert connection.getresponse().status == 413


def test_client_that_leaves_half_way_leaves_nothing(receiver: Running) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port)) as client:
        head = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(REQUEST)}\r\n\r\n"
        client.sendall(head.encode() + REQUEST[:50])
    assert receiver.post().status == 200
    assert len(receiver.files()) == 1


def test_disk_that_refuses_makes_the_exporter_send_again(tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "2026-11-02").write_text("in the way")
    with running(folder, Limits()) as receiver:
        answer = receiver.post()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        (folder / "2026-11-02").unlink()
        assert receiver.post().status == 200


def test_too_many_at_once_are_asked_to_come_again(tmp_path: Path) -> None:
    with running(tmp_path, Limits(at_once=1)) as receiver:
        head = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
        head += "content-type: application/json\r\ncontent-length: 9\r\n\r\n"
        with socket.create_connection(("127.0.0.1", receiver.port)) as slow:
            slow.sendall(head.encode())
            for _ in range(100):
                if receiver.post().status == 503:
                    break
            else:
                pytest.fail("the slow request holds no place")
        for _ in range(100):
            if receiver.post().status == 200:
                break
        else:
            pytest.fail("the place was not given back")


def test_opentelemetrys_own_exporter_is_understood(receiver: Running) -> None:
    pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    sender = exporter.OTLPSpanExporter(
        endpoint=f"http://127.0.0.1:{receiver.port}/v1/traces",
        headers={"authorization": f"Bearer {TOKEN}"},
        compression=exporter.Compression.Gzip,
    )
    provider = sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(export.SimpleSpanProcessor(sender))
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.response.finish_reasons": ["stop"],
    }
    with provider.get_tracer("test").start_as_current_span("chat", attributes=attributes) as span:
        context = span.get_span_context()
    provider.shutdown()
    [file] = receiver.files()
    found = list(Otlp().parse(file.read_bytes()))
    [call] = [r for r in found if isinstance(r, GatewayCall)]
    assert call.call_id == f"{context.trace_id:032x}-{context.span_id:016x}"
    assert (call.in_uncached, call.finish_reason) == (1200, "stop")


def test_protobuf_is_answered_in_protobuf(receiver: Running) -> None:
    trace = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    body = trace.ExportTraceServiceRequest().SerializeToString()
    answer = receiver.post(body, content_type="application/x-protobuf")
    assert (answer.status, answer.body) == (200, b"")
    answer = receiver.post(b"\x0a\xff", content_type="application/x-protobuf")
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/x-protobuf"
    length, text = answer.body[1], answer.body[2:]
    if length > 0x7F:
        length, text = length & 0x7F | answer.body[2] << 7, answer.body[3:]
    assert (answer.body[0], length) == (0x12, len(text))
    assert b"ExportTraceServiceRequest" in text


def test_protobuf_without_its_package_is_refused_and_names_the_setting(
    receiver: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp_receiver, "is_readable", lambda: False)
    answer = receiver.post(b"\x0a\x00", content_type="application/x-protobuf")
    assert answer.status == 415
    assert b"OTEL_EXPORTER_OTLP_PROTOCOL=http/json" in answer.body


def test_environment_makes_the_app_or_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("COUNTERSIGN_OTLP_TOKEN", raising=False)
    monkeypatch.setenv("COUNTERSIGN_OTLP_DROP", os.fspath(tmp_path))
    with pytest.raises(ValueError, match="COUNTERSIGN_OTLP_TOKEN"):
        otlp_receiver.from_environment()
    monkeypatch.setenv("COUNTERSIGN_OTLP_TOKEN", "short")
    with pytest.raises(ValueError, match="16 characters"):
        otlp_receiver.from_environment()
    monkeypatch.setenv("COUNTERSIGN_OTLP_TOKEN", TOKEN)
    assert otlp_receiver.from_environment().drop.folder == tmp_path
