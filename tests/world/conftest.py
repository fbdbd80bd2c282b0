"""Two small worlds, built once: the demonstration and the quiet one."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from countersign import world
from countersign.model import Window

START = date(2026, 8, 31)
WEEKS = 2
SPAN = Window(START, START + timedelta(weeks=WEEKS))
LAST_WEEK = Window(SPAN.end - timedelta(days=7), SPAN.end)


@dataclass(frozen=True)
class Small:
    """A built world and its truth."""

    folder: Path
    truth: dict[str, Any]

    def planted(self, fact: str) -> list[dict[str, Any]]:
        return [entry for entry in self.truth["planted"] if entry["fact"] == fact]

    def rows(self, source: str) -> list[dict[str, Any]]:
        files = sorted((self.folder / "traffic" / source).glob("*.rows"))
        lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
        return [json.loads(line.split(" ", 2)[2]) for line in lines]

    def payloads(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / "export" / "litellm").glob("*/*.jsonl"))
        return [json.loads(line) for f in files for line in f.read_text("utf-8").split("\n")[:-1]]


def make(folder: Path, scenario: str, seed: int = 11) -> Small:
    world.build(
        folder,
        seed=seed,
        start=START,
        weeks=WEEKS,
        requests_per_day=200,
        scenario=Path(scenario),
        progress=lambda _: None,
    )
    return Small(folder, json.loads((folder / "truth.json").read_text("utf-8")))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make(tmp_path_factory.mktemp("demo"), "demo")


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make(tmp_path_factory.mktemp("quiet"), "quiet")


@dataclass(frozen=True)
class Client:
    """Asks the simulated APIs with the right credentials."""

    http: httpx.Client

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(path, params=params, headers=credentials(path))

    def paged(self, path: str, cursor: str, **params: Any) -> list[dict[str, Any]]:
        """Every page's document, following `next_page` (or `next`)."""
        pages: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            answer = self.get(path, **params, **more)
            assert answer.status_code == 200, answer.text
            pages.append(answer.json())
            following = pages[-1].get("next_page") or pages[-1].get("next")
            if following is None:
                return pages
            more = {cursor: following}


def credentials(path: str) -> dict[str, str]:
    keys = world.CREDENTIALS
    if path.startswith("/anthropic"):
        return {
            "x-api-key": keys["COUNTERSIGN_ANTHROPIC_ADMIN_KEY"],
            "anthropic-version": "2023-06-01",
        }
    name = {"litellm": "LITELLM_KEY", "openai": "OPENAI_ADMIN_KEY", "beacons": "BEACON_KEY"}
    return {"Authorization": f"Bearer {keys['COUNTERSIGN_' + name[path.split('/')[1]]]}"}


@pytest.fixture
def client(demo: Small) -> Iterator[Client]:
    with (
        world.serve(demo.folder, throttle_every=0, truncate_every=0) as server,
        httpx.Client(base_url=server.url) as http,
    ):
        yield Client(http)


@pytest.fixture
def make_world() -> Callable[..., Small]:
    return make


@pytest.fixture(scope="session")
def span() -> Window:
    return SPAN


@pytest.fixture(scope="session")
def last_week() -> Window:
    return LAST_WEEK
