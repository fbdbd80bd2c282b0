"""`make packet` as a whole process, and a cold `countersign verify`, each against a floor.

Prints wall and CPU seconds, the largest process, and ratios in the same run: the packet against
simulating its traffic (the floor: making the data that everything else reads), the verification
against `python -c pass`.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
COUNTERSIGN = Path(PYTHON).with_name("countersign")


def measure(*command: object) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds of the process tree, and the largest process so far in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, after.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weeks", type=int, default=13)
    parser.add_argument("--requests-per-day", type=int, default=1_100)
    args = parser.parse_args()
    size = ("--weeks", args.weeks, "--requests-per-day", args.requests_per_day)
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as scratch:
        folder = Path(scratch)
        _, floor, _ = measure(COUNTERSIGN, "world", "build", folder / "world", *size)
        demo = (PYTHON, "dags/demo/packet.py", *size)
        wall, cpu, peak = measure(*demo, "--folder", folder / "demo", "--out", folder / "out")
        print(f"make packet, {args.weeks} weeks x {args.requests_per_day}/day")
        print(f"  wall {wall:.0f} s, CPU {cpu:.0f} s, largest process {peak:,.0f} MB")
        print(f"  CPU / simulating the traffic ({floor:.0f} s): {cpu / floor:.1f}")
        passes = [measure(PYTHON, "-c", "pass")[1] for _ in range(7)]
        bundle = next((folder / "out").glob("*.zip"))
        verify = (COUNTERSIGN, "verify", bundle, "--key", folder / "out" / "log.vkey")
        colds = [measure(*verify)[1] for _ in range(7)]
        print("cold verification of one attestation, least CPU of 7")
        print(f"  {min(colds) * 1000:.0f} ms, python -c pass {min(passes) * 1000:.0f} ms")
        print(f"  ratio {min(colds) / min(passes):.1f} (target 15)")


if __name__ == "__main__":
    main()
