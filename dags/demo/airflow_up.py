"""`make up` and `make down`: Airflow over a simulated installation, and every process ended.

The installation is the one that `make packet` left in the folder, or a small one built here. Seven
processes run until `down`: the simulated sources' HTTP server, an SMTP server that keeps what it
receives as files, Airflow's four, and one that watches them. All listen on loopback only.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import demo_airflow
import demo_processes

from countersign.world import CREDENTIALS

BIN = Path(sys.executable).parent
HERE = Path(__file__).resolve()
DAGS = {f"countersign_{name}" for name in ("collect", "assess", "packet", "publish")}
LOGIN = "reviewer"
"""The person who clicks; `demo` is the machine that approves in `make packet`."""
AIRFLOW = ("api-server", "dag-processor", "scheduler", "triggerer")
SMALL = ("2026-10-12", 5, 300)
"""First day, weeks and requests a day of the installation that `up` builds where there is none."""
START_WITHIN_S = 180.0
_START = time.monotonic()


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of an installation, and where `up` keeps its own files."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Airflow's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.folder / "logs"

    @property
    def note(self) -> Path:
        """The pid file: the watcher's process id, the address, the login."""
        return self.folder / "up.json"

    @property
    def config(self) -> dict[str, Any]:
        """The installation's own settings."""
        return tomllib.loads((self.folder / "countersign.toml").read_text(encoding="utf-8"))


def main() -> None:
    """Run one verb."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("up", "down", "keep"))
    parser.add_argument("--folder", type=Path, default=Path("run/demo"))
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--mail-port", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    place = Place(args.folder.resolve(), args.port)
    if args.verb == "up":
        up(place)
    elif args.verb == "down":
        down(place)
    else:
        demo_processes.Keeper(parts(place, args.mail_port), place.logs).watch()


def say(line: str) -> None:
    """Progress with the seconds since the start."""
    print(f"up: {time.monotonic() - _START:5.1f} s  {line}", flush=True)


def up(place: Place) -> None:
    """Start everything and return when the four DAGs can be clicked."""
    note = _running(place)
    if note is not None:
        print(f"up: runs already\n{_told(place, note)}")
        return
    if left := demo_processes.marked(place.folder):
        say(f"ending {len(left)} processes that an earlier start left")
        demo_processes.end(left)
    if not demo_airflow.is_free(place.port):
        sys.exit(f"up: port {place.port} is taken. Say PORT=8081 make up, or end what listens.")
    if not (place.folder / "truth.json").exists():
        _simulate(place.folder)
    mail_port = demo_airflow.free_port()
    password = _configure(place, mail_port)
    say("preparing Airflow's database")
    _run(place, BIN / "airflow", "db", "migrate")
    keeper = _keep(place, mail_port)
    note = {"pid": keeper.pid, "url": place.url, "login": LOGIN, "password": password}
    _private(place.note, json.dumps(note))
    try:
        _wait(place, keeper, note)
    except BaseException:
        _end(place)
        raise
    say("ready")
    print(_told(place, note))


def down(place: Place) -> None:
    """End every process that `up` started, and look that none is left."""
    ended = _end(place)
    print(f"down: {ended} processes ended" if ended else "down: nothing runs")


def parts(place: Place, mail_port: int) -> list[demo_processes.Part]:
    """The processes and their command lines."""
    simulated = urlsplit(place.config["sources"]["litellm"]["url"]).port
    # Task logs are read from the shared folder; no log server needs to listen.
    quiet = {"scheduler": ("--skip-serve-logs",), "triggerer": ("--skip-serve-logs",)}
    world = (BIN / "countersign", "world", "serve", place.folder, "--port", simulated)
    mail = (sys.executable, HERE.with_name("demo_mail.py"), "--port", mail_port,
            "--folder", place.folder / "mail")  # fmt: skip
    commands = {"sources": world, "mail": mail} | {
        name: (BIN / "airflow", name, *quiet.get(name, ())) for name in AIRFLOW
    }
    return [demo_processes.Part(n, tuple(map(str, command))) for n, command in commands.items()]


def _configure(place: Place, mail_port: int) -> str:
    """Set the environment that every process inherits; the login's password."""
    place.logs.mkdir(exist_ok=True)
    demo_airflow.configure(place.folder, mail_port=mail_port)
    os.environ.update(
        {
            "AIRFLOW__API__BASE_URL": place.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(place.port),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{LOGIN}:admin",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            **CREDENTIALS,
            **demo_processes.mark(place.folder),
        }
    )
    return demo_airflow.password(Path(os.environ["AIRFLOW_HOME"]), LOGIN)


