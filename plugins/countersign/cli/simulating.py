"""The simulated world as commands: build, serve, score."""

import datetime
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from countersign.cli.app import AsJson, ConfigFile, WindowText, app, workspace
from countersign.cli.edge import answer, say
from countersign.errors import ConfigError
from countersign.model import Window

world_app = typer.Typer(help="A simulated installation that knows its own truth.")
app.add_typer(world_app, name="world")


@world_app.command()
def build(
    folder: Path,
    seed: Annotated[int, typer.Option()] = 7,
    start: Annotated[str, typer.Option(metavar="DATE", help="A Monday.")] = "2026-08-17",
    weeks: Annotated[int, typer.Option()] = 13,
    requests_per_day: Annotated[int, typer.Option()] = 1_100,
    scenario: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
    port: Annotated[int, typer.Option(help="Where the world will be served.")] = 8731,
) -> None:
    """Make weeks of traffic from a seed and a scenario."""
    from countersign import world

    try:
        first = datetime.date.fromisoformat(start)
    except ValueError:
        raise ConfigError("--start", expected="a date like 2026-08-17", observed=start) from None
    world.build(
        folder, seed=seed, start=first, weeks=weeks, requests_per_day=requests_per_day,
        scenario=scenario, port=port, progress=say,
    )  # fmt: skip


@world_app.command()
def serve(folder: Path, port: Annotated[int, typer.Option()] = 8731) -> None:
    """Serve the simulated gateway's and providers' HTTP APIs on loopback until interrupted."""
    from countersign import world

    with world.serve(folder, port=port) as server:
        say(f"serving {folder} on {server.url}; Ctrl-C ends it")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            say("ended")


@contextmanager
def served(ws: Any) -> Iterator[None]:
    """Serve the world that a configuration belongs to while a block runs; else do nothing.

    A world is served at the port that its configuration names, unless something answers there.
    """
    ports = {urlsplit(source.url).port for source in ws.config.sources.values()} - {None}
    if not (ws.config.folder / "world.json").exists() or len(ports) != 1:
        yield
        return
    from countersign import world

    for name, value in world.CREDENTIALS.items():
        os.environ.setdefault(name, value)
    (port,) = ports
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            yield
            return
    with world.serve(ws.config.folder, port=port) as server:
        say(f"serving the simulated sources on {server.url}")
        yield


@world_app.command()
def score(
    folder: Path, window: WindowText, config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Findings against truth.json: planted, found, missed, spurious per control."""
    from countersign import world
    from countersign.lake.salts import ORGANISATION
    from countersign.pipeline import assess as verb

    ws, span = workspace(config or str(folder / "countersign.toml")), Window.parse(window)
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    kept = {name: verb.findings(ws).latest(span, name) for name in ws.controls}
    result = world.score(
        truth,
        [k.finding for k in kept.values() if k],
        {name: list(k.observations()) for name, k in kept.items() if k},
        span,
        lambda plain: ws.lake.salts.commit(ORGANISATION, plain),
    )
    answer(result.table(), result.document(), as_json=as_json)
    if result.missed or result.spurious:
        raise SystemExit(1)
