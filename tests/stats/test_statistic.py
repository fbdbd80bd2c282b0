"""Vectors and edge cases of the single statistics."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.errors import EvidenceError
from countersign.stats import blocks, bootstrap, edges, history, jensen_shannon, ks, psi, rounding
from countersign.stats.false_discovery import benjamini_hochberg, simes
from countersign.stats.two_nulls import examine

counts = st.lists(st.integers(0, 10_000), min_size=2, max_size=12)


def test_worked_vector_of_two_segments() -> None:
    """Segment B grows from 4/35 to 17/35 of the traffic."""
    assert psi.psi([31 * 10**9, 4 * 10**9], [18 * 10**9, 17 * 10**9]) == pytest.approx(
        0.739341, abs=1e-6
    )
    assert float(jensen_shannon.divergence_bits([31, 4], [18, 17])) == pytest.approx(
        0.125231, abs=1e-6
    )


@pytest.mark.parametrize(
    ("bins", "rows", "expected"),
    [(5, 1_000, 0.00144), (50, 1_000, 0.01767), (500, 10_000, 0.0180), (5_000, 1_000_000, 0.0018)],
)
def test_expected_divergence_of_equal_distributions(bins: int, rows: int, expected: float) -> None:
    assert jensen_shannon.expected_bits(bins, rows, rows) == pytest.approx(expected, rel=0.01)


@given(counts, counts)
def test_divergence_is_symmetric_and_bounded(a: list[int], b: list[int]) -> None:
    width = min(len(a), len(b))
    bits = float(jensen_shannon.divergence_bits(a[:width], b[:width]))
    assert 0 <= bits <= 1
    assert bits == pytest.approx(float(jensen_shannon.divergence_bits(b[:width], a[:width])))


@given(counts, st.integers(1, 50))
def test_divergence_does_not_depend_on_sample_size(a: list[int], times: int) -> None:
    bits = float(jensen_shannon.divergence_bits(a, [count * times for count in a]))
    assert bits == pytest.approx(0, abs=1e-9)


@given(st.lists(st.integers(0, 2**62 - 2), min_size=1, max_size=50))
def test_octave_is_the_bit_length(values: list[int]) -> None:
    found = edges.last_edge_at_most(np.array(values), edges.octaves())
    assert found.tolist() == [min((value + 1).bit_length() - 1, 61) for value in values]


@given(st.lists(st.integers(-1_000, 1_000), min_size=1, max_size=200))
def test_quantiles_of_counts_are_those_of_the_rows(rows: list[int]) -> None:
    value, count = np.unique(rows, return_counts=True)
    expected = np.unique(np.percentile(rows, edges.DECILES, method="inverted_cdf"))
    assert edges.quantiles(value, count).tolist() == expected.astype(int).tolist()


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=60),
    st.lists(st.integers(0, 30), min_size=1, max_size=60),
)
def test_ks_of_counts_is_that_of_the_rows(a: list[int], b: list[int]) -> None:
    grid = np.arange(31)
    expected = max(abs(np.mean(np.array(a) <= x) - np.mean(np.array(b) <= x)) for x in grid)
    observed = ks.distance(*np.unique(a, return_counts=True), *np.unique(b, return_counts=True))
    assert observed == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_p_values_keep_order_and_never_shrink(p_values: list[float]) -> None:
    adjusted = benjamini_hochberg(p_values)
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    assert (adjusted >= np.array(p_values)).all()
    assert simes(p_values) == adjusted.min()


def test_nothing_tested_is_nothing_found() -> None:
    assert benjamini_hochberg([]).size == 0
    assert simes([]) == 1.0


@given(st.fractions(min_value=-5, max_value=5), st.sampled_from([1, 1_000, 1_000_000]))
def test_rounding_is_half_even_of_the_exact_value(value: object, scale: int) -> None:
    number = float(value)  # type: ignore[arg-type]
    exact = rounding.scaled(number, scale)
    assert abs(exact - number * scale) <= 0.5 + 1e-6


def test_rounding_refuses_what_is_no_number() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(EvidenceError, match="finite"):
            rounding.scaled(value, 1)


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_share_is_exact(part: int, whole: int) -> None:
    assert rounding.share_ppm(part, whole) == round(Fraction(part * 1_000_000, whole))


def test_bootstrap_depends_on_content_alone() -> None:
    table = np.arange(40).reshape(20, 2) + 5
    first, again = (bootstrap.draw(table, table[::-1].copy()) for _ in range(2))
    assert (first.drawn_q == again.drawn_q).all()
    assert bootstrap.seed(table) != bootstrap.seed(table[::-1])


def test_equal_windows_have_no_effect_and_p_one() -> None:
    table = np.arange(40).reshape(20, 2) + 5
    draws = bootstrap.draw(table, table)
    assert draws.p_value() == 1.0
    assert draws.effect() == jensen_shannon.Effect(0.0, 0.0, 0.0)


def test_constant_feature_holds() -> None:
    weeks, now = np.full((8, 40, 1), 9), np.full((40, 1), 9)
    examined = examine(weeks, now)
    assert examined.p_value == 1.0
    assert examined.effect.bits == 0.0


def test_constant_past_and_a_new_level_now() -> None:
    weeks, now = np.zeros((8, 40, 2), dtype=int), np.full((40, 2), 5)
    weeks[:, :, 0] = 10
    assert examine(weeks, now).p_value < 0.01


def test_small_window_is_not_further_away_by_its_size_alone() -> None:
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(60):
        weeks = rng.multinomial(10_000, [0.5, 0.3, 0.2], size=8)
        alarms += history.p_value(weeks, rng.multinomial(1_000, [0.5, 0.3, 0.2])) < 0.05
    assert alarms <= 7


def test_trend_hardly_widens_the_spread_between_weeks() -> None:
    rising = np.array([[1000 - 20 * week, 20 * week] for week in range(8)])
    spread = history.week_to_week_sd(rising)[1]
    assert spread < 0.02 < np.std(rising[:, 1] / 1000, ddof=1)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (0, 5), (1_000_000, 1), (9_683, 9_683)])
def test_blocks_are_forty_in_all(n: int, m: int) -> None:
    first, second = blocks.split(n, m)
    assert first + second == blocks.BLOCKS
    assert min(first, second) >= 1


def test_block_counts_keep_every_row() -> None:
    slots = np.arange(3_000).reshape(1_000, 3)
    assert (blocks.block_counts(slots, 27).sum(axis=0) == slots.sum(axis=0)).all()


def test_empty_samples_have_no_quantiles_and_no_distance() -> None:
    none = np.empty(0, dtype=np.int64)
    assert edges.quantiles(none, none).size == 0
    assert ks.distance(none, none, np.array([1]), np.array([1])) == 0.0