def _simulate(folder: Path) -> None:
    """A small world: `make packet` makes a large one."""
    say("no installation here: simulating {1} weeks from {0}, {2} requests a day".format(*SMALL))
    folder.mkdir(parents=True, exist_ok=True)
    program, port = BIN / "countersign", demo_airflow.free_port()
    build = ("world", "build", folder, "--start", SMALL[0], "--weeks", SMALL[1],
             "--requests-per-day", SMALL[2])  # fmt: skip
    for command in ((*build, "--port", port), ("init", folder)):
        subprocess.run([program, *map(str, command)], check=True, stdout=subprocess.DEVNULL)


def _keep(place: Place, mail_port: int) -> subprocess.Popen[bytes]:
    say(f"starting {', '.join(AIRFLOW)}, the simulated sources and an SMTP server")
    command = [sys.executable, HERE, "keep", "--folder", place.folder, "--port", place.port,
               "--mail-port", mail_port]  # fmt: skip
    with (place.logs / "keeper.log").open("ab") as log:
        return subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait(place: Place, keeper: subprocess.Popen[bytes], note: Mapping[str, Any]) -> None:
    """Until every part says it is healthy and the four DAGs are listed."""
    login = {"username": note["login"], "password": note["password"]}
    until, shown = time.monotonic() + START_WITHIN_S, ""
    while time.monotonic() < until:
        if keeper.poll() is not None:
            sys.exit(f"up: {place.logs / 'keeper.log'} says why it ended")
        waiting = demo_airflow.waiting_for(place.url, login, DAGS)
        if not waiting:
            return
        if waiting != shown:
            say(f"waiting for {waiting}")
            shown = waiting
        time.sleep(0.5)
    sys.exit(f"up: still waiting for {shown} after {START_WITHIN_S:.0f} s; logs: {place.logs}")


def _running(place: Place) -> dict[str, Any] | None:
    """The note of a start whose watcher lives."""
    if not place.note.exists():
        return None
    note: dict[str, Any] = json.loads(place.note.read_text())
    return note if note["pid"] in demo_processes.marked(place.folder) else None


def _end(place: Place) -> int:
    """Ask the watcher first, so that it restarts nothing; then whatever is left."""
    running = demo_processes.marked(place.folder)
    note = json.loads(place.note.read_text()) if place.note.exists() else {}
    if note.get("pid") in running or (note and not demo_processes.PROC.is_dir()):
        demo_processes.end([note["pid"]], [signal.SIGTERM])
    demo_processes.end(demo_processes.marked(place.folder))
    if left := demo_processes.marked(place.folder):
        sys.exit(f"down: processes {left} do not end")
    place.note.unlink(missing_ok=True)
    return len(running)


def _told(place: Place, note: Mapping[str, Any]) -> str:
    """What a person needs to go on."""
    end = date.fromisoformat(json.loads((place.folder / "world.json").read_text())["end"])
    start = end - timedelta(weeks=1)
    return f"""
  Airflow   {note["url"]}
  login     {note["login"]}   password  {note["password"]}

  1. Dags > countersign_collect > Trigger: First day {start}, Day after the last {end}.
  2. Switch countersign_packet and countersign_publish on, then trigger countersign_assess with the
     same two days: the packet and the question follow on their own.
  3. Browse > Required Actions: read the question, approve or reject.

  Mail comes to {_short(place.folder / "mail")}, published files to {_short(place.folder / "out")},
  logs to {_short(place.logs)}. End everything: make down
"""


def _short(path: Path) -> str:
    return os.path.relpath(path)


def _run(place: Place, *command: object) -> None:
    with (place.logs / "setup.log").open("ab") as log:
        done = subprocess.run([str(c) for c in command], check=False, stdout=log, stderr=log)
    if done.returncode != 0:
        sys.exit(f"up: {' '.join(map(str, command))} failed; see {place.logs / 'setup.log'}")


def _private(file: Path, content: str) -> None:
    """Write a file that only its owner reads."""
    file.touch(mode=0o600)
    file.write_text(content + "\n")


if __name__ == "__main__":
    main()
