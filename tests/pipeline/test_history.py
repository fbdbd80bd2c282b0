"""A repository and an evaluation export as configured sources, from collection to rows."""

import os
import subprocess
from pathlib import Path

import pytest

from countersign import config
from countersign.errors import SourceError
from countersign.model import Window
from countersign.pipeline import keys
from countersign.pipeline.admit import admit
from countersign.pipeline.collect import collect, own_days, reader
from countersign.pipeline.workspace import Workspace
from countersign.records import GoldenCase, Outcome, PromptChange, Record

DAY = Window.parse("2026-11-02/2026-11-03")
SITE = """
[countersign]
entity = "Aster Bank AG"

[sources.prompts]
connector = "prompt-history"
url = "git:repo"

[sources.golden]
connector = "eval-export"
url = "file:evaluations"
set = "support"

[sources.outcomes]
connector = "eval-export"
url = "file:evaluations"
set = "support"
records = ["outcome"]
"""
ROWS = """{"case_id": "g-1", "run_id": "r", "passed": true}
{"request_id": "req-1", "resolved": true, "at": "2026-11-02T09:00:00Z"}
{"request_id": "req-2", "resolved": false, "at": "2026-11-01T09:00:00Z"}
"""


@pytest.fixture
def site(tmp_path: Path) -> Workspace:
    (tmp_path / "repo" / "prompts").mkdir(parents=True)
    (tmp_path / "repo" / "prompts" / "a.txt").write_text("Be brief.")
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "evaluations" / "run.jsonl").write_text(ROWS)
    who = {f"GIT_{r}_{k}": "a@b" for r in ("AUTHOR", "COMMITTER") for k in ("NAME", "EMAIL")}
    fixed = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, **who}
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path / "repo", env=fixed, check=True)
    (tmp_path / "countersign.toml").write_text(SITE)
    return Workspace(config.load(tmp_path / "countersign.toml"))


def rows(ws: Workspace, kind: type[Record]) -> int:
    tables = ws.lake.tables(DAY)
    return int(tables.run(tables.table(kind)).num_rows)


@pytest.mark.platform
def test_repository_and_export_become_rows(site: Workspace) -> None:
    pytest.importorskip("great_expectations")
    keys.make(site)
    collected = collect(site, DAY)
    assert [c.failed for c in collected] == [(), (), ()]
    admit(site)
    assert (rows(site, PromptChange), rows(site, GoldenCase), rows(site, Outcome)) == (1, 1, 1)


def test_knowledge_has_no_day_and_outcomes_have_theirs(site: Workspace) -> None:
    assert own_days(site.sources["prompts"], DAY) == ["dated"]
    assert own_days(site.sources["golden"], DAY) == ["dated"]
    assert own_days(site.sources["outcomes"], DAY) == ["2026-11-02"]


def test_repository_is_read_where_the_configuration_says(site: Workspace) -> None:
    [page] = reader(site, "prompts")(DAY)
    assert b"Be brief." in page
    assert b"\x00commit\x00" in page


def test_source_of_both_kinds_at_once_is_refused(site: Workspace, tmp_path: Path) -> None:
    both = SITE.replace('records = ["outcome"]', 'records = ["outcome", "golden_case"]')
    (tmp_path / "countersign.toml").write_text(both)
    ws = Workspace(config.load(tmp_path / "countersign.toml"))
    with pytest.raises(SourceError, match="records = one of golden_case, outcome"):
        list(reader(ws, "outcomes")(DAY))
    del site
