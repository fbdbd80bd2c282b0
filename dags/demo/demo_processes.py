"""The processes of `make up`: each in a group of its own, watched, found again, ended.

Every process carries the installation's folder in its environment. That mark finds all of them
and their children again, whatever happened to the pid file or to the process that watched them.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MARK = "COUNTERSIGN_UP"
PROC = Path("/proc")
MOST_RESTARTS = 5
_GRACE_S = 20.0


@dataclass(frozen=True, slots=True)
class Part:
    """One process: its name, which is its log file's too, and its command line."""

    name: str
    command: tuple[str, ...]


def mark(folder: Path) -> dict[str, str]:
    """What a marked process has in its environment."""
    # setproctitle writes over /proc/PID/environ unless it is told not to.
    return {MARK: str(folder.resolve()), "SPT_NOENV": "1"}


def marked(folder: Path) -> list[int]:
    """Every living process of this folder except this one; empty where there is no /proc."""
    wanted = f"{MARK}={folder.resolve()}".encode()
    found = []
    for entry in PROC.glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in environment and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return sorted(found)


def end(pids: Iterable[int], signals: Iterable[int] = (signal.SIGTERM, signal.SIGKILL)) -> None:
    """Signal each process, wait until it is gone, then signal harder."""
    left = list(pids)
    for number in signals:
        for pid in left:
            _signal(pid, number)
        until = time.monotonic() + _GRACE_S
        while (left := [pid for pid in left if _is_alive(pid)]) and time.monotonic() < until:
            time.sleep(0.1)


class Keeper:
    """Starts the parts, restarts one that dies, ends all when it is told to."""

    def __init__(self, parts: Iterable[Part], logs: Path) -> None:
        self._logs = logs
        self._running = {part: self._start(part) for part in parts}
        self._restarts = dict.fromkeys(self._running, 0)
        self._is_told_to_end = False

    def watch(self) -> None:
        """Until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        while not self._is_told_to_end:
            time.sleep(0.2)
            for part, process in list(self._running.items()):
                if process.poll() is not None:
                    self._revive(part, process)
        for process in self._running.values():
            _signal_group(process, signal.SIGTERM)
        self._wait()
        for process in self._running.values():
            _signal_group(process, signal.SIGKILL)

    def _told(self, *_signal: object) -> None:
        self._is_told_to_end = True

    def _start(self, part: Part) -> subprocess.Popen[bytes]:
        with (self._logs / f"{part.name}.log").open("ab") as log:
            return subprocess.Popen(
                part.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _revive(self, part: Part, process: subprocess.Popen[bytes]) -> None:
        # Its children survive it (a scheduler's workers do) and would stay for ever.
        _signal_group(process, signal.SIGKILL)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._restarts[part] += 1
        if self._restarts[part] > MOST_RESTARTS:
            print(f"{now} {part.name} left dead, exit {process.returncode}", flush=True)
            del self._running[part]
            return
        print(f"{now} {part.name} ended, exit {process.returncode}; restarted", flush=True)
        time.sleep(1)
        self._running[part] = self._start(part)

    def _wait(self) -> None:
        until = time.monotonic() + _GRACE_S
        for process in self._running.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _is_alive(pid: int) -> bool:
    """A zombie counts as gone: it only waits for its parent."""
    try:
        os.kill(pid, 0)
        return not (PROC / str(pid) / "stat").read_text().rpartition(")")[2].startswith(" Z")
    except ProcessLookupError:
        return False
    except OSError:
        return not PROC.is_dir()
