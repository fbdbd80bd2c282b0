"""Migrate: bring what an older version of this program wrote to the layout of this one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from countersign.canonical import Json
from countersign.lake import migration
from countersign.pipeline import duty
from countersign.pipeline.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that changed with a layout: done again, it finds nothing to do."""

    to: int
    name: str
    run: Callable[[Workspace], int]


@dataclass(frozen=True, slots=True)
class Migrated:
    """From which layout, and how much each step changed."""

    before: int | None
    steps: tuple[tuple[str, int], ...]

    @property
    def sentence(self) -> str:
        """One line for a log or a command's result."""
        if not self.steps:
            return f"nothing to do: layout {self.before or migration.VERSION}"
        done = "; ".join(f"{name}: {count}" for name, count in self.steps)
        return f"layout {self.before} is now layout {migration.VERSION}: {done}"

    def document(self) -> dict[str, Json]:
        """For a program."""
        after = migration.VERSION if self.before else None
        return {"before": self.before, "after": after, "steps": dict(self.steps)}


def migrate(ws: Workspace) -> Migrated:
    """Take every step that the lake has not taken. Repeatable at any point.

    Raises:
        EvidenceError: a newer program wrote the lake, or a raw page was altered.
    """
    with duty.alone(ws):
        store = ws.unchecked_lake.store
        found = migration.version(store)
        migration.refuse_newer(found)
        if found is None or found == migration.VERSION:
            return Migrated(found, ())
        done = []
        for step in STEPS:
            if step.to > found:
                done.append((step.name, step.run(ws)))
                ws.progress(f"migrate {step.name}: {done[-1][1]}")
        migration.settle(store)
        return Migrated(found, tuple(done))


def _pieces(ws: Workspace) -> int:
    """Residency findings kept the hops of a week in one file; now they lie in pieces by hour."""
    return sum(map(_piece, sorted(ws.lake_root.glob("findings/*/data-residency/v*/hops.parquet"))))


def _piece(whole: Path) -> int:
    folder = whole.with_suffix("")
    folder.mkdir(exist_ok=True)
    whole.rename(folder / "0000-00-00T00.parquet")  # before every hour: it holds them all
    return 1


STEPS: Final = (
    Step(2, "raw pages encrypted", lambda ws: migration.encrypt_pages(ws.unchecked_lake)),
    Step(2, "tables that keep their history", lambda ws: migration.keep_history(ws.unchecked_lake)),
    Step(2, "residency findings in pieces", _pieces),
)
"""In order; a new layout adds its own at the end."""
