"""Pages as they came, and the versions of a day."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from countersign.canonical import digest
from countersign.errors import EvidenceError, Fault, SourceError
from countersign.lake.raw import PageManifest, RawPages
from countersign.lake.store import LocalStore

DAY = "2026-11-09"


@pytest.fixture
def raw(tmp_path: Path) -> RawPages:
    return RawPages(LocalStore(tmp_path))


def reading(raw: RawPages, *pages: bytes, **given: Any) -> PageManifest:
    refs = tuple(raw.keep("openai-usage", DAY, page) for page in pages)
    blank = PageManifest("openai-usage", DAY, 0, "complete", refs, 1, final=False)
    return replace(blank, **given)


def test_a_page_is_kept_under_its_digest(raw: RawPages) -> None:
    page = raw.keep("litellm", DAY, b"\xff not even text")
    assert page.digest == digest(b"\xff not even text")
    assert raw.page("litellm", DAY, page.digest) == b"\xff not even text"


def test_an_altered_page_is_refused(raw: RawPages, tmp_path: Path) -> None:
    page = raw.keep("litellm", DAY, b"said")
    (tmp_path / "raw" / "litellm" / DAY / page.digest).write_bytes(b"Said")
    with pytest.raises(EvidenceError, match="expected bytes with SHA-256"):
        raw.page("litellm", DAY, page.digest)


def test_the_same_pages_are_no_new_version(raw: RawPages) -> None:
    first, is_new = raw.record(reading(raw, b"1", b"2"))
    again, is_new_again = raw.record(reading(raw, b"1", b"2", fetched_at=9))
    assert (first.version, is_new) == (1, True)
    assert (again.version, is_new_again) == (1, False)
    assert again.fetched_at == 1


@pytest.mark.parametrize("pages", [(b"1",), (b"2", b"1"), (b"1", b"2", b"3")])
def test_other_pages_are_a_new_version_and_the_old_one_stays(
    raw: RawPages, pages: tuple[bytes, ...]
) -> None:
    first, _ = raw.record(reading(raw, b"1", b"2"))
    second, is_new = raw.record(reading(raw, *pages))
    assert (second.version, is_new) == (2, True)
    assert raw.manifest("openai-usage", DAY) == second
    assert raw.manifest("openai-usage", DAY, version=1) == replace(first, final=False)


def test_final_is_raised_without_a_new_version_and_stays(raw: RawPages) -> None:
    raw.record(reading(raw, b"1"))
    raised, is_new = raw.record(reading(raw, b"1", final=True))
    assert (raised.version, raised.final, is_new) == (1, True, False)
    kept, _ = raw.record(reading(raw, b"1", final=False))
    assert kept.final


def test_a_failed_reading_is_a_gap_beside_complete_pages(raw: RawPages) -> None:
    held, _ = raw.record(reading(raw, b"1", b"2"))
    failed = reading(raw, b"1", status=str(Fault.THROTTLED), fetched_at=5, note="429")
    after, is_new = raw.record(failed)
    assert (after.version, after.pages, after.status, is_new) == (1, held.pages, "complete", False)
    assert after.gap is not None
    assert (after.gap.status, after.gap.fetched_at, after.gap.note) == ("throttled", 5, "429")
    assert raw.manifest("openai-usage", DAY) == after


def test_the_next_good_reading_closes_the_gap(raw: RawPages) -> None:
    raw.record(reading(raw, b"1"))
    raw.record(reading(raw, status="throttled"))
    closed, _ = raw.record(reading(raw, b"1"))
    assert closed.gap is None


def test_a_first_failure_is_a_version_that_a_good_reading_follows(raw: RawPages) -> None:
    failed, is_new = raw.record(reading(raw, b"half", status="page truncated"))
    assert (failed.version, failed.status, is_new) == (1, "page truncated", True)
    good, _ = raw.record(reading(raw, b"half", b"rest"))
    assert (good.version, good.status) == (2, "complete")


def test_a_kill_before_the_standing_leaves_the_new_version_provisional(raw: RawPages) -> None:
    raw.record(reading(raw, b"1", final=True))
    second, _ = raw.record(reading(raw, b"2"))
    standing = f"manifests/openai-usage/{DAY}/standing.json"
    raw.store.replace(standing, b'{"final":true,"gap":null,"version":1}')
    read = raw.manifest("openai-usage", DAY)
    assert read is not None
    assert (read.version, read.final) == (second.version, False)


def test_every_day_of_every_source_is_listed(raw: RawPages) -> None:
    raw.record(reading(raw, b"1"))
    raw.record(replace(reading(raw), source="prices", day="dated"))
    assert set(raw.manifests()) == {("openai-usage", DAY), ("prices", "dated")}


def test_a_refusing_disk_names_source_and_page(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file where a folder should be")
    with pytest.raises(SourceError, match=f"source litellm, page {DAY}/.*: storage failed"):
        RawPages(LocalStore(tmp_path)).keep("litellm", DAY, b"x")
