"""Real servers: the collecting endpoint, and a LiteLLM proxy with its provider and database."""

import getpass
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from countersign.connectors.delivery_beacon import DeliveryBeacon
from countersign.model import Window
from countersign.pipeline.fetch import HttpFetch
from countersign.records import Delivery

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
SERVERS = Path(__file__).with_name("servers")
INSTALLATION = runpy.run_path(str(SERVERS / "installation.py"))
MASTER = "sk-master"
READ, POST, PUBLIC = "read-key", "post-key", "pk_aster"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Any]:
    """A server as a process; ended with everything that it started."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, env=environment, stdout=out, stderr=out, cwd=log.parent, start_new_session=True
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for number, patience_s in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience_s)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


@pytest.fixture(scope="session", name="until")
def until_fixture() -> Callable[..., Any]:
    """Waits for something to hold."""
    return until


def until(holds: Callable[[], Any], what: str, patience_s: float = 30) -> Any:
    """Wait for something to hold; what it gave."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            if found := holds():
                return found
        except (httpx.TransportError, OSError):
            pass
        time.sleep(0.05)
    pytest.fail(f"{what}: not within {patience_s:g} s")


@dataclass(frozen=True)
class Endpoint:
    """A running collecting endpoint."""

    url: str
    folder: Path
    process: "subprocess.Popen[bytes]"

    def post(self, row: Any, **options: Any) -> httpx.Response:
        """Post one row as a browser does, or as `options` say."""
        asked = {"params": {"key": PUBLIC}, "json": row} | options
        return httpx.post(f"{self.url}/v1/deliveries", **asked)

    def get(self, **params: Any) -> httpx.Response:
        now = datetime.now(UTC)
        span = {"start": now - timedelta(hours=1), "end": now + timedelta(hours=1)}
        asked = {name: at.isoformat() for name, at in span.items()} | params
        headers = {"Authorization": f"Bearer {READ}"}
        return httpx.get(f"{self.url}/v1/deliveries", params=asked, headers=headers)

    def rows(self) -> list[dict[str, Any]]:
        return list(self.get().json()["data"])

    def collected(self, limit: int = 1_000) -> list[Delivery]:
        """What the connector makes of it, for today and yesterday."""
        today = datetime.now(UTC).date()
        return collected(self.url, Window(today - timedelta(days=1), today + timedelta(1)), limit)


def collected(url: str, window: Window, limit: int = 1_000) -> list[Delivery]:
    connector = DeliveryBeacon(limit=limit)
    fetch = HttpFetch.bound("beacons", url, connector.credential_header, READ)
    pages = list(connector.pages(fetch, window))
    records = [record for page in pages for record in connector.parse(page)]
    return [record for record in records if isinstance(record, Delivery)]


@contextmanager
def served(folder: Path, *options: str, origins: tuple[str, ...] = ()) -> Iterator[Endpoint]:
    pytest.importorskip("uvicorn", reason="no server for the endpoint: pip install uvicorn")
    port = free_port()
    command = [sys.executable, "-m", "countersign.meters", "--folder", str(folder)]
    command += ["--port", str(port), "--public-key", f"{PUBLIC}=aster-bank", *options]
    command += [word for origin in origins for word in ("--origin", origin)]
    environment = os.environ | {"PYTHONPATH": str(PLUGINS)}
    environment |= {"COUNTERSIGN_BEACON_KEY": READ, "COUNTERSIGN_METER_KEY": POST}
    url = f"http://127.0.0.1:{port}"
    with running(command, environment, folder.parent / "endpoint.log") as process:
        until(lambda: httpx.get(f"{url}/snippet.js").is_success, "the endpoint")
        yield Endpoint(url, folder, process)


@pytest.fixture(scope="session")
def new_endpoint() -> Callable[..., Any]:
    """Starts a collecting endpoint over a folder."""
    return served


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    with served(tmp_path / "deliveries") as running_endpoint:
        yield running_endpoint


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """A browser's row, as the snippet posts it."""

    def make(request_id: str = "call-1", **fields: Any) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {
            "request_id": request_id,
            "response_id": "chatcmpl-1",
            "meter": "browser",
            "started_at": (now - timedelta(seconds=3)).isoformat(),
            "ended_at": now.isoformat(),
            "ended": "user_stop",
            "rendered_characters": 12,
            **fields,
        }

    return make


@dataclass(frozen=True)
class Gateway:
    """A running LiteLLM proxy, its provider, and what it leaves behind."""

    url: str
    provider: str
    folder: Path
    database: str | None
    version: str

    @property
    def drop(self) -> Path:
        return self.folder / "deliveries"

    @property
    def payloads(self) -> Path:
        return self.folder / "payloads.jsonl"

    def books(self) -> list[dict[str, Any]]:
        return list(httpx.get(f"{self.provider}/books").json())


