"""Buckets that must be refused, cannot be reached, or hold uploads that nobody completed."""

import http.server
import importlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from countersign.errors import ConfigError, EvidenceError, Fault
from countersign.lake.bucket import Bucket, Keys
from countersign.lake.object_store import ObjectStore

ACCESS, SECRET = "ACCESSKEYFORTEST", "only-a-test-secret-of-forty-characters00"


class Forgetful(http.server.BaseHTTPRequestHandler):
    """An S3 server that takes every PUT, whatever its conditions say."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        self.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200)

    def do_GET(self) -> None:
        if "list-type=2" in self.path:
            return self._answer(200, b"<ListBucketResult></ListBucketResult>")
        content = self.objects.get(self.path)
        return self._answer(404 if content is None else 200, content or b"")

    def do_POST(self) -> None:
        """Delete what the document lists: one key here."""
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        key = asked.split("<Key>")[1].split("</Key>")[0]
        self.objects.pop(f"{self.path.split('?')[0]}/{key}", None)
        self._answer(
            200, f"<DeleteResult><Deleted><Key>{key}</Key></Deleted></DeleteResult>".encode()
        )

    def _answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Mon, 09 Nov 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *given: Any) -> None: ...


@pytest.fixture
def forgetful() -> Iterator[Bucket]:
    pytest.importorskip("obstore", reason="no S3 client: pip install 'countersign[s3]'")
    handler = type("Here", (Forgetful,), {"objects": {}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        yield Bucket("s3://any/lake", endpoint, allow_http=True, keys=Keys(ACCESS, SECRET))
        server.shutdown()


@pytest.fixture(scope="module")
def nanio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """A published server that checks signatures and ignores conditions."""
    if importlib.util.find_spec("nanio") is None:
        pytest.skip("no server that ignores conditions: pip install nanio")
    pytest.importorskip("obstore", reason="no S3 client: pip install 'countersign[s3]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("nanio")
    options = ["--data-dir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    keys = {"NANIO_ACCESS_KEY": ACCESS, "NANIO_SECRET_KEY": SECRET}
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "nanio", "serve", *options, "--log-level", "error"]
    with subprocess.Popen(command, env={**os.environ, **keys, **path}) as server:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_for(endpoint)
        (folder / "lakes").mkdir(exist_ok=True)
        yield Bucket("s3://lakes/lake", endpoint, allow_http=True, keys=Keys(ACCESS, SECRET))
        server.terminate()


def _wait_for(endpoint: str) -> None:
    for _ in range(200):
        with suppress(httpx.HTTPError):
            httpx.get(endpoint)
            return
        time.sleep(0.1)
    raise TimeoutError(endpoint)


@pytest.mark.parametrize("server", ["forgetful", "nanio"])
def test_a_store_that_forgets_commits_is_refused_before_the_first_write(
    request: pytest.FixtureRequest, server: str
) -> None:
    bucket: Bucket = request.getfixturevalue(server)
    store = ObjectStore(bucket)
    for write in (store.prove, lambda: store.put_new("a", b"1"), lambda: store.replace("a", b"1")):
        with pytest.raises(ConfigError, match="2 of 2 writers were told that they created"):
            write()
    with pytest.raises(EvidenceError, match="nothing there"):
        store.get("a")


def test_the_scratch_names_of_the_test_are_removed(nanio: Bucket) -> None:
    with pytest.raises(ConfigError):
        ObjectStore(nanio).prove()
    assert ObjectStore(nanio).names() == []


def test_a_wrong_secret_is_named_and_not_printed(nanio: Bucket) -> None:
    stranger = ObjectStore(replace(nanio, keys=Keys(ACCESS, "another-secret")))
    with pytest.raises(EvidenceError) as caught:
        stranger.get("a")
    assert Fault.STORAGE in str(caught.value)
    assert "another-secret" not in str(caught.value) + repr(stranger)


def test_an_absent_bucket_is_an_error_and_no_empty_lake(new_bucket: Callable[[], Bucket]) -> None:
    nowhere = ObjectStore(replace(new_bucket(), url="s3://countersign-nowhere/lake"))
    with pytest.raises(EvidenceError, match="storage failed"):
        nowhere.names()
    with pytest.raises(EvidenceError, match="storage failed"):
        nowhere.put_new("a", b"")


def test_a_server_that_is_down_is_named_within_a_minute(new_bucket: Callable[[], Bucket]) -> None:
    began = time.monotonic()
    down = ObjectStore(replace(new_bucket(), endpoint="http://127.0.0.1:9"))
    for act in (lambda: down.get("a"), down.names, lambda: down.put_new("a", b"")):
        with pytest.raises(EvidenceError, match=r"127\.0\.0\.1:9"):
            act()
    assert time.monotonic() - began < 180


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [("s3://", None), ("gs://bucket/x", None), ("s3://bucket/x?y", None),
     ("s3://bucket/x", "http://127.0.0.1")],
)  # fmt: skip
def test_an_address_that_is_none_or_is_not_encrypted_is_refused(
    url: str, endpoint: str | None
) -> None:
    with pytest.raises(ConfigError, match="object store"):
        Bucket(url, endpoint)


@pytest.mark.parametrize("said", ["", "one", ":", "a:", "a:b:c:d"])
def test_a_credential_of_another_form_is_refused_and_not_repeated(said: str) -> None:
    with pytest.raises(ConfigError, match="ACCESS_KEY_ID:SECRET_ACCESS_KEY") as caught:
        Keys.parse(said)
    assert "a:b" not in str(caught.value)


def test_a_credential_may_carry_a_session_token() -> None:
    assert Keys.parse("a:b:c\n") == Keys("a", "b", "c")
    assert Bucket("s3://x", keys=Keys.parse("a:b:c")).options()["aws_session_token"] == "c"


def test_without_the_client_library_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigError, match=r"countersign\[s3\]"):
        ObjectStore(Bucket("s3://x")).names()


def begin_upload(bucket: Bucket, key: str) -> Any:
    """An upload in parts that is not completed as long as the writer is kept open."""
    obstore = importlib.import_module("obstore")
    stores = importlib.import_module("obstore.store")
    store = stores.S3Store(bucket.name, **{**bucket.client(), "prefix": None})
    writer = obstore.open_writer(store, key, buffer_size=5 * 2**20)
    writer.write(bytes(11 * 2**20))
    writer.flush()
    return writer


@pytest.mark.parametrize("server", ["moto", "nanio"])
def test_uploads_in_parts_are_aborted_by_age_and_below_the_folder_only(
    request: pytest.FixtureRequest, server: str
) -> None:
    if server == "moto":
        bucket = request.getfixturevalue("new_bucket")()
    else:
        bucket = request.getfixturevalue("nanio")
    keys = ("lake/tables/a b/ü.parquet", "lake/x", "lake-of-others/x")
    begun = [begin_upload(bucket, key) for key in keys]
    store, now = ObjectStore(bucket), time.time_ns() // 1_000
    if server == "nanio":  # moto says of every upload that it began in 2010
        assert store.sweep(now - 3_600_000_000).removed == 0
    swept = store.sweep(now + 3_600_000_000)
    assert (swept.removed, swept.refused) == (2, ())
    assert store.sweep(now + 3_600_000_000).removed == 0
    whole = ObjectStore(replace(bucket, url=f"s3://{bucket.name}"))
    assert whole.sweep(now + 3_600_000_000).removed == 1
    assert len(begun) == 3


def test_a_store_that_lists_no_uploads_is_said(forgetful: Bucket) -> None:
    swept = ObjectStore(forgetful).sweep(0)
    assert swept.removed == 0
    assert "404" in swept.refused[0]


def test_without_keys_a_lifecycle_rule_is_asked_for(
    forgetful: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    (said,) = ObjectStore(replace(forgetful, keys=None)).sweep(0).refused
    assert "lifecycle rule" in said


def test_a_bucket_keeps_nothing_of_the_secret_in_its_text(tmp_path: Path) -> None:
    bucket = Bucket("s3://x/y", keys=Keys(ACCESS, SECRET, "token"))
    assert SECRET not in repr(ObjectStore(bucket))
    assert "token" not in repr(bucket).replace("token=", "")
