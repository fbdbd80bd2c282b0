"""A full disk, and a kill before any write: the lake is in the old state or in the new one."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from countersign.errors import EvidenceError, Fault
from countersign.records import CallText, GatewayCall

DAY = "2026-11-09"


def test_a_full_disk_leaves_the_old_state(small: Any, small_disk: Path) -> None:
    lake = type(small)(small_disk / "lake")
    lake.keep("gateway", DAY, [lake.call(1)])
    lake.admit()
    lake.keep("gateway", DAY, [lake.call(1), lake.call(2)])
    with suppress(OSError), (small_disk / "junk").open("wb") as junk:
        while True:
            junk.write(bytes(4_096))
            junk.flush()
    with pytest.raises(EvidenceError, match=str(Fault.STORAGE)):
        lake.admit()
    assert [row["call_id"] for row in lake.rows(GatewayCall)] == ["c1"]
    (small_disk / "junk").unlink()
    lake.admit()
    assert [row["call_id"] for row in lake.rows(GatewayCall)] == ["c1", "c2"]


DYING = """
import importlib.util, os, shutil, signal, sys
from pathlib import Path
from countersign.lake.delta import DeltaFolder
from countersign.lake.store import LocalStore
spec = importlib.util.spec_from_file_location("feeding", sys.argv[1])
feeding = sys.modules["feeding"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(feeding)
left = 0

def dying(write):
    def wrapped(*given, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return write(*given, **named)
    return wrapped

for owner, name in ((LocalStore, "put_new"), (LocalStore, "replace"), (DeltaFolder, "write")):
    setattr(owner, name, dying(getattr(owner, name)))
lake, copies = Path(sys.argv[2]), Path(sys.argv[3])
status = signal.SIGKILL
while os.WIFSIGNALED(status):
    copy = copies / f"{left}"
    shutil.copytree(lake, copy)
    child = os.fork()
    if child == 0:
        feeding.SmallLake(copy).admit()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    left += 1
sys.exit(status)
"""


def test_a_kill_before_any_write_leaves_old_or_new_and_a_rerun_heals(
    small: Any, tmp_path: Path
) -> None:
    """Copies of one lake are admitted by processes killed before their first, second ... write."""
    small.keep("gateway", DAY, [small.call(n, tenant="t") for n in range(5)])
    small.keep("texts", DAY, [small.said(n, "old words") for n in range(5)])
    small.admit()
    small.keep("gateway", DAY, [small.call(n, tenant="u") for n in range(8)])
    small.keep("texts", DAY, [small.said(n, "new words") for n in range(8)])
    copies = tmp_path / "copies"
    feeding = str(Path(__file__).with_name("conftest.py"))
    arguments = [sys.executable, "-c", DYING, feeding, str(small.root), str(copies)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(arguments, env=environment, check=True)
    *killed, finished = [type(small)(copies / str(n)) for n in range(len(list(copies.iterdir())))]
    assert len(killed) >= 7
    assert len(finished.rows(GatewayCall)) == 8
    for lake in killed:
        assert (len(lake.rows(GatewayCall)), len(lake.rows(CallText))) == (5, 5)
        lake.admit()
        assert {row["tenant"] for row in lake.rows(GatewayCall)} == {"u"}
        assert (len(lake.rows(GatewayCall)), len(lake.rows(CallText))) == (8, 8)
        assert lake.admit().days == 0
