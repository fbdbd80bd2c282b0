"""Single values of untrusted rows."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.connectors.wire.value import (
    UnreadableError,
    count,
    flag,
    instant,
    micros,
    money,
    text,
    verbatim,
)
from countersign.model import instant as exact_instant

NOON = 1_794_225_600_000_000


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-09T12:00:00Z",
        "2026-11-09T12:00:00.000000+00:00",
        "2026-11-09T13:00:00+01:00",
        "2026-11-09 12:00:00",
        1_794_225_600,
        Decimal("1794225600.000000"),
        datetime(2026, 11, 9, 12, tzinfo=UTC),
    ],
)
def test_one_instant_in_every_spelling(written: object) -> None:
    assert instant(written) == NOON


@pytest.mark.parametrize("written", ["2026-11-09", date(2026, 11, 9)])
def test_date_is_its_midnight(written: object) -> None:
    assert instant(written) == NOON - 12 * 3600 * 1_000_000


@pytest.mark.parametrize(
    ("written", "micro"),
    [("2026-11-09T12:00:00.9Z", 900_000), ("2026-11-09T12:00:00.123456789Z", 123_456)],
)
def test_fractions_are_kept_to_the_microsecond(written: str, micro: int) -> None:
    assert instant(written) == NOON + micro


@given(
    st.datetimes(
        timezones=st.just(UTC),
        min_value=datetime.fromisoformat("1970-01-01"),
        max_value=datetime.fromisoformat("2999-01-01"),
    )
)
def test_instants_are_exact(moment: datetime) -> None:
    assert instant(moment.isoformat()) == exact_instant(moment)
    seconds = Decimal(exact_instant(moment)) / 1_000_000
    assert instant(seconds) == exact_instant(moment)


@pytest.mark.parametrize("written", [None, True, [], "soon", "2026-13-01", Decimal("NaN"), 1e300])
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(UnreadableError):
        instant(written)


@pytest.mark.parametrize(
    ("amount", "plain"),
    [
        (Decimal("0.0691"), "0.0691"),
        (Decimal("1E-7"), "0.0000001"),
        ("0.0600000000000000000000", "0.06"),
        (12, "12"),
        ("-0.5", "-0.5"),
        ("100", "100"),
        (Decimal("0.0000000000005"), "0"),
        (Decimal("0.0000000000015"), "0.000000000002"),
        ("99999999999999999999999999.123456789012", "99999999999999999999999999.123456789012"),
    ],
)
def test_money_is_plain_and_has_twelve_places(amount: object, plain: str) -> None:
    assert money(amount) == plain


def test_cents_become_dollars() -> None:
    assert money("123.45", per_unit=100) == "1.2345"


@pytest.mark.parametrize("amount", [None, "", "free", True, "NaN", "Infinity", 10**26, {}])
def test_what_is_no_amount_is_refused(amount: object) -> None:
    with pytest.raises(UnreadableError):
        money(amount)


def test_micros_round_half_to_even() -> None:
    assert [micros(Decimal(v)) for v in ("0.0000005", "0.0000015", "0.004212")] == [0, 2, 4212]
    assert micros(None) is None
    with pytest.raises(UnreadableError):
        micros(10**13)


def test_counts_are_whole_and_fit() -> None:
    assert [count(v) for v in (None, "", 0, -3, "7", Decimal("8.0"))] == [None, None, 0, -3, 7, 8]
    wrong: object
    for wrong in (1.5, "many", 2**63, [], True):
        with pytest.raises(UnreadableError):
            count(wrong)


def test_half_a_character_does_not_break_a_table() -> None:
    assert text("a cut emoji \ud83d") == "a cut emoji \ufffd"
    assert text("مرحبا \u202e<b>\x00") == "مرحبا \u202e<b>\x00"
    values: list[object] = ["", None, 7, {}, True]
    assert [text(v) for v in values] == [None, None, "7", None, None]


def test_flags_may_be_spelt_out() -> None:
    assert [flag(v) for v in (True, "False", "maybe", None, 1)] == [True, False, None, None, None]


def test_block_is_written_as_it_came() -> None:
    assert verbatim({"b": 1, "a": Decimal("0.25"), "c": None}) == '{"b":1,"a":0.25,"c":null}'
