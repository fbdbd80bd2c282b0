"""Where the program meets a person: lines out, failures as sentences, exit codes. Light to load.

Exit 0: the work was done, whatever the findings say. 1: not satisfied or invalid (`verify`,
`assess --table`, `log check`). 2: wrong use or configuration. 3: a source or I/O failed.
Answers go to stdout, progress to stderr.
"""

import errno
import json
import sys
from collections.abc import Callable
from typing import Any

from countersign.errors import (
    ConfigError,
    CountersignError,
    EvidenceError,
    Fault,
    SourceError,
    VerificationError,
)

EXIT_CODES = {ConfigError: 2, SourceError: 3, EvidenceError: 3, VerificationError: 1}
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def say(line: str) -> None:
    """Progress, for the person who waits: stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def answer(text: str, document: Any, *, as_json: bool) -> None:
    """The result, for a person or a program: stdout."""
    sys.stdout.write((json.dumps(document, indent=2) if as_json else text) + "\n")


def guard(run: Callable[[], object]) -> None:
    """Run; a failure that a person can act on is a sentence, not a traceback."""
    try:
        run()
    except CountersignError as error:
        say(f"countersign: {error}")
        raise SystemExit(EXIT_CODES.get(type(error), 3)) from None
    except OSError as error:
        if error.errno not in _DISK:
            raise
        say(
            f"countersign: {error.filename or 'writing'}: {Fault.STORAGE}: {error.strerror}. "
            "Free space or fix permissions, then run it again: the old state is unharmed."
        )
        raise SystemExit(3) from None
