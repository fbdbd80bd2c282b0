"""`make packet`: simulated weeks become one signed packet, through the real DAGs in one process.

Airflow has its own metadata database, its plugins folder and its connections here. Older weeks
are caught up in one run of `countersign_collect`; the last week goes through all four DAGs. The
sources are HTTP servers on loopback, the mail goes out through a real SMTP server on loopback.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import demo_airflow
import demo_mail
import demo_processes

from countersign.model import Window
from countersign.world import CREDENTIALS

COUNTERSIGN = Path(sys.executable).with_name("countersign")
START = time.monotonic()


def say(line: str) -> None:
    """Progress with the seconds since the start."""
    print(f"packet: {time.monotonic() - START:5.1f} s  {line}", flush=True)


def main() -> None:
    """Build the world, run the DAGs, show what came out."""
    args = _arguments()
    end = args.start + timedelta(weeks=args.weeks)
    last = Window(end - timedelta(weeks=1), end)
    _fresh(args.folder, args.out)
    port, mail_port = demo_airflow.free_port(), demo_airflow.free_port()
    say(f"simulating {args.weeks} weeks, seed {args.seed}, {args.requests_per_day} requests a day")
    _countersign(
        "world", "build", args.folder, "--seed", args.seed, "--start", args.start,
        "--weeks", args.weeks, "--requests-per-day", args.requests_per_day, "--port", port,
        *(("--scenario", args.scenario) if args.scenario else ()),
    )  # fmt: skip
    _countersign("init", args.folder)
    os.environ.update(CREDENTIALS)
    with _served(args.folder, port), demo_mail.server(mail_port) as inbox:
        demo_airflow.configure(args.folder, mail_port=mail_port)
        _run_dags(last, args.weeks)
        demo_mail.keep(inbox, args.out)
    _show(args.folder, args.out, last)


def _run_dags(last: Window, weeks: int) -> None:
    say("starting Airflow (in this process, database of its own)")
    dags = demo_airflow.Dags()
    if weeks > 1:
        history = Window(last.start - timedelta(weeks=weeks - 1), last.start)
        say(f"countersign_collect: catching up {weeks - 1} weeks, {history}")
        dags.run("countersign_collect", history)
    for day in last.days():
        say(f"countersign_collect: {day}")
        dags.run("countersign_collect", Window.day(day))
    for week in (last.history(1), last) if weeks > 1 else (last,):
        say(f"countersign_assess: {week}")
        dags.run("countersign_assess", week)
    say(f"countersign_packet: {last}")
    dags.run("countersign_packet", last)
    say(f"countersign_publish: {last}, the approval is answered through the REST API as user demo")
    with dags.answering("Approve"):
        dags.run("countersign_publish", last)


def _show(folder: Path, out: Path, last: Window) -> None:
    published = folder / "out"
    for file in sorted(published.iterdir()):
        shutil.copy2(file, out / file.name)
    findings = sorted((folder / "lake" / "findings" / f"{last.start}_{last.end}").iterdir())
    print(f"\nFindings, {last}")
    for control in findings:
        newest = max(control.glob("v*"), key=lambda f: int(f.name[1:]))
        finding = json.loads((newest / "finding.json").read_bytes())
        print(f"  {finding['control']:<22} {finding['state']:<14} {finding['reason']}")
    print("\nLeft in", f"{out}/")
    for file in sorted(out.iterdir()):
        print(f"  {file.name:<44} {file.stat().st_size:>10,} B")
    packet = next(out.glob("*.pdf"))
    bundle = next(out.glob("*.zip"))
    program = COUNTERSIGN.relative_to(Path.cwd())
    command = f"{program} verify {packet} {bundle} --key {out / 'log.vkey'}"
    print(f"\nVerify, offline:\n  {command}")
    done = subprocess.run(command.split(), check=False, capture_output=True, text=True)
    print("\n".join("  " + line for line in (done.stdout + done.stderr).splitlines()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peak_children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    say(f"done, exit {done.returncode}; largest process {max(peak, peak_children):,.0f} MB")
    raise SystemExit(done.returncode)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--weeks", type=int, default=13)
    parser.add_argument("--requests-per-day", type=int, default=1_100)
    parser.add_argument("--start", type=date.fromisoformat, default=date(2026, 8, 17))
    parser.add_argument("--scenario", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("run/demo"))
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args()


def _fresh(folder: Path, out: Path) -> None:
    if folder.exists() and not (folder / "truth.json").exists() and any(folder.iterdir()):
        sys.exit(f"packet: {folder} holds something else; choose another --folder")
    if demo_processes.marked(folder):
        sys.exit(f"packet: Airflow runs over {folder}; end it with `make down` first")
    for stale in (folder, out):
        shutil.rmtree(stale, ignore_errors=True)
        stale.mkdir(parents=True)


def _countersign(*arguments: Any) -> None:
    subprocess.run([COUNTERSIGN, *map(str, arguments)], check=True)


@contextmanager
def _served(folder: Path, port: int) -> Iterator[None]:
    """The world's APIs, in a process of their own."""
    server = subprocess.Popen([COUNTERSIGN, "world", "serve", folder, "--port", str(port)])
    try:
        demo_airflow.wait_for_port(port)
        yield
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
