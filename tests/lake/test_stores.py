"""What every store promises, asked of a folder and of a bucket on a real S3 server."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from countersign.errors import EvidenceError
from countersign.lake.delta import TABLES, DeltaFolder
from countersign.lake.object_store import ObjectStore
from countersign.lake.store import LocalStore, Store
from countersign.model import US_PER_DAY
from countersign.records import GatewayCall, stored_schema

ODD = ["a b", "ü/x", "p%20q", "h#a", "q?m", "st*r", "a+b", "x=y/z", "back\\s", "brace{}", "..x",
       "quote'\"", "&amp;<>", "é", "e\u0301", " lead", "trail ", "~"]  # fmt: skip
REFUSED = ["", "/etc/x", "../x", "a/../../x", "a\0b", "a\nb", "a//b", "a/", ".", "./a", "a/.tmp-b"]


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return LocalStore(tmp_path / "lake")
    new_bucket: Callable[[], Any] = request.getfixturevalue("new_bucket")
    return ObjectStore(new_bucket())


@pytest.fixture
def delta(store: Store, tmp_path: Path) -> DeltaFolder:
    if isinstance(store, ObjectStore):
        return DeltaFolder.of(store, tmp_path / "copies")
    return DeltaFolder(tmp_path / "lake" / TABLES)


def test_of_eight_writers_of_a_name_one_creates_it(store: Store) -> None:
    names = [f"keys/{number}" for number in range(10)]

    def write(writer: int) -> list[bool]:
        return [store.put_new(name, b"writer %d" % writer) for name in names]

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(write, range(8)))
    for position, name in enumerate(names):
        winners = [writer for writer in range(8) if created[writer][position]]
        assert [store.get(name)] == [b"writer %d" % writer for writer in winners]


def test_a_reader_of_a_replaced_name_sees_old_or_new_bytes(store: Store) -> None:
    contents = [bytes([digit]) * 300_000 for digit in (1, 2)]
    store.replace("state", contents[0])
    done = threading.Event()

    def read() -> set[bytes]:
        seen = set()
        while not done.is_set():
            seen.add(store.get("state"))
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for turn in range(20):
            store.replace("state", contents[turn % 2])
        done.set()
    assert set().union(*(reader.result() for reader in readers)) <= set(contents)


def test_absent_bytes_are_named(store: Store) -> None:
    store.put_new("a/c", b"")
    assert not store.exists("a/b")
    assert not store.exists("a")
    with pytest.raises(EvidenceError, match="lake file a/b: expected kept bytes"):
        store.get("a/b")


def test_names_are_sorted_and_a_folder_is_no_prefix_of_a_word(store: Store) -> None:
    for name in ("b/2", "b/1", "ba/1", "a"):
        assert store.put_new(name, b"")
    assert store.names() == ["a", "b/1", "b/2", "ba/1"]
    assert store.names("b") == ["b/1", "b/2"]
    assert store.names("nothing") == []


def test_many_names_are_listed_over_pages(store: Store) -> None:
    names = [f"many/{number:04d}" for number in range(1_050)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda name: store.put_new(name, b"x"), names))
    assert store.names("many") == names


def test_listing_tells_size_and_age(store: Store) -> None:
    store.put_new("a/b", b"four")
    (found,) = store.listed("a")
    assert (found.name, found.bytes) == ("a/b", 4)
    assert abs(found.written_us - time.time_ns() // 1_000) < 60_000_000


@pytest.mark.parametrize("name", ODD)
def test_odd_names_come_back_as_they_were(store: Store, name: str) -> None:
    store.put_new(name, b"kept")
    assert (store.names(), store.get(name), store.exists(name)) == ([name], b"kept", True)


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_some_store_cannot_hold_are_refused_by_all(store: Store, name: str) -> None:
    for act in (lambda: store.put_new(name, b""), lambda: store.get(name)):
        with pytest.raises(EvidenceError, match="below the lake"):
            act()


def test_a_deleted_name_is_gone_and_can_be_created_again(store: Store) -> None:
    store.put_new("salts/x", b"old", private=True)
    store.delete("salts/x")
    store.delete("salts/x")
    assert store.names() == []
    assert store.put_new("salts/x", b"new", private=True)
    assert store.get("salts/x") == b"new"


def test_empty_and_large_bytes_are_kept_exactly(store: Store) -> None:
    large = bytes(range(256)) * 60_000
    store.replace("large", large)
    store.put_new("empty", b"")
    assert (store.get("large"), store.get("empty")) == (large, b"")


def test_a_store_that_creates_once_is_accepted_and_left_as_it_was(store: Store) -> None:
    store.put_new("a", b"")
    store.prove()
    assert store.names() == ["a"]


def rows(count: int, day: str, source: str = "odd source/ü%20") -> Any:
    """Calls of one source-day, the rest of their columns empty."""
    import pyarrow as pa  # noqa: PLC0415 - only here

    target = stored_schema(GatewayCall)
    known = {"call_id": [f"{day}-{n}" for n in range(count)], "window_day": [day] * count}
    known["source"] = [source] * count
    columns = [pa.array(known.get(c.name, [None] * count), c.type) for c in target]
    return pa.Table.from_arrays(columns, schema=pa.schema([c.with_nullable(True) for c in target]))


def sized(delta: DeltaFolder, version: int) -> int:
    table = delta.read("t", version, {"2026-11-09"})
    return 0 if table is None else int(table.num_rows)


def test_days_are_replaced_and_old_versions_stay_readable(delta: DeltaFolder) -> None:
    key = ("odd source/ü%20", "2026-11-09")
    versions = [delta.write("t", rows(n, key[1]), {key}, "test") for n in (1, 2, 3)]
    found = [delta.read("t", version, {key[1]}) for version in versions]
    assert [table.num_rows for table in found if table is not None] == [1, 2, 3]
    assert {table["source"][0].as_py() for table in found if table is not None} == {key[0]}
    assert delta.read("t", versions[-1], {"2026-11-10"}) is None


def test_writers_of_one_day_lose_nothing_that_was_accepted(delta: DeltaFolder) -> None:
    """Each accepted write is a version of its own that still has the writer's rows."""
    key = ("s", "2026-11-09")
    delta.write("t", rows(1, key[1], "s"), {key}, "first")

    def write(count: int) -> int | None:
        try:
            return delta.write("t", rows(count, key[1], "s"), {key}, f"{count} rows")
        except EvidenceError as refused:
            assert "one writer at a time" in str(refused)
            return None

    with ThreadPoolExecutor(4) as pool:
        accepted = [v for v in pool.map(write, range(2, 10)) if v is not None]
    newest = max(accepted)
    sizes = [sized(delta, version) for version in range(newest + 1)]
    assert newest == len(accepted)
    assert len(set(sizes)) == len(sizes)


