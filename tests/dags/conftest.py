"""Airflow with a database of its own, and one tiny simulated installation for the whole session.

Airflow reads its environment when it is first imported: it is set here, before any test is.
"""

import atexit
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from countersign import world
from countersign.model import Window
from countersign.pipeline import keys
from countersign.pipeline.workspace import Workspace, open_workspace

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="countersign-airflow-"))
sys.path[:0] = [str(ROOT / "dags"), str(ROOT / "dags" / "demo")]
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

import demo_airflow  # noqa: E402
import demo_mail  # noqa: E402

MAIL_PORT = demo_airflow.free_port()
demo_airflow.configure(HOME, mail_port=MAIL_PORT)
for name in ("COUNTERSIGN_CONFIG", "PYTHONWARNINGS"):  # no business of the other tests
    del os.environ[name]

START = date(2026, 10, 26)
LAST = Window(date(2026, 11, 2), date(2026, 11, 9))


@dataclass(frozen=True)
class Installation:
    """A folder with a configuration, keys and a lake, over a world that is served."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "countersign.toml"

    def open(self) -> Workspace:
        return open_workspace(str(self.config))

    def copy(self, folder: Path) -> "Installation":
        shutil.copytree(self.folder, folder)
        return Installation(folder)

    @contextmanager
    def served(self, **faults: str) -> Iterator[None]:
        """The sources' HTTP APIs, where the configuration expects them from now on."""
        port, said = demo_airflow.free_port(), self.config.read_text(encoding="utf-8")
        self.config.write_text(re.sub(r"(127\.0\.0\.1):\d+", rf"\1:{port}", said), "utf-8")
        named = {source.replace("_", "-"): fault for source, fault in faults.items()}
        with world.serve(self.folder, port, faults=named, throttle_every=0, truncate_every=0):
            yield

    @contextmanager
    def used(self) -> Iterator[None]:
        """The installation that tasks find, with the credentials of its sources."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COUNTERSIGN_CONFIG", str(self.config))
            for name, secret in world.CREDENTIALS.items():
                patch.setenv(name, secret)
            yield


@pytest.fixture(scope="session", autouse=True)
def _needs_airflow() -> None:
    if find_spec("airflow") is None:
        pytest.skip("needs the [platform] extra: Airflow")


@pytest.fixture(scope="session")
def built() -> Installation:
    """Two weeks of traffic and new keys; nothing collected."""
    folder = HOME / "built"
    world.build(
        folder, seed=7, start=START, weeks=2, requests_per_day=60, scenario=None,
        progress=lambda _line: None, port=demo_airflow.free_port(),
    )  # fmt: skip
    installation = Installation(folder)
    keys.make(installation.open())
    return installation


@pytest.fixture(scope="session")
def dags(built: Installation) -> demo_airflow.Dags:
    """The DAGs of this checkout. A failing task fails at once: a test does not wait for retries."""
    with built.used():
        known = demo_airflow.Dags()
    for dag in known.known.values():
        for operator in dag.tasks:
            if operator.is_mapped:
                operator.partial_kwargs["retries"] = 0
            else:
                operator.retries = 0
    return known


@pytest.fixture(scope="session")
def collected(built: Installation, dags: demo_airflow.Dags) -> tuple[Installation, Any]:
    """The installation after countersign_collect over the last week, and that run."""
    installation = built.copy(HOME / "collected")
    with installation.used(), installation.served():
        return installation, dags.attempt("countersign_collect", LAST)


@pytest.fixture(scope="session")
def inbox() -> Iterator[demo_mail.Inbox]:
    """A real SMTP server, where the connection of the tests points to."""
    with demo_mail.server(MAIL_PORT) as inbox:
        yield inbox


@pytest.fixture
def states() -> Callable[[Any], dict[str, str]]:
    """The state of every task of a run, by task id or the name of the mapped task."""

    def read(run: Any) -> dict[str, str]:
        instances = run.get_task_instances()
        return {str(ti.rendered_map_index or ti.task_id): str(ti.state) for ti in instances}

    return read
