"""Strings from outside, and integers as a reader sees them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.packet import number, text


@given(st.text(), st.integers(1, 300))
def test_plain_text_is_visible_and_bounded(raw, limit):
    shown = text.plain(raw, limit)
    assert "\n" not in shown
    assert len(shown) <= 10 * limit + 80
    assert text.plain(shown, 10_000) == shown


def test_a_long_string_is_cut_and_its_whole_named_by_digest():
    shown = text.plain("a" * 1_000_000, 10)
    assert shown == "aaaaaaaaaa… [cut, 1,000,000 bytes, SHA-256 cdc76e5c]"


def test_digests_and_ids_are_abbreviated():
    said = f"key {'ab' * 32}: request 7f3a91c2-51d0-4c6e-9a40-0be1f2c77d10 left"
    assert text.abbreviated(said) == "key abababab: request 7f3a91c2 left"


@pytest.mark.parametrize(
    ("micros", "shown"),
    [
        (0, "0.00"),
        (5_000, "0.00"),
        (15_000, "0.02"),
        (-57_984_311, "−57.98"),
        (-1, "0.00"),
        (999_999_999_999, "1,000,000.00"),
    ],
)
def test_dollars_round_half_to_even_and_have_no_negative_zero(micros, shown):
    assert number.usd(micros) == shown


@given(st.integers(-(10**15), 10**15))
def test_six_decimals_lose_nothing(micros):
    shown = number.usd(micros, 6).replace(",", "").replace("−", "-")
    assert round(float(shown.replace(".", ""))) == micros


def test_missing_is_not_zero():
    assert number.count_cell(None) == number.MISSING
    assert number.count_cell(0).text == "0"
    assert number.money_cell(None) == number.MISSING
    assert number.percent_cell(None) == number.MISSING


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (59, "59 s"),
        (2_400, "40 min"),
        (7_500, "2 h 5 min"),
        (100_000, "1 d 3 h"),
    ],
)
def test_durations(seconds, shown):
    assert number.duration(seconds) == shown
