"""What there is to admit: source-days that changed, in batches of whole days."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from countersign.lake.batch import Key, Kinds
from countersign.lake.raw import COMPLETE, DATED, PageManifest
from countersign.lake.state import Admitted
from countersign.model import Window
from countersign.records import CallText, GatewayCall, kind_name, schema

BATCH_BYTES: Final = 256 * 2**20
"""Raw bytes admitted together, at least a day's. Rows wait on scratch disk, so that this bounds
only what is kept of each: identifiers, salts, text; and a catch-up of weeks is few transactions."""


def changed(
    current: Mapping[Key, PageManifest], state: Admitted, kinds: Kinds, window: Window | None
) -> list[PageManifest]:
    """Days whose pages, or the kinds taken from them, are not those that were admitted.

    When the text of a day changed, its calls are admitted again from their pages. What a source
    gave before it was taken out of the configuration stays as it is.
    """
    known = {key: manifest for key, manifest in current.items() if kinds(key[0])}
    keys = {
        key
        for key, manifest in known.items()
        if _within(window, key[1]) and not _is_admitted(manifest, state, kinds)
    }
    spoken = {day for source, day in keys if CallText in kinds(source)}
    calls = {key for key in state.keys_of(kind_name(GatewayCall)) & set(known) if key[1] in spoken}
    return [current[key] for key in sorted(keys | calls, key=lambda key: (key[1], key[0]))]


def batches(
    manifests: Iterable[PageManifest], limit: int = BATCH_BYTES
) -> Iterator[list[PageManifest]]:
    """Whole days in order, so that calls and their text are together."""
    by_day: dict[str, list[PageManifest]] = {}
    for manifest in manifests:
        by_day.setdefault(manifest.day, []).append(manifest)
    batch: list[PageManifest] = []
    pages: dict[tuple[str, str], int] = {}
    for together in by_day.values():
        fresh = {(m.source, page.digest): page.bytes for m in together for page in m.pages}
        if batch and sum((pages | fresh).values()) > limit:
            yield batch
            batch, pages = [], {}
        batch += together
        pages |= fresh
    if batch:
        yield batch


def _within(window: Window | None, day: str) -> bool:
    if window is None or day == DATED:
        return True
    return window.start.isoformat() <= day < window.end.isoformat()


def _is_admitted(manifest: PageManifest, state: Admitted, kinds: Kinds) -> bool:
    held = state.days.get((manifest.source, manifest.day))
    if held is None or held.version != manifest.version:
        return False
    taken = {kind_name(kind) for kind in kinds(manifest.source)}
    if held.final != manifest.final and any(
        "final" in schema(k).names for k in kinds(manifest.source)
    ):
        return False  # the same pages, but now the source may not revise them any more
    return held.status != COMPLETE or set(held.kinds) == taken
