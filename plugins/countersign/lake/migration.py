"""Which layout a lake has, and the steps from an older one to this one.

`lake.json` says it. A lake without it that holds something is of layout 1: raw pages as they
came, tables whose log expires. Each step leaves alone what it did before, so a kill is made good
by running it again; the new version is written when every step is done.
"""

import json
from typing import TYPE_CHECKING, Final

from countersign.canonical import digest, encode
from countersign.errors import EvidenceError
from countersign.lake import state
from countersign.lake.page_keys import HEADER
from countersign.lake.store import Store

if TYPE_CHECKING:
    from countersign.lake.lake import Lake

NAME: Final = "lake.json"
SCHEMA: Final = "urn:countersign:lake:v0.1"
VERSION: Final = 2
_FIRST: Final = 1


def version(store: Store) -> int | None:
    """The layout that a lake has; None when there is nothing in it."""
    if store.exists(NAME):
        return int(json.loads(store.get(NAME))["version"])
    is_used = store.exists(state.NAME) or next(iter(store.listed("manifests")), None) is not None
    return _FIRST if is_used else None


def check(store: Store) -> None:
    """Refuse a lake of another layout.

    Raises:
        EvidenceError: says which, and what to do.
    """
    found = version(store)
    if found is not None and found < VERSION:
        raise EvidenceError(
            "lake",
            expected=f"layout {VERSION}",
            observed=f"layout {found}, of an older version of this program",
            remedy="Back it up, then run `countersign migrate`: nothing is lost by it.",
        )
    refuse_newer(found)


def refuse_newer(found: int | None) -> None:
    """Refuse what this program cannot know.

    Raises:
        EvidenceError: the layout is that of a later program.
    """
    if found is not None and found > VERSION:
        raise EvidenceError(
            "lake",
            expected=f"layout {VERSION} or older",
            observed=f"layout {found}, of a newer version of this program",
            remedy="Install that version; nothing was changed.",
        )


def stamp(store: Store) -> None:
    """Note the layout of a lake that is about to be filled."""
    if version(store) is None:
        store.put_new(NAME, _document())


def settle(store: Store) -> None:
    """Note that a lake now has this layout."""
    store.replace(NAME, _document())


def encrypt_pages(lake: "Lake") -> int:
    """Put every raw page that lies as it came under a key of its own; how many did.

    Raises:
        EvidenceError: a page is not what its name says: it was altered, and stays as it is.
    """
    done = 0
    for name in lake.store.names("raw"):
        page, content = name.rsplit("/", 1)[1], lake.store.get(name)
        if digest(content) != page:
            if content.startswith(HEADER):
                continue
            raise EvidenceError(
                f"lake file {name}",
                expected=f"sha256 {page}",
                observed=f"sha256 {digest(content)}",
                remedy="The page was altered after it was kept; restore it from a backup first.",
            )
        # The key is on disk before the page: in between the page can be read as it lies.
        lake.store.replace(name, lake.page_keys.seal(name, content, page))
        done += 1
    return done


def keep_history(lake: "Lake") -> int:
    """Let no table's log expire; how many tables that changed."""
    return sum(lake.delta.keep_history(table) for table in lake.purge.tables())


def _document() -> bytes:
    return encode({"schema": SCHEMA, "version": VERSION})