def test_a_table_that_is_not_there_is_named(delta: DeltaFolder) -> None:
    with pytest.raises(EvidenceError, match="lake table nothing"):
        delta.files("nothing", 0)


@pytest.fixture
def littered(store: Store, delta: DeltaFolder) -> Iterator[list[str]]:
    """A table with two versions, and beside it files that were never committed."""
    key = ("s", "2026-11-09")
    for count in (1, 2):
        delta.write("t", rows(count, key[1], "s"), {key}, "test")
    orphans = [f"{TABLES}/t/window_day=2026-11-09/source=s/part-1.parquet",
               f"{TABLES}/never/window_day=2026-11-09/source=s/part-2.parquet",
               f"{TABLES}/t/_delta_log/_commit_1.json.tmp"]  # fmt: skip
    for name in orphans:
        store.put_new(name, b"never committed")
    yield orphans


def test_tidy_removes_what_was_never_committed_and_is_older_than_a_day(
    store: Store, delta: DeltaFolder, littered: list[str]
) -> None:
    from countersign.lake.tidy import tidy  # noqa: PLC0415 - the word is also the test's

    now = time.time_ns() // 1_000
    before = store.names()
    assert not tidy(store, now).is_news
    assert store.names() == before
    tidied = tidy(store, now + US_PER_DAY + 60_000_000)
    assert (tidied.orphans, tidied.refused) == (3, ())
    assert tidied.bytes == 3 * len(b"never committed")
    assert store.names() == sorted(set(before) - set(littered))
    assert [sized(delta, version) for version in (0, 1)] == [1, 2]
    assert not tidy(store, now + 2 * US_PER_DAY).is_news


def test_tidy_leaves_a_table_alone_whose_first_commit_is_gone(
    store: Store, littered: list[str]
) -> None:
    from countersign.lake.tidy import tidy  # noqa: PLC0415 - as above

    store.delete(f"{TABLES}/t/_delta_log/{0:020d}.json")
    tidied = tidy(store, time.time_ns() // 1_000 + 2 * US_PER_DAY)
    assert tidied.refused == ("table t was left alone: its log does not begin at version 0",)
    assert littered[0] in store.names()
    assert littered[1] not in store.names()
