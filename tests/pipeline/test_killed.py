"""`kill -9` at random moments of `collect` and `admit`: in the end the lake is as if undisturbed.

The commands are the program's own, each in a process of its own; only their imports are done
beforehand, so that the moments fall into the work. The sources are served on loopback.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from countersign.pipeline import admit
from countersign.pipeline.collect import collect

DERIVED = (
    *("raw", "page_keys", "manifests", "tables", "suites", "vocabulary", "known_fields", "locks"),
    *("log", "tmp", "admitted.json"),
)
DYING = """
import os, random, signal, sys, time
import great_expectations, deltalake, duckdb  # what a command loads late is loaded beforehand
import countersign.pipeline.admit, countersign.pipeline.collect, countersign.pipeline.workspace
from countersign.cli import main

window, config, again, kills, seed = *sys.argv[1:4], int(sys.argv[4]), sys.argv[5]
random = random.Random(seed)

def begun(verb, config):
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        words = ["--window", window] if verb == "collect" else []
        sys.argv = ["countersign", verb, *words, "--config", config]
        try:
            main()
        except SystemExit as ended:
            os._exit(ended.code or 0)
        os._exit(0)
    return pid

def whole(verb, config):
    assert os.waitpid(begun(verb, config), 0)[1] == 0, f"{verb} did not come through"

killed = 0
for verb in ("collect", "admit"):
    began = time.monotonic()
    whole(verb, again)
    takes = time.monotonic() - began
    for _ in range(kills):
        pid = begun(verb, config)
        time.sleep(random.uniform(0, takes))
        os.kill(pid, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    whole(verb, config)
print(killed)
"""


@pytest.fixture(scope="module")
def undisturbed(calm: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A week from the loopback world, collected and admitted without trouble."""
    site = calm.copy(tmp_path_factory.mktemp("whole") / "site")
    with site.serve():
        collect(site.open(), site.week)
    admit.admit(site.open())
    return site


def fresh(undisturbed: Any, folder: Path) -> Any:
    """The same installation before anything was collected; its salts are drawn already."""
    site = undisturbed.copy(folder, *DERIVED)
    site.open().log.append([undisturbed.open().log.entry(0)])
    return site


def state(site: Any) -> dict[str, Any]:
    """Everything that must be the same after trouble, row for row."""
    ws = site.open()
    ws.log.check()
    lake, admitted = ws.lake, ws.lake.admitted()
    days = {day for _, day in admitted.days}
    manifests = lake.raw.manifests()
    for (source, day), manifest in manifests.items():
        for page in manifest.pages:
            assert lake.raw.page(source, day, page.digest), "every listed page can be opened"
    return {
        "pages": {key: (m.version, m.status, m.pages, m.final) for key, m in manifests.items()},
        "days": admitted.days,
        "rows": {
            name: sorted(map(repr, lake.delta.read(name, version, days).to_pylist()))
            for name, version in admitted.tables.items()
        },
        "entries": sorted(ws.log.entry(index) for index in range(ws.log.size)),
    }


def round_of(undisturbed: Any, folder: Path, kills: int, seed: str) -> int:
    """Kill each command so many times on a fresh lake, then let it end; how many kills hit."""
    site, again = fresh(undisturbed, folder / "site"), fresh(undisturbed, folder / "again")
    arguments = [str(site.week), str(site.config), str(again.config), str(kills), seed]
    with site.serve():
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", DYING, *arguments],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert state(site) == state(again) == state(undisturbed), f"seed {seed}"
    shutil.rmtree(folder)
    return int(ended.stdout.split()[-1])


def test_a_few_kills_leave_the_lake_of_an_undisturbed_run(undisturbed: Any, tmp_path: Path) -> None:
    assert round_of(undisturbed, tmp_path / "few", 4, "few") >= 4


@pytest.mark.slow
def test_two_hundred_kills_leave_the_lake_of_an_undisturbed_run(
    undisturbed: Any, tmp_path: Path
) -> None:
    killed = number = 0
    while killed < 200:
        number += 1
        killed += round_of(undisturbed, tmp_path / str(number), 10, f"moment {number}")
        assert number < 40, "too many commands ended before they were killed"
