"""A control over a person's own files, without a lake: what `assess --table` runs."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from countersign import controls
from countersign.controls.interface import Conclusion, Control
from countersign.errors import ConfigError
from countersign.lake.columns import Named
from countersign.lake.engine import Limits
from countersign.lake.files import open_files
from countersign.model import Evidence, Window
from countersign.pipeline.assess import judge
from countersign.records import KINDS, Record, kind_name
from countersign.registry import discover


@dataclass(frozen=True, slots=True)
class FileRequest:
    """Which files are which kinds, what to compare with, and what their columns are called."""

    files: dict[type[Record], Path]
    reference: dict[type[Record], Path]
    named: Named
    window: Window | None

    @classmethod
    def read(
        cls,
        tables: Sequence[str],
        reference: str | None,
        renamed: Sequence[str],
        *,
        time: str | None,
        cluster: str | None,
        window: str | None,
    ) -> "FileRequest":
        """Read the command's options.

        Raises:
            ConfigError: no KIND=FILE, an unknown kind, no THEIRS=OURS.
        """
        files = dict(_table(entry) for entry in tables)
        if reference is not None and len(files) != 1:
            raise ConfigError("--reference", expected="one --table", observed=f"{len(files)}")
        return cls(
            files=files,
            reference={kind: Path(reference) for kind in files} if reference else {},
            named=Named(dict(_pair(entry) for entry in renamed), time, cluster),
            window=None if window is None else Window.parse(window),
        )


def assess_files(request: FileRequest, only: tuple[str, ...]) -> Conclusion:
    """One control's conclusion about files.

    Raises:
        ConfigError: not exactly one control is named, or it does not exist.
    """
    known = discover(controls, Control)
    if len(only) != 1 or only[0] not in known:
        raise ConfigError("--only", expected="one of " + ", ".join(known), observed=", ".join(only))
    control = known[only[0]]()
    with tempfile.TemporaryDirectory(prefix="countersign-") as scratch:
        tables = open_files(
            request.files,
            Limits(Path(scratch)),
            reference=request.reference or None,
            window=request.window,
            named=request.named,
        )
        counts = {
            kind_name(kind): int(tables.run(tables.table(kind).count().as_table())[0][0].as_py())
            for kind in request.files
        }
        evidence: list[Evidence] = []
        return judge(control, tables, evidence, counts, tables.notes)


def as_document(conclusion: Conclusion) -> dict[str, Any]:
    """The conclusion for a program."""
    return {
        "state": conclusion.state,
        "reason": conclusion.reason,
        "grade": {"value": conclusion.grade.value, "set_by": conclusion.grade.set_by},
        "measures": dict(conclusion.measures),
        "observations": [o.document() for o in conclusion.observations],
        "tables": dict(conclusion.tables),
        "not_examined": list(conclusion.not_examined),
    }


def as_text(conclusion: Conclusion) -> str:
    """The conclusion for a person: verdict, tables, what could not be examined."""
    lines = [f"{conclusion.state}: {conclusion.reason}", f"set by {conclusion.grade.set_by}"]
    for name, rows in conclusion.tables.items():
        if isinstance(rows, list) and rows and isinstance(rows[0], dict):
            lines += ["", name, *_grid(rows)]
    lines += ["", *(f"not examined: {said}" for said in conclusion.not_examined)]
    return "\n".join(lines).rstrip()


def _grid(rows: list[Any]) -> list[str]:
    names = list(rows[0])
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in cells]


def _cell(value: object) -> str:
    return "missing" if value is None else str(value)[:60]


def _table(entry: str) -> tuple[type[Record], Path]:
    kind, _, file = entry.partition("=")
    if kind not in KINDS or not file:
        raise ConfigError(
            "--table", expected="KIND=FILE with KIND " + " or ".join(KINDS), observed=entry
        )
    return KINDS[kind], Path(file)


def _pair(entry: str) -> tuple[str, str]:
    theirs, _, ours = entry.partition("=")
    if not theirs or not ours:
        raise ConfigError("--map", expected="THEIRS=OURS", observed=entry)
    return theirs, ours
