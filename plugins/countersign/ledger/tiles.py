"""A tree as static files (C2SP tlog-tiles): 256 hashes to a tile, 256 entries to a bundle. Pure.

- `tile/0/x001/x234/067`: 256 leaf hashes of a large log
- `tile/1/000.p/17`: 17 roots of full tiles of level 0
- `tile/entries/000.p/5`: five entries, each after its length (big-endian uint16)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeAlias

from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import merkle

WIDTH: Final = 256
MAX_ENTRY_BYTES: Final = 65_535
ENTRIES: Final = "entries"


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One tile of a tree: 1 to 256 hashes, each over 256**level leaves."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """`tile/1/x001/234.p/17`."""
        return _path(str(self.level), self.index, self.width)

    @property
    def entries_path(self) -> str:
        """Path of the entry bundle with the leaves of this tile, which is of level 0."""
        return _path(ENTRIES, self.index, self.width)

    @property
    def full(self) -> "Tile":
        """The same tile once it is full."""
        return Tile(self.level, self.index)


ReadTile: TypeAlias = Callable[[Tile], bytes]
"""Gives the contiguous hashes of a tile."""


def tiles_between(old: int, new: int) -> Iterator[Tile]:
    """The tiles of a tree of `new` leaves that one of `old` leaves lacks, lower levels first."""
    for level in count():
        before, after = old >> 8 * level, new >> 8 * level
        if after == 0:
            return
        for index in range(before // WIDTH, -(-after // WIDTH)):
            width = min(WIDTH, after - index * WIDTH)
            if width > before - index * WIDTH:
                yield Tile(level, index, width)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of an entry bundle.

    Raises:
        EvidenceError: an entry is longer than 65,535 bytes.
    """
    for entry in entries:
        check_entry(entry)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(content: bytes, tile: Tile) -> list[bytes]:
    """The entries of a bundle.

    Raises:
        VerificationError: truncated, or not as many entries as the tile is wide.
    """
    entries: list[bytes] = []
    offset = 0
    while offset < len(content):
        end = offset + 2 + int.from_bytes(content[offset : offset + 2], "big")
        if end > len(content) or offset + 2 > len(content):
            raise VerificationError(
                f"entry {tile.index * WIDTH + len(entries)} in {tile.entries_path}",
                expected=f"{end - offset} bytes",
                observed=f"{len(content) - offset} bytes: the bundle is cut off",
            )
        entries.append(content[offset + 2 : end])
        offset = end
    if len(entries) != tile.width:
        raise VerificationError(
            tile.entries_path, expected=f"{tile.width} entries", observed=str(len(entries))
        )
    return entries


def check_entry(entry: bytes) -> None:
    """Refuse what a bundle cannot carry.

    Raises:
        EvidenceError: the entry is longer than 65,535 bytes.
    """
    if len(entry) > MAX_ENTRY_BYTES:
        raise EvidenceError(
            "log entry",
            expected=f"at most {MAX_ENTRY_BYTES} bytes",
            observed=f"{len(entry)} bytes",
            remedy="Log the digest of a larger document.",
        )


@dataclass(frozen=True, slots=True)
class TileTree:
    """A tree of `size` leaves read through its tiles; each tile is read once."""

    size: int
    read: ReadTile
    _seen: dict[Tile, bytes] = field(default_factory=dict)

    @property
    def root(self) -> bytes:
        """Hash of the whole tree."""
        return self.subtree(0, self.size) if self.size else merkle.EMPTY_ROOT

    def subtree(self, start: int, end: int) -> bytes:
        """Hash over `[start, end)`, a subtree of this tree."""
        width = end - start
        if width & (width - 1):
            middle = start + merkle.split(width)
            return merkle.node_hash(self.subtree(start, middle), self.subtree(middle, end))
        height = width.bit_length() - 1
        level, span = height // 8, 1 << height % 8
        first = start >> 8 * level
        hashes = self._tile(level, first // WIDTH)
        offset = first % WIDTH * merkle.HASH_BYTES
        return merkle.root(hashes[offset : offset + span * merkle.HASH_BYTES])

    def _tile(self, level: int, index: int) -> bytes:
        width = min(WIDTH, (self.size >> 8 * level) - index * WIDTH)
        tile = Tile(level, index, width)
        if tile not in self._seen:
            self._seen[tile] = self.read(tile)
        return self._seen[tile]


def _path(kind: str, index: int, width: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    partial = "" if width == WIDTH else f".p/{width}"
    return "/".join(["tile", kind, *reversed(groups)]) + partial
