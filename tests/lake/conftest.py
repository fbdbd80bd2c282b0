"""A lake with small sources: a page is a JSON list of rows, each with the name of its kind."""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from countersign.connectors.interface import tabled
from countersign.errors import Fault, SourceError
from countersign.lake.admission import Admission
from countersign.lake.lake import Lake
from countersign.lake.raw import PageManifest
from countersign.model import US_PER_DAY, Window
from countersign.records import (
    KINDS,
    CallText,
    Delivery,
    GatewayCall,
    PriceTerm,
    ProviderUsage,
    Record,
)

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"
SOURCES: dict[str, tuple[type[Record], ...]] = {
    "gateway": (GatewayCall,),
    "texts": (CallText,),
    "beacons": (Delivery,),
    "usage": (ProviderUsage,),
    "prices": (PriceTerm,),
}
DAY = "2026-11-09"


def parse(source: str, page: bytes) -> dict[type[Record], Any]:
    """A page of this file's own format as tables."""
    return tabled(source, page, read(source, page))


def read(source: str, page: bytes) -> Iterator[Record]:
    """Read a page of this file's own format."""
    try:
        rows = json.loads(page)
    except ValueError as error:
        raise SourceError(source, Fault.TRUNCATED, page="1", observed=str(error)) from None
    for row in rows:
        yield KINDS[row["kind"]](**{name: value for name, value in row.items() if name != "kind"})


def counter_bytes() -> Callable[[int], bytes]:
    """A random source that never gives the same bytes twice, and the same ones in each test."""
    given = 0

    def draw(size: int) -> bytes:
        nonlocal given
        given += 1
        return (given.to_bytes(4, "big") * (size // 4 + 1))[:size]

    return draw


@dataclass
class SmallLake:
    """A lake, and the shortest ways to feed it and to look into it."""

    root: Path
    lake: Lake = field(init=False)

    def __post_init__(self) -> None:
        self.lake = Lake(self.root, random=counter_bytes())

    def at(self, day: str, second: int = 0) -> int:
        """An instant of a day."""
        return Window.parse(f"{day}/9999-12-31").start_us + second * 1_000_000

    def call(self, number: int, day: str = DAY, **values: Any) -> dict[str, Any]:
        """A gateway call."""
        started = self.at(day, number)
        row = {"kind": "gateway_call", "call_id": f"c{number}", "request_id": f"r{number}"}
        return {**row, "started_at": started, "provider": "openai", "status": "ok", **values}

    def said(self, number: int, text: str, day: str = DAY, role: str = "prompt") -> dict[str, Any]:
        """The text of a call."""
        row = {"kind": "call_text", "call_id": f"c{number}", "role": role, "text": text}
        return {**row, "started_at": self.at(day, number)}

    def keep(
        self, source: str, day: str, *pages: Sequence[dict[str, Any]] | bytes, **given: Any
    ) -> PageManifest:
        """Keep pages and record them as the day's reading."""
        encoded = [p if isinstance(p, bytes) else json.dumps(p).encode() for p in pages]
        refs = tuple(self.lake.raw.keep(source, day, page) for page in encoded)
        base = self.at("2026-11-09" if day == "dated" else day)
        reading = {
            "source": source,
            "day": day,
            "version": 0,
            "status": "complete",
            "pages": refs,
            "fetched_at": base + US_PER_DAY + 3_600_000_000,
            "final": False,
        }
        return self.lake.raw.record(PageManifest(**{**reading, **given}))[0]

    def admit(self, **given: Any) -> Admission:
        """Admit everything; without Great Expectations unless asked."""
        options = {
            "expectations": [EXPECTATIONS],
            "now_us": self.at("2026-12-01"),
            "second_opinion": False,
        }
        return self.lake.admit(parse, lambda s: SOURCES.get(s, ()), **{**options, **given})

    def rows(self, kind: type[Record], window: str = "2026-11-09/2026-11-16") -> list[Any]:
        """Admitted rows of a window, in order of their first column of identity."""
        tables = self.lake.tables(Window.parse(window))
        relation = tables.table(kind).order_by(kind.identity[0])
        return list(tables.run(relation).to_pylist())

    def quarantine(self) -> list[Any]:
        """Every refused row."""
        state = self.lake.admitted()
        if "quarantine" not in state.tables:
            return []
        days = {day for _, day in state.days}
        table = self.lake.delta.read("quarantine", state.tables["quarantine"], days)
        return [] if table is None else list(table.to_pylist())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB; the test is skipped where nothing may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        refused = subprocess.run(mount, capture_output=True, check=False).returncode
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if refused:
        pytest.skip("mounting needs privileges that this process does not have")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small(tmp_path: Path) -> SmallLake:
    """An empty lake."""
    return SmallLake(tmp_path / "lake")
