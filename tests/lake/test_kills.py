"""A kill between upload and commit: the old version holds, a rerun heals, nothing stays behind.

A slowed S3 server is real HTTP: a proxy before it that stalls the one request at which the
writer is killed; afterwards the request is lost, or arrives all the same.
"""

import base64
import http.client
import http.server
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from countersign.lake.bucket import Bucket
from countersign.lake.delta import TABLES
from countersign.lake.lake import Lake
from countersign.model import US_PER_DAY
from countersign.records import CallText, GatewayCall

DAY = "2026-11-09"
DAYS = [f"2026-11-{day:02d}" for day in range(9, 15)]
WRITER = """
import importlib.util, json, sys
from pathlib import Path
from countersign.lake.bucket import Bucket, Keys
from countersign.lake.lake import Lake
spec = importlib.util.spec_from_file_location("feeding", sys.argv[1])
feeding = sys.modules["feeding"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(feeding)
small, given = feeding.SmallLake(Path(sys.argv[2])), json.loads(sys.argv[3])
if given:
    bucket = Bucket(**{**given, "keys": Keys(**given["keys"])})
    small.lake = Lake(small.root, random=feeding.counter_bytes(), bucket=bucket)
small.admit()
"""


@dataclass
class Slow:
    """What is stalled, and whether it goes on to the server when the writer is dead."""

    server: str
    stalled_at: re.Pattern[str]
    arrives: bool
    stalled: threading.Event = field(default_factory=threading.Event)
    dead: threading.Event = field(default_factory=threading.Event)
    endpoint: str = ""


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slow: Slow

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        stall = self.slow.stalled_at.search(f"{self.command} {self.path}")
        if stall:
            self.slow.stalled.set()
            self.slow.dead.wait(60)
        if stall and not self.slow.arrives:
            self.close_connection = True
            return
        server = http.client.HTTPConnection(urlsplit(self.slow.server).netloc)
        server.request(self.command, self.path, body, dict(self.headers))
        reply = server.getresponse()
        content = reply.read()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date"}:
                self.send_header(name, value)
        length = reply.getheader("Content-Length") or "0"
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        server.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on

    def log_message(self, *given: Any) -> None: ...


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *given: Any) -> None:
        """A killed writer hangs up: that is the point."""


@contextmanager
def slowed(slow: Slow) -> Iterator[Slow]:
    handler = type("Here", (Proxy,), {"slow": slow})
    with Quiet(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        slow.endpoint = f"http://127.0.0.1:{server.server_port}"
        yield slow
        server.shutdown()


def writer(root: Path, bucket: Bucket | None) -> subprocess.Popen[bytes]:
    import json  # noqa: PLC0415 - only here

    feeding = str(Path(__file__).with_name("conftest.py"))
    given = json.dumps(None if bucket is None else asdict(bucket))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, feeding, str(root), given],
        env=environment,
        stderr=subprocess.DEVNULL,
    )


def remote(small: Any, bucket: Bucket) -> Any:
    """The same feeding of a lake in a bucket."""
    fed = type(small)(small.root)
    fed.lake = Lake(small.root, random=small.lake.random, bucket=bucket)
    return fed


def large(number: int) -> str:
    """Text that no codec makes smaller: a table's file of many is uploaded in parts."""
    return base64.b85encode(random.Random(number).randbytes(400_000)).decode()


LARGE = [large(number) for number in range(16)]


def committed(lake: Lake) -> set[str]:
    """Data files that some version of some table holds."""
    tables = lake.admitted().tables
    names = lake.store.names(TABLES)
    found = set()
    for table in tables:
        log = [n for n in names if f"{TABLES}/{table}/_delta_log/" in n and n.endswith(".json")]
        for version in range(len(log)):
            found |= {file.rsplit("/", 1)[1] for file in lake.delta.files(table, version)}
    return found


def data_files(lake: Lake) -> set[str]:
    return {n.rsplit("/", 1)[1] for n in lake.store.names(TABLES) if n.endswith(".parquet")}


STALLED = {
    "a data file": r"PUT .*/tables/gateway_call/.*\.parquet",
    "a part of a large file": r"PUT .*/tables/call_text/.*partNumber=2",
    "the end of a large file": r"POST .*/tables/call_text/.*uploadId=",
    "the first table's commit": r"PUT .*/tables/call_text/_delta_log/0*1\.json",
    "the last table's commit": r"PUT .*/tables/gateway_call/_delta_log/0*1\.json",
    "the state": r"PUT .*/admitted\.json",
}
ONE = ("the first table's commit", "the last table's commit", "the state")
"""Requests that alone make a difference when they arrive after the writer is dead."""


