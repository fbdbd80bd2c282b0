"""One at a time: of two processes that would do the same work, the second is told, not queued."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom

from countersign.errors import EvidenceError
from countersign.pipeline.workspace import Workspace


@contextmanager
def alone(ws: Workspace, work: str, thing: str) -> Iterator[None]:
    """Do a piece of work while no other process of this installation does it.

    The system frees the lock when a process dies. Where installations on several machines share
    an object store, conditional creation and the tables' own commits guard what they write.

    Raises:
        EvidenceError: somebody else is at it; nothing was changed.
    """
    lock = ws.lake_root / "locks" / work
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(thing, file) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _taken(thing: str, file: BufferedRandom) -> EvidenceError:
    file.seek(0)
    owner = file.read(200).decode("utf-8", "replace") or "a process that just began"
    return EvidenceError(
        thing,
        expected="one run at a time",
        observed=f"{owner} at the same work",
        remedy="Nothing was changed here: let it end, then run this again.",
    )
