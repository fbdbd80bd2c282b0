"""Packed pages: several members, damage, and bombs."""

import gzip
import tracemalloc

import pytest

from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.errors import Fault, SourceError

CONTENT = b'{"a": 1}\n' * 100


def fault_of(body: bytes) -> SourceError:
    with pytest.raises(SourceError) as caught:
        plain(Page("s", body))
    return caught.value


def test_what_is_not_packed_stays_as_it_is() -> None:
    page = Page("s", CONTENT)
    assert plain(page) is page


def test_all_members_are_read_and_padding_is_nothing() -> None:
    packed = gzip.compress(CONTENT) + gzip.compress(b"more") + b"\x00" * 12
    assert plain(Page("s", packed)).body == CONTENT + b"more"


def test_errors_name_the_digest_of_what_was_collected() -> None:
    packed = gzip.compress(CONTENT)
    error = fault_of(packed[:-9])
    inside = plain(Page("s", packed)).fault(Fault.MALFORMED, "", "")
    assert error.page.startswith("sha256:")
    assert inside.page == Page("s", packed).fault(Fault.MALFORMED, "", "").page


def test_a_file_cut_anywhere_is_truncated() -> None:
    packed = gzip.compress(CONTENT)
    for cut in range(2, len(packed)):
        assert fault_of(packed[:cut]).fault is Fault.TRUNCATED


def test_damage_and_other_bytes_behind_are_malformed() -> None:
    packed = bytearray(gzip.compress(CONTENT))
    packed[-6] ^= 0xFF  # the checksum
    assert fault_of(bytes(packed)).fault is Fault.MALFORMED
    assert fault_of(gzip.compress(CONTENT) + b"<html>").fault is Fault.MALFORMED


@pytest.mark.parametrize("members", [1, 3])
def test_a_bomb_is_refused_before_it_is_unpacked(members: int) -> None:
    bomb = gzip.compress(b"0" * 40_000_000, 9) * members
    tracemalloc.start()
    error = fault_of(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.fault is Fault.MALFORMED
    assert "unpack to more than" in error.observed
    assert peak < 40_000_000
