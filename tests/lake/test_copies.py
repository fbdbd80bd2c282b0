"""Copies of a bucket's table files: whole or absent, fetched once, gone with their original."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from countersign.errors import EvidenceError
from countersign.lake.bucket import Bucket
from countersign.lake.copies import Copies
from countersign.lake.lake import Lake
from countersign.lake.object_store import ObjectStore
from countersign.records import GatewayCall

DAY = "2026-11-09"


@pytest.fixture
def store(new_bucket: Callable[[], Bucket]) -> ObjectStore:
    return ObjectStore(new_bucket())


def test_a_copy_is_fetched_once(store: ObjectStore, tmp_path: Path) -> None:
    store.put_new("t/source=a%20b/1.parquet", b"rows")
    copies = Copies(store, tmp_path)
    (path,) = copies.paths(["t/source=a%20b/1.parquet"])
    assert Path(path).read_bytes() == b"rows"
    store.delete("t/source=a%20b/1.parquet")
    assert copies.paths(["t/source=a%20b/1.parquet"]) == [path]


def test_an_absent_original_leaves_no_copy(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="nothing there"):
        Copies(store, tmp_path).paths(["t/1.parquet"])
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_copies_of_what_is_gone_are_dropped(store: ObjectStore, tmp_path: Path) -> None:
    for name in ("t/1.parquet", "t/2.parquet"):
        store.put_new(name, b"rows")
    copies = Copies(store, tmp_path)
    copies.paths(["t/1.parquet", "t/2.parquet"])
    (tmp_path / "t" / ".tmp-half").write_bytes(b"ro")
    assert copies.drop_all_but(["t/2.parquet"]) == 2
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["2.parquet"]


def test_rows_that_were_purged_are_in_no_copy(small: Any, new_bucket: Callable[[], Bucket]) -> None:
    small.lake = Lake(small.root, random=small.lake.random, bucket=new_bucket())
    for calls in (1, 2):
        small.keep("gateway", DAY, [small.call(n) for n in range(calls)])
        small.admit()
        assert len(small.rows(GatewayCall)) == calls
    copies = small.root / "copies"
    old = {file.name for file in copies.rglob("*.parquet")}
    (newest,) = (Path(f).name for f in small.lake.delta.files("gateway_call", 1))
    (gone,) = (hit for hit in everything(small.lake) if not hit.is_current)
    assert small.lake.purge.sweep("gateway_call", [gone]) == 1
    assert old - {file.name for file in copies.rglob("*.parquet")} == old - {newest}
    assert len(small.rows(GatewayCall)) == 2


def everything(lake: Lake) -> list[Any]:
    """Every file of the calls' table, as if all its rows had to go."""
    import numpy as np  # noqa: PLC0415 - only here

    return lake.purge.find(
        "gateway_call", lambda _table, _key, rows: np.ones(rows.num_rows, bool), ["call_id"]
    )
