"""What erasure, retention and hold have in common: one at a time, named authority, sealed."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from countersign.attest import entries
from countersign.canonical import Json, digest, encode
from countersign.errors import ConfigError
from countersign.lake.subject import Named
from countersign.lake.tombstone import ERASURE, Tombstone
from countersign.ledger import folder
from countersign.model import rfc3339
from countersign.pipeline.workspace import Workspace

FOLDER: Final = "duties"
_LINE: Final = re.compile(r"[^\r\n]{1,200}")


@contextmanager
def alone(ws: Workspace) -> Iterator[None]:
    """One duty at a time: a second one waits."""
    with folder.exclusive(ws.lake_root / "duties.lock"):
        yield


def checked(what: str, text: str, named: Named | None) -> str:
    """A text that goes into the log: one line, and without the person's name.

    Raises:
        ConfigError: it is empty or long, or says who the person is.
    """
    if not _LINE.fullmatch(text) or not text.strip():
        raise ConfigError(what, expected="one line of at most 200 characters", observed=repr(text))
    for name in (named.user, named.request) if named else ():
        if name and name.casefold() in text.casefold():
            raise ConfigError(
                what,
                expected="who decided, not about whom: it stays in the log for ever",
                observed="a text that names the person",
                remedy="Name the case file or the office instead.",
            )
    return text


def named(user: str | None, tenant: str | None, request: str | None) -> Named | None:
    """Who is meant; None when nobody is.

    Raises:
        ConfigError: a request together with a user or tenant.
    """
    if request is not None and (user is not None or tenant is not None):
        raise ConfigError("--request", expected="alone", observed="with --user or --tenant")
    return Named(user, tenant, request) if user or tenant or request else None


def kept(ws: Workspace, kind: str, facts: Mapping[str, Json]) -> bytes:
    """The sealed document of a duty, kept beside the tombstones under its digest."""
    now = ws.now_us()
    schema = f"urn:countersign:{kind}:v0.1"
    content = encode({"schema": schema, "at": rfc3339(now), "at_us": now, **facts})
    ws.lake.store.put_new(f"{FOLDER}/{digest(content)}.json", content)
    return content


def subject(ws: Workspace, who: Named | None) -> str | None:
    """The salted commitment that stands for somebody in the log."""
    return None if who is None else ws.lake.erased.commitment("subject", who.text)


def entry(tombstone: Tombstone) -> bytes:
    """The log entry of something that was destroyed."""
    content, authority = tombstone.content, tombstone.authority
    if tombstone.by == ERASURE:
        about = tombstone.subject or ""
        return entries.erasure(
            content,
            outcome="erased",
            subject=about,
            authority=authority,
            because=tombstone.because,
        )
    rows = sum((tombstone.rows or {}).values())
    pages = len(tombstone.pages)
    return entries.retention(
        content, rule=tombstone.rule, authority=authority, pages=pages, rows=rows
    )
