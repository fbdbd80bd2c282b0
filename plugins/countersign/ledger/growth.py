"""Which files of a tiled log an append adds, and what is in them. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from countersign.ledger import merkle
from countersign.ledger.tiles import WIDTH, Tile, encode_bundle, tiles_between

ReadFile: TypeAlias = Callable[[str], bytes]
"""Gives the content of a file of the log as it was before the append."""


def paths(old: int, new: int) -> Iterator[str]:
    """The files that an append from `old` to `new` entries adds."""
    for tile in tiles_between(old, new):
        yield tile.path
        if tile.level == 0:
            yield tile.entries_path


def files(old: int, entries: Sequence[bytes], read: ReadFile) -> dict[str, bytes]:
    """Content by path of the files that entries add to a log of `old` entries."""
    grown: dict[Tile, bytes] = {}
    bundles: dict[str, bytes] = {}
    for tile in tiles_between(old, old + len(entries)):
        before = _before(tile, old)
        kept = read(before.path) if before else b""
        if tile.level == 0:
            added = _entries_of(tile, old, entries)
            hashes = [merkle.leaf_hash(entry) for entry in added]
            bundle = read(before.entries_path) if before else b""
            bundles[tile.entries_path] = bundle + encode_bundle(added)
        else:
            start = tile.index * WIDTH + (before.width if before else 0)
            full = range(start, tile.index * WIDTH + tile.width)
            hashes = [merkle.root(grown[Tile(tile.level - 1, index)]) for index in full]
        grown[tile] = kept + b"".join(hashes)
    return {tile.path: content for tile, content in grown.items()} | bundles


def _before(tile: Tile, old: int) -> Tile | None:
    """The narrower tile in the same place of the old tree."""
    width = (old >> 8 * tile.level) - tile.index * WIDTH
    return Tile(tile.level, tile.index, width) if width > 0 else None


def _entries_of(tile: Tile, old: int, entries: Sequence[bytes]) -> Sequence[bytes]:
    first = tile.index * WIDTH - old
    return entries[max(first, 0) : first + tile.width]
