"""A full disk and a kill -9: the old state or the new one, and the same end after a rerun."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from countersign.pipeline import admit, assess, seal
from countersign.pipeline.assess import findings
from countersign.pipeline.collect import collect

KILLS = 4
SEALED = ("data-residency",)
DYING = """
import os, random, signal, sys, time
import great_expectations, weasyprint  # what a verb loads late is loaded before the clock runs
from countersign.model import Window
from countersign.pipeline import admit, assess, collect, seal
from countersign.pipeline.workspace import open_workspace

config, window, kills, seed = sys.argv[1], Window.parse(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
random = random.Random(seed)
verbs = {
    "collect": lambda ws: collect.collect(ws, window),
    "admit": admit.admit,
    "seal": lambda ws: (assess.assess(ws, window, ("data-residency",)), seal.seal(ws, window)),
}

def child(verb):
    pid = os.fork()
    if pid == 0:
        verb(open_workspace(config))
        os._exit(0)
    return pid

killed = 0
for name, verb in verbs.items():
    started, longest = time.monotonic(), 0.5
    for _ in range(kills):
        pid = child(verb)
        time.sleep(random.uniform(0.01, longest))
        os.kill(pid, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        longest *= 1.7
    pid = child(verb)
    assert os.waitpid(pid, 0)[1] == 0, f"{name} did not come through after it was killed"
print(killed)
"""


@pytest.fixture(scope="module")
def undisturbed(calm: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A week of files, collected, admitted, assessed and sealed without trouble."""
    site = calm.copy(tmp_path_factory.mktemp("undisturbed") / "site")
    site.read_files()
    ws = site.open()
    collect(ws, site.week)
    admit.admit(ws)
    assess.assess(ws, site.week, SEALED)
    seal.seal(ws, site.week)
    return site


@pytest.fixture
def fresh(undisturbed: Any, tmp_path: Path) -> Any:
    """The same installation before anything was collected; its salts are drawn already."""
    site = undisturbed.copy(
        tmp_path / "site",
        *("raw", "manifests", "tables", "suites", "findings", "seals", "vocabulary"),
        *("admitted.json", "tmp"),
    )
    ws, before = site.open(), undisturbed.open()
    key = before.log.entry(0)
    for file in sorted((ws.lake_root / "log").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    site.open().log.append([key])
    return site


def state(site: Any) -> dict[str, Any]:
    """Everything that must be the same after trouble; the clock is fixed by the configuration."""
    ws = site.open()
    ws.log.check()
    admitted = ws.lake.admitted()
    kept = {name: findings(ws).latest(site.week, name) for name in SEALED}
    days = [str(day) for day in site.week.days()] + ["dated"]
    tables = {
        name: ws.lake.delta.read(name, version, days).num_rows
        for name, version in admitted.tables.items()
    }
    return {
        "pages": {
            key: (m.version, m.status, m.pages) for key, m in ws.lake.raw.manifests().items()
        },
        "days": admitted.days,
        "rows": tables,
        "findings": {name: k.content for name, k in kept.items() if k},
        "entries": sorted(ws.log.entry(index) for index in range(ws.log.size)),
    }


def test_killed_at_random_moments_and_run_again_it_ends_as_if_undisturbed(
    undisturbed: Any, fresh: Any
) -> None:
    arguments = [str(fresh.config), str(fresh.week), str(KILLS), "moments"]
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DYING, *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert int(ended.stdout.split()[-1]) >= KILLS
    assert state(fresh) == state(undisturbed)


def limited(size: int) -> Callable[[], None]:
    """No file of the process may grow beyond a size: what a full disk does, without a disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_while_collecting_names_source_page_and_cause(
    undisturbed: Any, fresh: Any, countersign_process: Callable[..., Any]
) -> None:
    words = ("collect", "--window", str(fresh.week), "--config", str(fresh.config))
    ended = countersign_process(*words, preexec_fn=limited(90_000))
    assert ended.returncode == 3
    assert "source litellm, page 2026-11-09/" in ended.stderr
    assert "storage failed" in ended.stderr
    assert "File too large" in ended.stderr
    assert "Traceback" not in ended.stderr
    collect(fresh.open(), fresh.week)
    pages = {key: m.pages for key, m in fresh.open().lake.raw.manifests().items()}
    assert pages == {key: m.pages for key, m in undisturbed.open().lake.raw.manifests().items()}


@pytest.mark.parametrize(
    ("verb", "limit"), [("admit", 20_000), ("seal", 2_000), ("render", 100_000)]
)
def test_a_full_disk_leaves_the_old_state_and_the_next_run_the_new_one(
    undisturbed: Any, countersign_process: Callable[..., Any], tmp_path: Path, verb: str, limit: int
) -> None:
    site = undisturbed.copy(tmp_path / "site")
    ws = site.open()
    if verb == "admit":
        (ws.lake_root / "admitted.json").unlink()
    if verb == "seal":
        (ws.lake_root / "seals" / f"{site.week.start}_{site.week.end}.json").unlink()
        ws.log.append([b'{"type":"test"}'])
        kept = findings(ws).latest(site.week, "data-residency")
        changed = dict(kept.finding) | {"reason": "Another conclusion."}
        pieces = [(f"hops/{file.stem}", pq.read_table(file)) for file in kept.pieces("hops")]
        relations = [("requests", kept.relation("requests")), *pieces]
        findings(ws).keep(site.week, "data-residency", changed, {}, relations)
    before = snapshot(site)
    words = [verb, "--config", str(site.config)]
    words += [] if verb == "admit" else ["--window", str(site.week)]
    ended = countersign_process(*words, preexec_fn=limited(limit))
    assert ended.returncode == 3, ended.stderr[-1_500:]
    assert "storage failed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert snapshot(site) == before
    again = countersign_process(*words)
    assert again.returncode == 0, again.stderr[-1_500:]
    assert snapshot(site) != before
    site.open().log.check()


def snapshot(site: Any) -> tuple[Any, ...]:
    """What readers of the lake see."""
    ws = site.open()
    packets = ws.lake_root / "packets"
    return (
        ws.lake.admitted(),
        ws.log.size,
        sorted(ws.lake.store.names("seals")),
        sorted(p.name for p in packets.rglob("*.pdf")) if packets.exists() else [],
    )
