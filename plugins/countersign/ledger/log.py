"""The log in a folder: `checkpoint`, `tile/...`, and `pending` while entries are being added.

One writer at a time, readers without a lock. An append writes, durably and in this order:
`pending` (old and new size), the new tiles and bundles, then the checkpoint. Until the
checkpoint is replaced the log is the old one, and the next writer removes what `pending` names;
from then on it is the new one. Partial tiles are never changed in place; they go once the full
tile is there, which is what readers fall back to.

A log that came out of a backup has `restored.json` beside its checkpoint: witnesses or readers may
have seen a larger tree, so nothing is appended before somebody accepts it (`release`).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import checkpoint, folder, growth, merkle, proof
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import SigningKey, VerifierKey
from countersign.ledger.tiles import (
    WIDTH,
    Tile,
    TileTree,
    check_entry,
    decode_bundle,
    encode_bundle,
    tiles_between,
)

_CHECKPOINT = "checkpoint"
_PENDING = "pending"
_RESTORED = "restored.json"


class Log:
    """An append-only log; its origin is the name of its key. Without a signer it is read-only."""

    def __init__(self, path: Path, key: VerifierKey, signer: SigningKey | None = None) -> None:
        self.path = path
        self.key = key
        self._signer = signer
        self._positions: dict[bytes, int] = {}
        self._indexed = 0

    @classmethod
    def writer(cls, path: Path, signer: SigningKey) -> Self:
        """The log in this folder, to be read and appended to; a missing folder is an empty log."""
        return cls(path, signer.key, signer)

    @property
    def size(self) -> int:
        """Number of entries under the current checkpoint."""
        return self.head().size

    def checkpoint(self) -> bytes:
        """The current signed checkpoint.

        Raises:
            EvidenceError: nothing was ever appended, or the checkpoint is gone.
        """
        try:
            return self._read(_CHECKPOINT)
        except FileNotFoundError:
            raise EvidenceError(
                f"log {self.path}", expected="a signed checkpoint", observed="no such file"
            ) from None

    def head(self) -> Checkpoint:
        """The current tree head, its signature verified; that of an empty tree for a new log.

        Raises:
            VerificationError: the checkpoint is not one that this log's key signed.
            EvidenceError: the checkpoint is gone while entries are there.
        """
        if self._is_new():
            return Checkpoint(self.key.name, 0, merkle.EMPTY_ROOT)
        return checkpoint.verify(self.checkpoint(), (self.key,))[0]

    def append(self, entries: Sequence[bytes]) -> range:
        """Add entries at the end, all or none, and return their indexes.

        Raises:
            EvidenceError: an entry is longer than 65,535 bytes; nothing was added.
        """
        with folder.exclusive(self.path / "lock"):
            return self._append(entries)

    def append_once(self, entries: Sequence[bytes]) -> list[int]:
        """Add those entries that the log does not hold yet; the index of every one, in order."""
        with folder.exclusive(self.path / "lock"):
            self._append([e for e in dict.fromkeys(entries) if self.find(e) is None])
            self._index_leaves()
            return [self._positions[merkle.leaf_hash(entry)] for entry in entries]

    def find(self, entry: bytes) -> int | None:
        """Index of the first entry with exactly these bytes."""
        self._index_leaves()
        return self._positions.get(merkle.leaf_hash(entry))

    def entry(self, index: int) -> bytes:
        """The entry at an index.

        Raises:
            EvidenceError: the log has no such entry.
        """
        size = self.size
        if not 0 <= index < size:
            raise EvidenceError(
                f"log {self.key.name}", expected=f"an index below {size}", observed=str(index)
            )
        return self._entry(index, size)

    def prove(self, index: int) -> bytes:
        """The `.tlog-proof` of an entry under the current checkpoint, the entry in it.

        Raises:
            EvidenceError: the log has no such entry.
        """
        signed = self.checkpoint()
        head, _ = checkpoint.verify(signed, (self.key,))
        tree = TileTree(head.size, self._read_tile)
        hashes = merkle.prove_inclusion(index, head.size, tree.subtree)
        entry = self._entry(index, head.size)
        return proof.encode(proof.Proof(index, tuple(hashes), signed, entry))

    def prove_consistency(self, old: int) -> tuple[bytes, ...]:
        """Hashes that show the first `old` entries unchanged under the current checkpoint."""
        size = self.size
        return tuple(merkle.prove_consistency(old, size, TileTree(size, self._read_tile).subtree))

    def check(self) -> Checkpoint:
        """Derive every tile and the root again from the entries.

        Raises:
            VerificationError: names the first entry or tile that does not agree.
        """
        head = self.head()
        derived: dict[Tile, bytes] = {}
        for tile in tiles_between(0, head.size):
            derived[tile] = self._derive(tile, derived)
            _compare(tile, derived[tile], self._read_tile(tile))
        root = TileTree(head.size, derived.__getitem__).root
        if root != head.root:
            raise VerificationError(
                f"checkpoint of {head.size} entries",
                expected=f"root {root.hex()}, which the entries give",
                observed=f"root {head.root.hex()}",
            )
        return head

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Path and content of every file of the current tree, as one append would have left them.

        The checkpoint comes last. A writer at work does no harm.
        """
        signed = self.checkpoint()
        for tile in tiles_between(0, checkpoint.verify(signed, (self.key,))[0].size):
            yield tile.path, self._read_tile(tile)
            if tile.level == 0:
                yield tile.entries_path, encode_bundle(self._read_bundle(tile))
        yield _CHECKPOINT, signed

    def restored(self) -> bytes | None:
        """What was noted when this log came out of a backup; None once that was accepted."""
        marker = self.path / _RESTORED
        return marker.read_bytes() if marker.exists() else None

    def mark_restored(self, note: bytes) -> None:
        """Let nothing be appended before `release`."""
        self._write({_RESTORED: note})

    def release(self, entry: bytes) -> int:
        """Accept a restored log: append the entry that says so, then lift the mark."""
        with folder.exclusive(self.path / "lock"):
            (index,) = self._grow([entry])
            folder.remove(self.path, [_RESTORED])
            return index

    def _append(self, entries: Sequence[bytes]) -> range:
        if entries and self.restored() is not None:
            raise EvidenceError(
                f"log {self.key.name}",
                expected="that its witnesses know no larger tree: it came out of a backup",
                observed="nobody has said so yet",
                remedy="Run `countersign log accept-restore`.",
            )
        return self._grow(entries)

    def _grow(self, entries: Sequence[bytes]) -> range:
        signer = self._writable()
        for entry in entries:
            check_entry(entry)
        self._recover()
        old = self.head().size
        new = old + len(entries)
        if new > old:
            self._write({_PENDING: f"{old} {new}\n".encode()})
            self._write(growth.files(old, entries, self._read))
            root = TileTree(new, self._read_tile).root
            signed = checkpoint.sign(Checkpoint(signer.name, new, root), signer)
            self._write({_CHECKPOINT: signed})
            self._finish(old, new)
        return range(old, new)

    def _recover(self) -> None:
        """Undo, or complete, the append that a killed writer left."""
        if not (self.path / _PENDING).exists():
            return
        old, new = map(int, self._read(_PENDING).split())
        if self.head().size < new:
            folder.remove(self.path, [*growth.paths(old, new), _PENDING])
        else:
            self._finish(old, new)

    def _finish(self, old: int, new: int) -> None:
        """Remove the partial tiles that full ones replaced, then the note of the append."""
        for tile in tiles_between(old, new):
            if tile.width == WIDTH:
                folder.remove_all(self.path / f"{tile.path}.p")
            if tile.width == WIDTH and tile.level == 0:
                folder.remove_all(self.path / f"{tile.entries_path}.p")
        folder.remove(self.path, [_PENDING])

    def _is_new(self) -> bool:
        if (self.path / _CHECKPOINT).exists():
            return False
        started = self.path / _PENDING
        if started.exists():
            return started.read_bytes().startswith(b"0 ")
        return not any(file.is_file() for file in (self.path / "tile").rglob("*"))

    def _index_leaves(self) -> None:
        for tile in tiles_between(self._indexed, self.size):
            if tile.level == 0:
                hashes = self._read_tile(tile)
                first = tile.index * WIDTH
                for position in range(max(self._indexed, first), first + tile.width):
                    offset = (position - first) * merkle.HASH_BYTES
                    leaf = hashes[offset : offset + merkle.HASH_BYTES]
                    self._positions.setdefault(leaf, position)
                self._indexed = first + tile.width

    def _entry(self, index: int, size: int) -> bytes:
        bundle = index // WIDTH
        tile = Tile(0, bundle, min(WIDTH, size - bundle * WIDTH))
        return self._read_bundle(tile)[index % WIDTH]

    def _derive(self, tile: Tile, below: Mapping[Tile, bytes]) -> bytes:
        if tile.level == 0:
            return b"".join(map(merkle.leaf_hash, self._read_bundle(tile)))
        first = tile.index * WIDTH
        full = (below[Tile(tile.level - 1, i)] for i in range(first, first + tile.width))
        return b"".join(map(merkle.root, full))

    def _read_bundle(self, tile: Tile) -> list[bytes]:
        try:
            return decode_bundle(self._read(tile.entries_path), tile)
        except FileNotFoundError:
            content = self._read_full(tile, tile.full.entries_path)
            return decode_bundle(content, tile.full)[: tile.width]

    def _read_tile(self, tile: Tile) -> bytes:
        try:
            return self._read(tile.path)
        except FileNotFoundError:
            return self._read_full(tile, tile.full.path)[: tile.width * merkle.HASH_BYTES]

    def _read_full(self, tile: Tile, path: str) -> bytes:
        try:
            return self._read(path)
        except FileNotFoundError:
            raise VerificationError(
                f"log {self.path}, {path}",
                expected=f"a tile at least {tile.width} wide",
                observed="no such file",
                remedy="Restore the log from its backup.",
            ) from None

    def _read(self, path: str) -> bytes:
        return (self.path / path).read_bytes()

    def _write(self, files: Mapping[str, bytes]) -> None:
        folder.write(self.path, files)

    def _writable(self) -> SigningKey:
        if self._signer is None:
            raise EvidenceError(
                f"log {self.key.name}",
                expected="the log's private key to append",
                observed="only its public key",
            )
        return self._signer


def _compare(tile: Tile, derived: bytes, stored: bytes) -> None:
    if derived == stored:
        return
    for position in range(0, max(len(derived), len(stored)), merkle.HASH_BYTES):
        want = derived[position : position + merkle.HASH_BYTES]
        have = stored[position : position + merkle.HASH_BYTES]
        if want != have:
            index = tile.index * WIDTH + position // merkle.HASH_BYTES
            where = f"entry {index}" if tile.level == 0 else f"node {index} of level {tile.level}"
            raise VerificationError(
                f"log, {where} ({tile.path})",
                expected=f"hash {want.hex() or 'none'}, which the entries give",
                observed=f"{have.hex() or 'none'} in the tile",
            )
