"""Work measured in a process of its own, so that nothing before it counts."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

Work = Callable[[Path], str]


def measured(work: Work, folder: Path) -> tuple[float, float, str]:
    """CPU seconds, peak gigabytes and the words of the work, done in a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(work, folder, theirs))
    process.start()
    theirs.close()
    found: tuple[float, float, str] = ours.recv()
    process.join()
    return found


def _measure(work: Work, folder: Path, answer: "Connection[object, object]") -> None:
    before = time.process_time()
    said = work(folder)
    spent = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_048_576
    answer.send((spent, peak, said))