@pytest.fixture(scope="session")
def litellm() -> Path:
    """A folder with LiteLLM's proxy in an environment of its own, built once on this machine."""
    cache = os.environ.get("COUNTERSIGN_TEST_CACHE") or os.environ.get("XDG_CACHE_HOME")
    name = f"litellm-{INSTALLATION['LITELLM']}"
    folder = Path(cache or Path.home() / ".cache") / "countersign-test" / name
    built = subprocess.run(
        [sys.executable, str(SERVERS / "installation.py"), str(folder)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if not (folder / "venv" / ".done").exists():
        pytest.skip(f"LiteLLM's proxy cannot be installed here: {built.stderr.strip()[-300:]}")
    return folder


@pytest.fixture(scope="session")
def new_gateway(litellm: Path) -> Callable[..., Any]:
    """Starts a proxy; without a database when none is given."""

    @contextmanager
    def start(folder: Path, meter: dict[str, str], database: str | None = None) -> Iterator[Any]:
        provider, proxy = free_port(), free_port()
        _configure(folder, provider, database)
        variables = _litellm_environment(litellm, folder, database) | meter
        serve = [sys.executable, str(SERVERS / "provider.py"), str(provider)]
        command = [str(litellm / "venv" / "bin" / "litellm"), "--host", "127.0.0.1"]
        command += ["--port", str(proxy), "--config", str(folder / "config.yaml")]
        version = next((litellm / "venv" / "lib").glob("*/site-packages/litellm-*.dist-info"))
        with (
            running(serve, dict(os.environ), folder / "provider.log"),
            running(command, variables, folder / "proxy.log"),
        ):
            found = Gateway(
                f"http://127.0.0.1:{proxy}",
                f"http://127.0.0.1:{provider}",
                folder,
                database,
                version.name.removesuffix(".dist-info"),
            )
            until(lambda: httpx.get(f"{found.url}/health/readiness").is_success, "LiteLLM", 180)
            yield found

    return start


def _configure(folder: Path, provider: int, database: str | None) -> None:
    shutil.copy(SERVERS / "payloads.py", folder)
    lines = [
        "model_list:",
        "  - model_name: chat-eu",
        "    model_info: {id: dep-openai-eu}",
        "    litellm_params:",
        "      model: openai/gpt-4o-mini-2024-07-18",
        f"      api_base: http://127.0.0.1:{provider}/v1",
        "      api_key: sk-provider",
        "router_settings: {num_retries: 1, retry_after: 0}",
        "litellm_settings:",
        "  callbacks: [countersign.meters.litellm_callback.meter, payloads.writer]",
        "  telemetry: false",
        "general_settings:",
        f"  master_key: {MASTER}",
        "  proxy_batch_write_at: 1",
        *(["  database_url: os.environ/DATABASE_URL"] if database else []),
    ]
    (folder / "config.yaml").write_text("\n".join(lines))


def _litellm_environment(litellm: Path, folder: Path, database: str | None) -> dict[str, str]:
    told: dict[str, str] = INSTALLATION["environment"](litellm) | {
        "PYTHONPATH": str(PLUGINS),
        "PAYLOADS": str(folder / "payloads.jsonl"),
        "COUNTERSIGN_METER_EVERY": "0.2",
    }
    return os.environ | told | ({"DATABASE_URL": database} if database else {})


@pytest.fixture(scope="session")
def spend_database(litellm: Path) -> Iterator[str | None]:
    """A PostgreSQL with LiteLLM's tables; None where it, or the proxy's way to it, is absent."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    programs = found[-1].parent if found else Path(shutil.which("initdb") or "/").parent
    if not (programs / "pg_ctl").exists() or not (litellm / "engine" / ".done").exists():
        yield None
        return
    home, port = Path(tempfile.mkdtemp(prefix="countersign-litellm-")), free_port()
    if getpass.getuser() == "root":
        shutil.chown(home, "postgres")
    data, control = str(home / "data"), str(programs / "pg_ctl")
    settings = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    _as_server(home, str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "litellm")
    _as_server(home, control, "-D", data, "-l", str(home / "log"), "-w", "-o", settings, "start")
    try:
        psql = [str(programs / "psql"), "-q", "-h", str(home), "-p", str(port), "-U", "litellm"]
        migrations = (litellm / "venv" / "lib").glob("*/*/litellm_proxy_extras/migrations/*/*.sql")
        tables = "\n;\n".join(path.read_text("utf-8") for path in sorted(migrations))
        subprocess.run(
            [*psql, "-d", "postgres"], input=tables, text=True, check=True, capture_output=True
        )
        yield f"postgresql://litellm@127.0.0.1:{port}/postgres"
    finally:
        _as_server(home, control, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)


def _as_server(home: Path, *command: str) -> None:
    """Run a command as the server's user: PostgreSQL refuses to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
    subprocess.run([*user, *command], check=True, capture_output=True, cwd=home)
