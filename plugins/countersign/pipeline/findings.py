"""Where findings are kept: one folder per window, control and version, written once.

`findings/<start>_<end>/<control>/v1/` holds `finding.json` (canonical bytes, what is sealed),
`detail.json`, `observations.jsonl` and the control's relations as Parquet; one that is kept in
pieces is a folder. `not-run.json` stands beside the versions when the last run crashed.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from countersign.canonical import Json, digest
from countersign.canonical import encode as canonical
from countersign.errors import EvidenceError
from countersign.model import Window

FINDING: Final = "urn:countersign:finding:v0.1"
DETAIL: Final = "urn:countersign:detail:v0.1"


@dataclass(frozen=True, slots=True)
class Kept:
    """One stored version of a finding."""

    folder: Path

    @property
    def content(self) -> bytes:
        """The canonical bytes that are sealed."""
        return (self.folder / "finding.json").read_bytes()

    @property
    def finding(self) -> dict[str, Any]:
        """The finding document.

        Raises:
            EvidenceError: a newer program wrote it.
        """
        return _known(self.folder / "finding.json", FINDING)

    @property
    def detail(self) -> dict[str, Any]:
        """Picture and tables.

        Raises:
            EvidenceError: a newer program wrote it.
        """
        return _known(self.folder / "detail.json", DETAIL)

    def observations(self) -> Iterator[dict[str, Any]]:
        """Every observation, not only the exceptions printed."""
        with (self.folder / "observations.jsonl").open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

    def relation(self, name: str) -> pa.Table:
        """A reduced relation that the control left for later steps."""
        return pq.read_table(self.folder / f"{name}.parquet")

    def pieces(self, name: str) -> list[Path]:
        """The files of a relation that was left in pieces, in the order of their names."""
        return sorted((self.folder / name).glob("*.parquet"))


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings below one lake."""

    root: Path

    def latest(self, window: Window, control: str) -> Kept | None:
        """The newest version, or None."""
        versions = sorted(
            self._folder(window, control).glob("v*"), key=lambda folder: int(folder.name[1:])
        )
        return Kept(versions[-1]) if versions else None

    def not_run(self, window: Window, control: str) -> dict[str, str] | None:
        """Error class, message and place of the last crash, unless a finding came after it."""
        file = self._folder(window, control) / "not-run.json"
        return dict(json.loads(file.read_bytes())) if file.exists() else None

    def mark_not_run(self, window: Window, control: str, crash: Mapping[str, str]) -> None:
        """Remember that the control crashed on this window."""
        folder = self._folder(window, control)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "not-run.json").write_bytes(canonical(dict(crash)))

    def keep(
        self,
        window: Window,
        control: str,
        finding: dict[str, Json],
        files: Mapping[str, bytes],
        relations: Iterable[tuple[str, pa.Table]],
    ) -> Kept:
        """Store a finding as a new version that names the one it supersedes.

        The same conclusion as the latest version stores nothing and returns that one. Relations
        are asked for one by one, each when the one before is stored.
        """
        folder = self._folder(window, control)
        (folder / "not-run.json").unlink(missing_ok=True)
        before = self.latest(window, control)
        version = 1 if before is None else int(before.folder.name[1:]) + 1
        if before is not None:
            old = before.finding
            same = {**finding, "version": old["version"], "supersedes": old["supersedes"]}
            if canonical(same) == before.content:
                return before
            finding = {**finding, "version": version, "supersedes": digest(before.content)}
        folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
        (draft / "finding.json").write_bytes(canonical(finding))
        for name, content in files.items():
            (draft / name).write_bytes(content)
        _write_relations(draft, relations)
        target = folder / f"v{version}"
        if target.exists():
            shutil.rmtree(draft)
        else:
            draft.rename(target)
        return Kept(target)

    def _folder(self, window: Window, control: str) -> Path:
        return self.root / f"{window.start}_{window.end}" / control


def _known(file: Path, schema: str) -> dict[str, Any]:
    document = dict(json.loads(file.read_bytes()))
    if document.get("schema") != schema:
        raise EvidenceError(
            f"finding {file}",
            expected=schema,
            observed=str(document.get("schema")),
            remedy="Install the version of this program that wrote it; nothing was changed.",
        )
    return document


def _write_relations(draft: Path, relations: Iterable[tuple[str, pa.Table]]) -> None:
    """Write them as they come; a control that crashes half-way leaves no draft behind."""
    try:
        for name, table in relations:
            file = draft / f"{name}.parquet"
            file.parent.mkdir(exist_ok=True)
            pq.write_table(table, file)
    except BaseException:
        shutil.rmtree(draft)
        raise
