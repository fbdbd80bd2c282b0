"""What every test may ask for: real data where it lies, and small installations built once."""

# ruff: noqa: PLC0415 - tests of the base install must load this file without the platform's parts
import contextlib
import io
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from countersign import world
from countersign.model import Window

ROOT = Path(__file__).resolve().parent.parent
END = date(2026, 11, 16)
WEEK = Window(END - timedelta(days=7), END)
COMMAND = (sys.executable, "-c", "from countersign.cli import main; main()")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real third-party data, read where it lies; the test is skipped where it is absent."""
    folder = Path(os.environ.get("COUNTERSIGN_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent (set COUNTERSIGN_SHARED_DATA)")
    return folder


@dataclass(frozen=True)
class Site:
    """A simulated installation: a world, its configuration, and what was made of them."""

    folder: Path
    port: int
    weeks: int
    week: Window = WEEK

    @property
    def everything(self) -> Window:
        return self.week.with_history(self.weeks - 1)

    @property
    def config(self) -> Path:
        return self.folder / "countersign.toml"

    def open(self) -> Any:
        """The installation as a new process would find it."""
        from countersign.pipeline.workspace import open_workspace

        return open_workspace(str(self.config))

    def serve(self, **options: Any) -> world.Running:
        """Its sources; without mishaps unless they are asked for."""
        calm = {"throttle_every": 0, "truncate_every": 0}
        return world.serve(self.folder, port=self.port, **(calm | options))

    def copy(self, folder: Path, *without: str) -> "Site":
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(*without))
        return replace(self, folder=folder)

    def command(self, *words: str) -> list[str]:
        """A `countersign` command in a process of its own, on this installation."""
        return [*COMMAND, *words, "--config", str(self.config)]

    def read_files(self) -> None:
        """Read every source's exported files from now on, and ask no server."""
        text = self.config.read_text("utf-8")
        source = re.compile(r'(\[sources\.([a-z-]+)\]\nconnector = "[^"]+"\nurl = )"http[^"]+"')
        text, changed = source.subn(r'\1"file:export/\2"', text)
        assert changed == 6
        self.config.write_text(text, "utf-8")

    def edit(self, old: str, new: str) -> None:
        """Replace a piece of the configuration that is there."""
        text = self.config.read_text("utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), "utf-8")


@pytest.fixture(scope="session")
def credentials() -> Iterator[None]:
    """The simulated sources' credentials, where the configuration says they are."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.CREDENTIALS.items():
            patch.setenv(name, value)
        paths = os.pathsep.join([str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
        patch.setenv("PYTHONPATH", paths)
        yield


@pytest.fixture(scope="session")
def new_site(
    credentials: None, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, int, int, int], Site]:
    """Builds an installation with keys: scenario, seed, weeks, requests a day."""

    def build(scenario: str, seed: int, weeks: int, requests_per_day: int) -> Site:
        from countersign.pipeline import keys

        site = Site(tmp_path_factory.mktemp(f"{scenario}-{seed}") / "site", _free_port(), weeks)
        world.build(
            site.folder,
            seed=seed,
            start=END - timedelta(weeks=weeks),
            weeks=weeks,
            requests_per_day=requests_per_day,
            scenario=Path(scenario),
            progress=lambda _: None,
            port=site.port,
        )
        keys.make(site.open())
        return site

    return build


@pytest.fixture(scope="session")
def tiny(new_site: Callable[[str, int, int, int], Site]) -> Site:
    """Three weeks of sixty requests a day, everything planted; nothing collected yet."""
    return new_site("demo", 3, 3, 60)


@pytest.fixture(scope="session")
def calm(new_site: Callable[[str, int, int, int], Site]) -> Site:
    """A week of sixty requests a day with nothing planted; nothing collected yet."""
    return new_site("quiet", 5, 1, 60)


@pytest.fixture(scope="session")
def collected(tiny: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The tiny installation with every page of its last week; nothing admitted yet."""
    from countersign.pipeline.collect import collect

    site = tiny.copy(tmp_path_factory.mktemp("collected") / "site")
    with site.serve():
        assert not any(c.failed for c in collect(site.open(), site.week))
    return site


@pytest.fixture(scope="session")
def published(collected: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The tiny installation's last week as a signed and published packet."""
    from countersign.pipeline import admit, assess, publish, render, seal, sign

    site = collected.copy(tmp_path_factory.mktemp("published") / "site")
    ws = site.open()
    admit.admit(ws)
    assess.assess(ws, site.week)
    seal.seal(ws, site.week)
    render.render(ws, site.week)
    sign.sign(ws, site.week, sign.Approval("Ada Byron", "2026-11-16T06:30:00Z"))
    publish.publish(ws, site.week)
    return site


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server on loopback; the test is skipped where its package is absent."""
    pytest.importorskip("obstore", reason="no S3 client: pip install 'countersign[s3]'")
    pytest.importorskip("moto", reason="no S3 server: pip install 'moto[server,s3]'")
    program, pipe = [sys.executable, str(ROOT / "tests" / "s3_server.py")], subprocess.PIPE
    with subprocess.Popen(program, text=True, stdin=pipe, stdout=pipe) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.stdin.close()


@pytest.fixture(scope="session")
def new_bucket(s3_server: str) -> Callable[[], Any]:
    """Makes an empty bucket on that server, and gives a folder of it."""
    from countersign.lake.bucket import Bucket, Keys

    def make(prefix: str = "lake") -> Bucket:
        name = f"countersign-{secrets.token_hex(6)}"
        httpx.put(f"{s3_server}/{name}", timeout=60).raise_for_status()
        keys = Keys("test", "only-a-test")
        return Bucket(f"s3://{name}/{prefix}", s3_server, allow_http=True, keys=keys)

    return make


@dataclass(frozen=True)
class Said:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def countersign(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Runs a `countersign` command as the program does, in this process."""
    from countersign.cli import main

    def run(*words: str) -> Said:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["countersign", *map(str, words)])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = _code(main)
        return Said(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def countersign_process() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs a `countersign` command in a process of its own."""

    def run(*words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *map(str, words)], capture_output=True, text=True, check=False, **options
        )

    return run


def _code(program: Callable[[], None]) -> int:
    try:
        program()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
