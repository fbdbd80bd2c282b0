"""Airflow for the demo: its environment, and the DAGs run in this process."""

import _thread
import copy
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from countersign.model import Window

ROOT = Path(__file__).resolve().parents[2]
AUTOMATIC = "demo"
"""The user whose approval is a machine's; the simulated configuration names it so."""


def configure(folder: Path, *, mail_port: int) -> None:
    """Set Airflow's environment. Must run before anything imports airflow."""
    home = (folder / "airflow").resolve()
    home.mkdir(parents=True, exist_ok=True)
    password(home, AUTOMATIC)  # else Airflow makes one and prints it
    os.environ.update(
        {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{AUTOMATIC}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW_CONN_SMTP_DEFAULT": smtp_connection(mail_port),
            "COUNTERSIGN_CONFIG": str((folder / "countersign.toml").resolve()),
            "PYTHONWARNINGS": "ignore",
        }
    )


def password(home: Path, user: str) -> str:
    """A user's password, made at the first call, in a file that only its owner reads."""
    file = home / "passwords.json"
    file.touch(mode=0o600)
    known = json.loads(file.read_text() or "{}")
    file.write_text(json.dumps({user: secrets.token_urlsafe(9), **known}) + "\n")
    return str(json.loads(file.read_text())[user])


def smtp_connection(port: int) -> str:
    """The connection of the loopback SMTP server, without TLS."""
    return json.dumps(
        {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": port,
            "extra": {"disable_ssl": True, "disable_tls": True, "retry_limit": 0},
        }
    )


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = 30) -> None:
    """Return when something answers on the port."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing answers on 127.0.0.1:{port} after {seconds:.0f} s")


def is_free(port: int) -> bool:
    """Whether nothing listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def waiting_for(url: str, login: Mapping[str, str], dags: Iterable[str]) -> str:
    """What a starting Airflow still lacks: a healthy part, or a DAG; empty when all is there."""
    try:
        with httpx.Client(base_url=url, timeout=10) as client:
            health = client.get("/api/v2/monitor/health").raise_for_status().json()
            if ill := [name for name, part in health.items() if part["status"] != "healthy"]:
                return ", ".join(ill).replace("_", "-")
            token = client.post("/auth/token", json=login).raise_for_status().json()
            bearer = {"Authorization": f"Bearer {token['access_token']}"}
            listed = client.get("/api/v2/dags", headers=bearer).raise_for_status().json()
            return ", ".join(sorted(set(dags) - {dag["dag_id"] for dag in listed["dags"]}))
    except httpx.HTTPError:
        return "the api-server"


def api() -> Any:
    """A client of Airflow's REST API in this process, signed in as user `demo`."""
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from starlette.testclient import TestClient

    client = TestClient(create_app(apps="core"))
    demo = SimpleAuthManagerUser(username=AUTOMATIC, role="admin")
    client.headers["Authorization"] = f"Bearer {get_auth_manager().generate_jwt(demo)}"
    return client


class Dags:
    """The DAGs of this checkout, run in this process against Airflow's own database."""

    def __init__(self) -> None:
        from airflow.dag_processing.dagbag import BundleDagBag
        from airflow.utils.db import initdb

        initdb()
        bag = BundleDagBag(
            dag_folder=str(ROOT / "dags"), bundle_path=ROOT / "dags", bundle_name="dags-folder"
        )
        if bag.import_errors:
            raise SystemExit(f"DAG files do not load: {bag.import_errors}")
        self.known = bag.dags
        self._forms: dict[str, dict[str, Any]] = {}

    def run(self, dag_id: str, window: Window) -> None:
        """One run over a window that must succeed; a task that failed is told."""
        run = self.attempt(dag_id, window)
        failed = [ti.task_id for ti in run.get_task_instances() if ti.state == "failed"]
        if failed:
            print(f"packet:          {dag_id} {window}: failed tasks {', '.join(failed)}")
        if run.state != "success":
            raise SystemExit(f"{dag_id} {window} ended as {run.state}")

    def attempt(self, dag_id: str, window: Window, **form: Any) -> Any:
        """One run over a window, as its trigger form would start it; Airflow's DagRun."""
        dag = self.known[dag_id]
        untouched = copy.deepcopy(dag.params)
        asked = {"start": window.start.isoformat(), "end": window.end.isoformat(), **form}
        conf = {**self._forms.setdefault(dag_id, untouched.dump()), **asked}
        try:
            return dag.test(logical_date=datetime.now(UTC), run_conf=conf)
        finally:
            # In one process, Airflow writes a run's form into the DAG: the next run would see it,
            # and a try that is repeated does so again after this. So each run fills in every field.
            dag.params = untouched

    @contextmanager
    def answering(self, option: str) -> Iterator[None]:
        """Answer the next approval through the REST API as user `demo`."""
        client = api()
        ended = threading.Event()
        thread = threading.Thread(target=_answer, args=(client, option, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(10)


def _answer(client: Any, option: str, ended: threading.Event) -> None:
    """Answer the first open question; an API that is busy is asked again, five minutes long."""
    until = time.monotonic() + 300
    while not ended.wait(0.3):
        if time.monotonic() > until:
            print("demo: no question could be answered in five minutes", flush=True)
            _thread.interrupt_main()  # the run would wait for this answer for ever
            return
        try:
            if _answered(client, option):
                return
        except Exception as error:  # noqa: BLE001 - the run waits for this thread: it must go on
            print(f"demo: the approval API did not answer, asking again ({error})", flush=True)


def _answered(client: Any, option: str) -> bool:
    listing = client.get("/api/v2/dags/~/dagRuns/~/hitlDetails")
    for detail in listing.json().get("hitl_details", []):
        if detail.get("response_received"):
            continue
        task = detail["task_instance"]
        reply = client.patch(
            f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/"
            f"{task['task_id']}/{task['map_index']}/hitlDetails",
            json={"chosen_options": [option], "params_input": {}},
        )
        if reply.status_code == 200:
            return True
    return False