@pytest.mark.parametrize(
    ("stage", "arrives"),
    [*((stage, False) for stage in STALLED), *((stage, True) for stage in STALLED if stage in ONE)],
)
def test_a_killed_writer_leaves_a_bucket_as_it_was(
    small: Any, new_bucket: Callable[[], Bucket], stage: str, *, arrives: bool
) -> None:
    bucket = new_bucket()
    lake = remote(small, bucket)
    lake.keep("gateway", DAY, [lake.call(n) for n in range(5)])
    lake.keep("texts", DAY, [lake.said(n, "old words") for n in range(5)])
    lake.admit()
    lake.keep("gateway", DAY, [lake.call(n) for n in range(8)])
    texts = LARGE if "large" in stage else ["new words"]
    lake.keep("texts", DAY, [lake.said(n, text) for n, text in enumerate(texts)])
    slow = Slow(str(bucket.endpoint), re.compile(STALLED[stage]), arrives)
    with slowed(slow), writer(small.root, replace(bucket, endpoint=slow.endpoint)) as child:
        assert slow.stalled.wait(60), f"the writer ended with {child.wait()} before {stage}"
        child.kill()
        child.wait()
        slow.dead.set()
        time.sleep(0.2)  # what arrives all the same has arrived

    found = remote(small, bucket)
    if stage == "the state" and arrives:
        assert (len(found.rows(GatewayCall)), len(found.rows(CallText))) == (8, len(texts))
    else:
        assert (len(found.rows(GatewayCall)), len(found.rows(CallText))) == (5, 5)
        assert {row["text"] for row in found.rows(CallText)} == {"old words"}
    found.admit()
    assert {row["text"] for row in found.rows(CallText)} == set(texts)
    assert len(found.rows(GatewayCall)) == 8
    assert found.admit().days == 0
    assert_only_orphans_go(found.lake)
    assert len(found.rows(GatewayCall)) == 8


def assert_only_orphans_go(lake: Lake) -> None:
    now, held = time.time_ns() // 1_000, committed(lake)
    orphans = data_files(lake) - held
    # The test server says of every upload in parts that it began in 2010: only files have an age.
    assert lake.tidy(now).orphans == 0
    assert data_files(lake) == held | orphans
    tidied = lake.tidy(now + US_PER_DAY + 60_000_000)
    assert (tidied.orphans, tidied.refused) == (len(orphans), ())
    assert data_files(lake) == held
    assert lake.store.sweep(now + 2 * US_PER_DAY).removed == 0


def test_a_large_file_is_uploaded_in_parts_and_a_kill_leaves_one_pending(
    small: Any, new_bucket: Callable[[], Bucket]
) -> None:
    bucket = new_bucket()
    lake = remote(small, bucket)
    lake.keep("texts", DAY, [lake.said(n, text) for n, text in enumerate(LARGE)])
    slow = Slow(str(bucket.endpoint), re.compile(r"PUT .*partNumber=2"), arrives=False)
    with slowed(slow), writer(small.root, replace(bucket, endpoint=slow.endpoint)) as child:
        assert slow.stalled.wait(60)
        child.kill()
        child.wait()
        slow.dead.set()
    assert remote(small, bucket).rows(CallText) == []
    assert data_files(lake.lake) == set()
    assert lake.lake.tidy(time.time_ns() // 1_000 + 2 * US_PER_DAY).unfinished == 1
    lake.admit()
    assert len(lake.rows(CallText)) == len(LARGE)


def test_a_killed_writer_leaves_a_folder_as_it_was(small: Any, tmp_path: Path) -> None:
    """The kill comes as soon as data files lie there and no commit does."""
    small.keep("texts", DAYS[0], [small.said(0, "old words", DAYS[0])])
    small.admit()
    for day in DAYS:
        small.keep("texts", day, [small.said(n, LARGE[n], day) for n in range(3)])
    hits = 0
    for attempt in range(12):
        copy = type(small)(tmp_path / f"copy-{attempt}")
        shutil.copytree(small.root, copy.root)
        folder = copy.root / TABLES / "call_text"
        held = set(folder.rglob("*.parquet*"))
        with writer(copy.root, None) as child:
            while child.poll() is None and not set(folder.rglob("*.parquet*")) - held:
                pass
            child.kill()
        if (folder / "_delta_log" / f"{1:020d}.json").exists():
            continue
        hits += 1
        assert [row["text"] for row in copy.rows(CallText)] == ["old words"]
        copy.admit()
        assert len(copy.rows(CallText)) == 3 * len(DAYS)
        assert_only_orphans_go(copy.lake)
        assert not any("#" in file.name or ".tmp-" in file.name for file in folder.rglob("*"))
        if hits == 2:
            break
    assert hits, f"none of {attempt + 1} kills came between a file and its commit"


def test_a_writer_killed_in_the_middle_of_a_page_leaves_no_half_page(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from countersign.lake.store import LocalStore\n"
        "store = LocalStore(Path(sys.argv[1]))\n"
        "store.put_new('raw/a', bytes(400_000_000))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "lake")], env=environment
    ) as child:
        while not list(tmp_path.rglob(".tmp-*")):
            assert child.poll() is None
        child.kill()
    lake = Lake(tmp_path / "lake", random=bytes)
    assert lake.store.names() == []
    now = time.time_ns() // 1_000
    assert lake.tidy(now).unfinished == 0
    assert lake.tidy(now + US_PER_DAY + 60_000_000).unfinished == 1
    assert not list(tmp_path.rglob(".tmp-*"))
