"""The edge where a git repository is read: by the `git` program, without running what it holds.

A repository is a stranger's folder: its configuration could name programs. Nothing is checked
out or fetched; hooks, filters, pagers, signatures and file-system monitors are off.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from countersign.connectors.wire.git_page import FORMAT
from countersign.errors import Fault, SourceError

SCHEME: Final = "git:"
_MOST: Final = 512 * 2**20
"""Bytes of all versions of all governed files; a repository of prompts has a thousandth."""
_OFF: Final = (
    "core.fsmonitor=false",
    "core.hooksPath=" + os.devnull,
    "core.attributesFile=" + os.devnull,
    "protocol.allow=never",
    "log.showSignature=false",
    "diff.renames=false",
)
_LOG: Final = (
    "log",
    "--full-history",
    "--parents",
    "--topo-order",
    "--reverse",
    "--diff-merges=first-parent",
    "--raw",
    "-z",
    "--no-abbrev",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-mailmap",
    "--no-color",
    "--no-notes",
    "--no-show-signature",
    "--encoding=UTF-8",
    f"--format={FORMAT}",
)


@dataclass(frozen=True)
class GitRepository:
    """Read-only questions to one repository on disk (`History`)."""

    source: str
    root: Path
    timeout_s: int = 600

    def log(self, branch: str, paths: Sequence[str]) -> bytes:
        """Every commit of the branch that touched the paths, every merge, and their changes.

        Raises:
            SourceError: no repository, no such branch, git is not there, or it refuses.
        """
        tip = self._git(("rev-parse", "--verify", "--end-of-options", f"{branch}^{{commit}}"))
        globs = [f":(top,glob){path}" for path in paths]
        return self._git((*_LOG, "--end-of-options", tip.decode().strip(), "--", *globs))

    def blobs(self, names: Sequence[str]) -> bytes:
        """The objects of these names, as `git cat-file --batch` prints them.

        Raises:
            SourceError: git refuses, or they are more than a repository of prompts can hold.
        """
        asked = "".join(f"{name}\n" for name in names).encode()
        sizes = self._git(("cat-file", "--batch-check=%(objectsize)"), asked)
        total = sum(int(line) for line in sizes.split(b"\n") if line.isdigit())
        if total > _MOST:
            raise self._error(
                f"at most {_MOST} bytes of governed files", f"{total}",
                "Name the governed files in `artifacts` more closely.",
            )  # fmt: skip
        return self._git(("cat-file", "--batch"), asked)

    def _git(self, words: Sequence[str], asked: bytes = b"") -> bytes:
        off = [word for setting in _OFF for word in ("-c", setting)]
        command = ["git", "--no-pager", "--no-replace-objects", *off, "-C", str(self.root), *words]
        try:
            done = subprocess.run(
                command, input=asked, capture_output=True, check=False,
                timeout=self.timeout_s, env=_environment(self.root),
            )  # fmt: skip
        except FileNotFoundError:
            raise self._error("the program git", "not installed", "Install git.") from None
        except subprocess.TimeoutExpired:
            raise self._error(f"an answer in {self.timeout_s} s", "none", "") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[:300]
            raise self._error(
                f"a git repository at {self.root} that may be read", said,
                "A folder of another owner must be named in git's safe.directory of the system.",
            )  # fmt: skip
        return done.stdout

    def _error(self, expected: str, observed: str, remedy: str) -> SourceError:
        return SourceError(
            self.source,
            Fault.REFUSED,
            page="history",
            expected=expected,
            observed=observed,
            remedy=remedy,
        )


def _environment(root: Path) -> dict[str, str]:
    """Nothing of the caller's git settings; no prompt, no fetch on demand, no folder above."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(root.resolve().parent),
    }
