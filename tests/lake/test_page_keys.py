"""Raw pages under keys of their own: nothing readable on disk, nothing at all without the key."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from countersign.canonical import digest
from countersign.errors import EvidenceError, SourceError
from countersign.lake.lake import Lake
from countersign.lake.page_keys import HEADER, PageKeys
from countersign.lake.raw import RawPages
from countersign.lake.store import LocalStore
from countersign.lake.tombstone import ERASURE, LostPage, Tombstone, Tombstones

DAY = "2026-11-09"
SAID = b'{"user":"ada","prompt":"the words of Ada Byron"}'


@pytest.fixture
def keys(tmp_path: Path) -> PageKeys:
    return PageKeys(LocalStore(tmp_path / "lake"), tmp_path / "keys" / "lake.key", os.urandom)


@pytest.fixture
def raw(keys: PageKeys) -> RawPages:
    return RawPages(keys.store, keys)


def file(keys: PageKeys, name: str) -> Path:
    store = keys.store
    assert isinstance(store, LocalStore)
    return store.root / name


def test_a_page_keeps_its_name_and_is_unreadable_on_disk(raw: RawPages, keys: PageKeys) -> None:
    page = raw.keep("litellm", DAY, SAID)
    assert page.digest == digest(SAID)
    stored = file(keys, f"raw/litellm/{DAY}/{page.digest}").read_bytes()
    assert stored.startswith(HEADER)
    assert b"Ada" not in stored
    assert raw.page("litellm", DAY, page.digest) == SAID


def test_keys_are_wrapped_private_and_one_a_page(raw: RawPages, keys: PageKeys) -> None:
    pages = [raw.keep("litellm", DAY, SAID + tail) for tail in (b"0", b"1", b"2")]
    wrapped = [file(keys, f"page_keys/litellm/{DAY}/{p.digest}") for p in pages]
    assert {stat.S_IMODE(key.stat().st_mode) for key in (*wrapped, keys.master)} == {0o600}
    assert len({key.read_bytes() for key in wrapped}) == 3
    other = PageKeys(keys.store, keys.master.with_name("other.key"), os.urandom)
    keys.master.rename(other.master)
    assert RawPages(keys.store, other).page("litellm", DAY, pages[0].digest) == SAID + b"0"


def test_no_plain_byte_is_ever_written_not_even_for_a_moment(
    raw: RawPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    real = os.fsync

    def look(handle: int) -> None:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            written.append(Path(f"/proc/self/fd/{handle}").read_bytes())
        real(handle)

    monkeypatch.setattr(os, "fsync", look)
    raw.keep("litellm", DAY, SAID)
    assert len(written) == 3  # master key, page key, page: in this order
    assert written[2].startswith(HEADER)
    assert not any(b"Ada" in content for content in written)


@pytest.mark.parametrize("where", [0, len(HEADER) + 3, len(HEADER) + 20, -1])
def test_an_altered_file_is_refused(raw: RawPages, keys: PageKeys, where: int) -> None:
    page = raw.keep("litellm", DAY, SAID)
    path = file(keys, f"raw/litellm/{DAY}/{page.digest}")
    stored = bytearray(path.read_bytes())
    stored[where] ^= 1
    path.write_bytes(stored)
    with pytest.raises(EvidenceError):
        raw.page("litellm", DAY, page.digest)


def test_a_page_under_the_key_of_another_is_refused(raw: RawPages, keys: PageKeys) -> None:
    first, second = raw.keep("a", DAY, b"first"), raw.keep("a", DAY, b"second")
    for folder in ("raw", "page_keys"):
        file(keys, f"{folder}/a/{DAY}/{second.digest}").write_bytes(
            file(keys, f"{folder}/a/{DAY}/{first.digest}").read_bytes()
        )
    with pytest.raises(EvidenceError, match="other bytes"):
        raw.page("a", DAY, second.digest)


def test_an_older_lake_is_read_and_goes_on_encrypted(raw: RawPages, keys: PageKeys) -> None:
    old = RawPages(keys.store).keep("litellm", DAY, SAID)
    assert raw.page("litellm", DAY, old.digest) == SAID
    assert raw.keep("litellm", DAY, SAID) == old
    new = raw.keep("litellm", DAY, SAID + b"!")
    assert raw.page("litellm", DAY, new.digest) == SAID + b"!"
    assert file(keys, f"raw/litellm/{DAY}/{old.digest}").read_bytes() == SAID


def test_a_page_that_begins_like_our_header_is_a_page(raw: RawPages, keys: PageKeys) -> None:
    tricky = HEADER + b"said the source"
    assert raw.page("a", DAY, raw.keep("a", DAY, tricky).digest) == tricky
    old = RawPages(keys.store).keep("b", DAY, tricky)
    assert raw.page("b", DAY, old.digest) == tricky


def test_without_its_key_a_page_is_gone_and_can_be_kept_again(
    raw: RawPages, keys: PageKeys
) -> None:
    page = raw.keep("litellm", DAY, SAID)
    keys.destroy(f"raw/litellm/{DAY}/{page.digest}")  # a kill comes before the page goes too
    assert not raw.holds("litellm", DAY, page.digest)
    with pytest.raises(EvidenceError, match="its key is gone"):
        raw.page("litellm", DAY, page.digest)
    assert raw.keep("litellm", DAY, SAID) == page
    assert raw.page("litellm", DAY, page.digest) == SAID


def test_a_key_without_a_page_does_no_harm(raw: RawPages, keys: PageKeys) -> None:
    keys.seal(f"raw/litellm/{DAY}/{digest(SAID)}", SAID, digest(SAID))  # killed before the page
    page = raw.keep("litellm", DAY, SAID)
    assert raw.page("litellm", DAY, page.digest) == SAID


def test_a_destroyed_page_says_by_whose_authority(raw: RawPages) -> None:
    page = raw.keep("litellm", DAY, SAID)
    lost = LostPage("litellm", DAY, page.digest)
    Tombstones(raw.store).keep(Tombstone(ERASURE, "a rule", "the DPO", 0, pages=[lost]))
    raw.destroy("litellm", DAY, page.digest)
    with pytest.raises(EvidenceError, match=r"erased on .* by authority of the DPO"):
        raw.page("litellm", DAY, page.digest)


def test_a_lost_master_key_is_not_replaced(raw: RawPages, keys: PageKeys) -> None:
    raw.keep("litellm", DAY, SAID)
    keys.master.unlink()
    later = PageKeys(keys.store, keys.master, os.urandom)
    with pytest.raises(SourceError, match="Restore it"):
        RawPages(keys.store, later).keep("litellm", DAY, b"more")
    assert not keys.master.exists()


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [("00" * 32, 0o640, "only its owner"), ("00" * 31, 0o600, "64 hex"), ("xyz", 0o600, "64 hex")],
)
def test_an_unfit_master_key_is_refused(keys: PageKeys, content: str, mode: int, said: str) -> None:
    keys.master.parent.mkdir()
    keys.master.write_text(content)
    keys.master.chmod(mode)
    with pytest.raises(EvidenceError, match=said):
        keys.make()


def test_a_lake_encrypts_by_itself(small: Any) -> None:
    assert isinstance(small.lake, Lake)
    small.keep("gateway", DAY, [small.call(1)])
    stored = [path.read_bytes() for path in (small.root / "raw").rglob("*") if path.is_file()]
    assert all(content.startswith(HEADER) for content in stored)
    small.admit()
    assert small.lake.admitted().tables
