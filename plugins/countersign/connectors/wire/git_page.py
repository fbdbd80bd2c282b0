"""A page of git's own output: the bytes of every version, and behind them the log.

Blobs come as `git cat-file --batch` prints them, sized and therefore in need of no separator.
The log's fields are divided by NUL, which no message and no path can hold.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from countersign.canonical import digest
from countersign.connectors.wire.page import Page
from countersign.errors import Fault

FORMAT: Final = "%x00commit%x00%H%x00%P%x00%an <%ae>%x00%at%x00%ct%x00%B%x00"
"""git's format of one commit; its changes follow as `--raw -z` writes them."""
END: Final = b"\x00end\n"
"""Behind the log of a page: git's output has no end of its own."""
_FIELDS: Final = 6
_BLOB: Final = re.compile(
    rb"([0-9a-f]{40}(?:[0-9a-f]{24})?) (?:(blob|tree|commit|tag) (\d{1,12})|missing)\n"
)
_CHANGE: Final = re.compile(
    r"\n?:(?P<was>\d{6}) (?P<mode>\d{6}) (?P<old>[0-9a-f]{40,64}) (?P<new>[0-9a-f]{40,64}) [A-Z]\d*"
)
_HASH: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REGULAR: Final = ("100644", "100755", "000000")
_YEAR_9999: Final = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Change:
    """One path that a commit changed, by git's names of its bytes; all zeros is no file."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. `parents` are the nearest commits that are listed, the first one first."""

    name: str
    parents: tuple[str, ...]
    author: str
    authored_at: int
    committed_at: int
    message: str
    changes: tuple[Change, ...]


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(_WILD.get(part) or re.escape(part) for part in parts), re.DOTALL)


_WILD: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def fits(pattern: str, path: str) -> bool:
    """Whether a path is one of those that a glob of git's means; a folder means all within."""
    return _glob(pattern).fullmatch(path) is not None or path.startswith(pattern.rstrip("/") + "/")


def wanted(log: bytes) -> list[str]:
    """git's names of all bytes that a log speaks of, each once; a message may add to them."""
    found: dict[str, None] = {}
    for token in log.decode("utf-8", "replace").split("\x00"):
        match = _CHANGE.fullmatch(token)
        if match:
            found |= dict.fromkeys(n for n in (match["old"], match["new"]) if n.strip("0"))
    return list(found)


def blobs(page: Page) -> tuple[Mapping[str, str], bytes]:
    """SHA-256 by git's name of each blob, and what follows: the log.

    Raises:
        SourceError: the last blob is cut short.
    """
    found: dict[str, str] = {}
    at = 0
    while match := _BLOB.match(page.body, at):
        at = match.end()
        if match[2]:
            content = page.body[at : at + int(match[3])]
            at += int(match[3]) + 1
            if at > len(page.body):
                raise page.fault(Fault.TRUNCATED, f"{match[3].decode()} bytes", f"{len(content)}")
            found[match[1].decode()] = digest(content)
    return found, page.body[at:]


def commits(page: Page, log: bytes) -> Iterator[Commit]:
    """The commits of a log, in its order.

    Raises:
        SourceError: the log is cut short, or is none.
    """
    if not log.endswith(END):
        is_git = log[:1] == b"\x00" or len(log) < len(page.body)
        fault = Fault.TRUNCATED if is_git else Fault.MALFORMED
        raise page.fault(fault, "the end of a git log", repr(log[-20:]))
    if not log.startswith(b"\x00"):
        raise page.fault(Fault.MALFORMED, "a git log behind its blobs", repr(log[:20]))
    tokens = log.removesuffix(END).decode("utf-8", "replace").split("\x00")[1:]
    at = 0
    while at < len(tokens):
        if tokens[at] in ("", "\n"):
            at += 1
            continue
        commit, at = _commit(page, tokens, at)
        yield commit


def _commit(page: Page, tokens: list[str], at: int) -> tuple[Commit, int]:
    if tokens[at].strip("\n") != "commit" or at + _FIELDS >= len(tokens):
        raise page.fault(Fault.MALFORMED, "a commit", repr(tokens[at][:40]))
    name, parents, author, authored, committed, message = tokens[at + 1 : at + 1 + _FIELDS]
    if not all(_HASH.fullmatch(each) for each in (name, *parents.split())):
        raise page.fault(Fault.MALFORMED, "names of commits", repr(name[:40]))
    found, at = _changes(page, tokens, at + 1 + _FIELDS)
    read = Commit(
        name=name,
        parents=tuple(parents.split()),
        author=author,
        authored_at=_seconds(page, authored),
        committed_at=_seconds(page, committed),
        message=message,
        changes=tuple(found),
    )
    return read, at


def _changes(page: Page, tokens: list[str], at: int) -> tuple[list[Change], int]:
    found: list[Change] = []
    while at < len(tokens):
        if tokens[at] in ("", "\n"):
            at += 1
            continue
        match = _CHANGE.fullmatch(tokens[at])
        if match is None:
            break
        if at + 1 == len(tokens):
            raise page.fault(Fault.MALFORMED, "a path behind a change", "the end")
        if match["mode"] in _REGULAR and match["was"] in _REGULAR:  # no links, no submodules
            found.append(Change(tokens[at + 1], match["old"], match["new"]))
        at += 2
    return found, at


def _seconds(page: Page, said: str) -> int:
    """A time in microseconds."""
    if not (said.isascii() and said.isdigit() and len(said) < 13) or int(said) > _YEAR_9999:
        raise page.fault(Fault.MALFORMED, "seconds since 1970", repr(said[:40]))
    return int(said) * 1_000_000
