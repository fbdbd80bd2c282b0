"""Installs a LiteLLM proxy for the tests, outside the repository: `python installation.py FOLDER`.

Built once, and found again: a virtual environment with the pinned packages, and, where Node is
there, the stand-in for Prisma's query engine (`query-engine.cjs`), which LiteLLM needs for its
database and which cannot be fetched everywhere. Says in its last line what it could not do.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

LITELLM = "1.106.2"
PACKAGES = (f"litellm[proxy]=={LITELLM}", "prisma==0.15.0")
ENGINE = ("@prisma/client@5.17.0", "@prisma/adapter-pg@5.17.0", "pg@8")
STAND_IN = Path(__file__).with_name("query-engine.cjs")


def environment(folder: Path) -> dict[str, str]:
    """What the proxy's process needs to find its own programs and the stand-in."""
    engine = str(folder / "query-engine")
    return {
        "PATH": f"{folder / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "COUNTERSIGN_TEST_ENGINE": str(folder / "engine"),
        "PRISMA_HOME_DIR": str(folder),
        "PRISMA_QUERY_ENGINE_BINARY": engine,
        "PRISMA_QUERY_ENGINE_LIBRARY": engine,
        "PRISMA_SCHEMA_ENGINE_BINARY": engine,
        "PRISMA_CLI_QUERY_ENGINE_TYPE": "binary",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "DISABLE_SCHEMA_UPDATE": "true",
    }


def packages(folder: Path) -> Path:
    """Where the environment keeps its packages."""
    return next((folder / "venv" / "lib").glob("python*/site-packages"))


def install(folder: Path) -> None:
    done = folder / "venv" / ".done"
    if done.exists():
        return
    shutil.rmtree(folder / "venv", ignore_errors=True)
    _run(folder, sys.executable, "-m", "venv", str(folder / "venv"))
    _run(folder, str(folder / "venv" / "bin" / "pip"), "install", "--quiet", *PACKAGES)
    done.touch()


def install_engine(folder: Path) -> None:
    done = folder / "engine" / ".done"
    if done.exists():
        return
    (folder / "engine").mkdir(exist_ok=True)
    (folder / "engine" / "package.json").write_text("{}")
    (folder / "query-engine").write_text(f'#!/bin/sh\nexec node "{STAND_IN}" "$@"\n')
    (folder / "query-engine").chmod(0o755)
    _run(folder, "npm", "install", "--ignore-scripts", "--no-audit", *ENGINE, within="engine")
    schema = packages(folder) / "litellm" / "proxy" / "schema.prisma"
    prisma = str(folder / "venv" / "bin" / "prisma")
    _run(folder, prisma, "generate", "--schema", str(schema))
    done.touch()


def _run(folder: Path, *command: str, within: str = ".") -> None:
    variables = os.environ | environment(folder)
    ended = subprocess.run(
        command, cwd=folder / within, env=variables, check=False, capture_output=True, text=True
    )
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip().splitlines() or ["nothing said"]
        sys.exit(f"{Path(command[0]).name} {command[1]}: {said[-1]}")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with (target / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install(target)
        if not shutil.which("node") or not shutil.which("npm"):
            sys.exit("node and npm are needed for the proxy's database")
        install_engine(target)
