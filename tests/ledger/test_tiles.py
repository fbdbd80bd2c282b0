"""Tiles: paths and widths of the specification, Tessera's files byte for byte."""

from pathlib import Path

import pytest

from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import growth, merkle
from countersign.ledger.tiles import (
    Tile,
    TileTree,
    decode_bundle,
    encode_bundle,
    tiles_between,
)


def test_paths_of_the_specification() -> None:
    assert Tile(0, 1_234_067).path == "tile/0/x001/x234/067"
    assert Tile(1, 0, 17).path == "tile/1/000.p/17"
    assert Tile(0, 999).entries_path == "tile/entries/999"
    assert Tile(0, 1_000, 5).entries_path == "tile/entries/x001/000.p/5"


def test_tiles_of_seventy_thousand_entries_are_those_of_the_specification() -> None:
    tiles = list(tiles_between(0, 70_000))
    full = [tile for tile in tiles if tile.width == 256]
    partial = [tile for tile in tiles if tile.width < 256]
    assert (len([t for t in full if t.level == 0]), len(full)) == (273, 274)
    assert partial == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles_between(0, 256)) == [Tile(0, 0), Tile(1, 0, 1)]


def test_growing_step_by_step_gives_the_tiles_of_growing_at_once() -> None:
    entries = [bytes([i % 251]) * (i % 7) for i in range(1_100)]
    stepwise: dict[str, bytes] = {}
    for old, new in ((0, 1), (1, 255), (255, 256), (256, 257), (257, 900), (900, 1_100)):
        stepwise |= growth.files(old, entries[old:new], stepwise.__getitem__)
    at_once = growth.files(0, entries, dict[str, bytes]().__getitem__)
    assert {path: stepwise[path] for path in at_once} == at_once
    assert set(growth.paths(0, 1_100)) == set(at_once)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700, 65_536, 66_001])
def test_a_tree_read_through_tiles_is_the_tree(size: int) -> None:
    entries = [str(i).encode() for i in range(size)]
    files = growth.files(0, entries, dict[str, bytes]().__getitem__)
    tiled = TileTree(size, lambda tile: files[tile.path])
    tree = merkle.Tree.of(entries)
    assert tiled.root == tree.root
    for index in {0, size // 3, size - 1}:
        assert merkle.prove_inclusion(index, size, tiled.subtree) == merkle.prove_inclusion(
            index, size, tree.subtree
        )


def test_tesseras_tiles_byte_for_byte(shared_data: Path) -> None:
    folder = shared_data / "vectors/tessera/testdata/log"
    entries: list[bytes] = []
    grown: dict[str, bytes] = {}
    for size in range(1, 16):
        bundle = (folder / f"tile/entries/000.p/{size}").read_bytes()
        entries = decode_bundle(bundle, Tile(0, 0, size))
        grown |= growth.files(size - 1, entries[-1:], grown.__getitem__)
        assert grown[f"tile/entries/000.p/{size}"] == bundle
        assert grown[f"tile/0/000.p/{size}"] == (folder / f"tile/0/000.p/{size}").read_bytes()


def test_an_entry_of_65536_bytes_is_refused() -> None:
    assert decode_bundle(encode_bundle([bytes(65_535)]), Tile(0, 0, 1)) == [bytes(65_535)]
    with pytest.raises(EvidenceError, match=r"65535 bytes, observed 65536 bytes.*digest"):
        encode_bundle([bytes(65_536)])


@pytest.mark.parametrize("length", [9, 8, 7, 6])
def test_a_cut_bundle_is_refused(length: int) -> None:
    whole = encode_bundle([b"abc", b"def"])
    with pytest.raises(VerificationError, match=r"entry 1 in tile/entries/000.p/2: .*cut off"):
        decode_bundle(whole[:length], Tile(0, 0, 2))


def test_a_bundle_with_an_entry_too_many_is_refused() -> None:
    with pytest.raises(VerificationError, match="expected 2 entries, observed 3"):
        decode_bundle(encode_bundle([b"a", b"b", b"c"]), Tile(0, 0, 2))
