"""Doctor: look at everything a run needs, and say what to do about what is missing."""

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from countersign.errors import CountersignError
from countersign.lake.store import LocalStore
from countersign.model import Window
from countersign.pipeline import collect, resources
from countersign.pipeline.workspace import Workspace

PANGO = "sudo apt-get install -y libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    good: bool
    said: str


def examine(ws: Workspace) -> list[Check]:
    """Every check, whatever the ones before it found."""
    looks: dict[str, Callable[[], str]] = {
        "packet renderer": _renderer,
        "Great Expectations": _expectations,
        "templates": lambda: str(resources.folders("reports", ws.config)[0]),
        "expectations": lambda: str(resources.folders("expectations", ws.config)[0]),
        "keys": lambda: f"log key {ws.key.key.fingerprint[:16]}…",
        "lake": lambda: _lake(ws),
        "log": lambda: f"{ws.log.size} entries, checkpoint verified",
        "controls": lambda: ", ".join(ws.controls),
        "clock": lambda: _clock(ws),
    }
    return [*(_look(name, look) for name, look in looks.items()), *_sources(ws)]


def _look(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except (CountersignError, OSError, ImportError) as error:
        return Check(name, False, str(error))


def _renderer() -> str:
    try:
        return f"WeasyPrint {importlib.import_module('weasyprint').__version__}"
    except OSError as error:
        raise OSError(f"Pango is missing ({error}). Run: {PANGO}") from None


def _expectations() -> str:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
    return str(importlib.import_module("great_expectations").__version__)


def _lake(ws: Workspace) -> str:
    ws.lake.store.prove()
    said = "is writable, and lets a name be created only once"
    if ws.bucket is None:
        return f"{ws.lake_root} {said}"
    LocalStore(ws.lake_root).prove()
    return (
        f"{ws.bucket.url} {said}; who may read its salts/ is for the bucket's policy to say."
        f" Log, findings and packets stay in {ws.lake_root}: one machine writes them, back it up"
    )


def _clock(ws: Workspace) -> str:
    now, machine = ws.config.now(), datetime.now(UTC)
    if abs(now - machine) > timedelta(minutes=5) and ws.config.countersign.now is not None:
        return (
            f"fixed by the configuration at {now.isoformat()} (the machine says {machine:%F %T}Z)"
        )
    return now.isoformat()


def _sources(ws: Workspace) -> Iterator[Check]:
    yesterday = Window.day(ws.config.now().astimezone(UTC).date() - timedelta(days=1))
    for name in ws.config.sources:
        yield _look(f"source {name}", lambda name=name: _first_page(ws, name, yesterday))  # type: ignore[misc]


def _first_page(ws: Workspace, name: str, window: Window) -> str:
    read = collect.reader(ws, name)
    page = next(read(window), None)
    return "answers, nothing for yesterday" if page is None else f"answers, {len(page):,} bytes"
