"""Exported files in an object store, read from a real S3 server."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from countersign.config import Source, Storage
from countersign.errors import ConfigError, Fault, SourceError
from countersign.lake.bucket import Bucket
from countersign.lake.object_store import ObjectStore
from countersign.pipeline.bucket_folder import BucketFolder


@pytest.fixture
def bucket(new_bucket: Callable[..., Bucket]) -> Bucket:
    return new_bucket("exports/litellm")


def fill(bucket: Bucket, *names: str) -> None:
    store = ObjectStore(bucket)
    for name in names:
        store.replace(name, name.encode())


def test_names_are_sorted_paths_below_the_folder(bucket: Bucket) -> None:
    fill(bucket, "2026-11-09/time-10_a b.json", "2026-11-08/x.jsonl", ".partial", "d/.hidden")
    fill(replace(bucket, url=bucket.url + "-of-others"), "2026-11-09/theirs.json")
    folder = BucketFolder("litellm", ObjectStore(bucket))
    assert folder.names() == ("2026-11-08/x.jsonl", "2026-11-09/time-10_a b.json")
    assert folder.read("2026-11-09/time-10_a b.json") == b"2026-11-09/time-10_a b.json"


def test_more_files_than_one_listing_shows_are_all_there(bucket: Bucket) -> None:
    names = [f"2026-11-09/{n:04d}.json" for n in range(1_020)]
    fill(bucket, *names)
    assert BucketFolder("litellm", ObjectStore(bucket)).names() == tuple(names)


def test_a_marker_of_an_empty_folder_is_no_file(bucket: Bucket) -> None:
    fill(bucket, "a.json")
    for marker in ("", "day/"):
        at = f"{bucket.endpoint}/{bucket.name}/{bucket.prefix}/{marker}"
        httpx.put(at, content=b"").raise_for_status()
    assert BucketFolder("s", ObjectStore(bucket)).names() == ("a.json",)


def test_one_object_is_a_folder_of_one(bucket: Bucket) -> None:
    fill(bucket, "prices.toml")
    one = BucketFolder("prices", ObjectStore(replace(bucket, url=f"{bucket.url}/prices.toml")))
    assert one.names() == ("prices.toml",)
    assert one.read("prices.toml") == b"prices.toml"


def test_nothing_there_is_unreachable_and_named(bucket: Bucket) -> None:
    with pytest.raises(SourceError, match="no objects there") as caught:
        BucketFolder("litellm", ObjectStore(bucket)).names()
    assert caught.value.fault is Fault.UNREACHABLE
    fill(bucket, "a")
    with pytest.raises(SourceError, match="nothing there") as caught:
        BucketFolder("litellm", ObjectStore(bucket)).read("gone.json")
    assert caught.value.page == "gone.json"


def test_an_absent_bucket_is_unreachable(bucket: Bucket) -> None:
    nowhere = ObjectStore(replace(bucket, url="s3://countersign-nowhere/x"))
    with pytest.raises(SourceError) as caught:
        BucketFolder("litellm", nowhere).names()
    assert caught.value.fault is Fault.UNREACHABLE


def test_reading_an_export_writes_nothing(bucket: Bucket) -> None:
    fill(bucket, "a.json")
    folder = BucketFolder("litellm", ObjectStore(bucket))
    assert [folder.read(name) for name in folder.names()] == [b"a.json"]
    assert ObjectStore(bucket).names() == ["a.json"]


def source(**given: Any) -> Source:
    return Source(connector="litellm", url="s3://exports/litellm", **given)


def test_a_sources_own_credential_and_storage_go_first() -> None:
    secrets = {"env:OURS": "a:b", "env:THEIRS": "c:d"}
    ours = Storage(endpoint_url="https://ours", region="eu", credential="env:OURS")

    def bound(**given: Any) -> Bucket:
        return BucketFolder.bound("s", source(**given), ours, secrets.__getitem__).store.bucket

    assert (bound().endpoint, bound().keys.access) == ("https://ours", "a")  # type: ignore[union-attr]  # it has keys
    other = bound(credential="env:THEIRS")
    assert (other.endpoint, other.keys.access) == ("https://ours", "c")  # type: ignore[union-attr]  # it has keys
    theirs = bound(storage={"region": "us"}, credential="env:THEIRS")
    assert (theirs.endpoint, theirs.region) == (None, "us")
    assert bound(storage={"region": "us"}).keys is None


def test_a_storage_that_is_misspelt_is_refused() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        source(storage={"endpoint": "https://x"})
    with pytest.raises(ConfigError, match="ACCESS_KEY_ID"):
        BucketFolder.bound("s", source(credential="env:X"), Storage(), lambda _: "no pair")
