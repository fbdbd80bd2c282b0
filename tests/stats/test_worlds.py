"""The whole test on simulated weeks: quiet worlds stay quiet, planted changes are found.

Rows are independent (`iid`), come from users who are new every week (`fresh`), from users who
return (`persist`), or from those in weeks that are unlike each other as a whole (`shock`). Rows
come from users of Pareto activity with an own mix of intents and an own mean length. Row-wise
tests alarm in every quiet week of the last three.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from countersign.stats import edges, jensen_shannon
from countersign.stats.two_nulls import examine

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

BUCKETS, INTENTS, WEEKS = 128, 20, 8
ALPHA = 0.05
WORLDS = ("iid", "fresh", "persist", "shock")


@dataclass(frozen=True)
class World:
    """One world of one seed; the change happens in the last week only."""

    kind: str
    seed: int
    rows: int = 10_000
    moved: float = 0.0
    new: float = 0.0

    def intents(self) -> Counts:
        """Counts [week, bucket, intent]; the last intent is the new one."""
        return self._weeks(self._intent_week, INTENTS + 1)

    def lengths(self) -> Counts:
        """Counts [week, bucket, bin] of lengths, in bins between the reference's deciles."""
        cut = edges.quantiles(*np.unique(self._lengths(), return_counts=True))
        return self._weeks(lambda *week: self._length_week(cut, *week), len(cut) + 1)

    def _weeks(self, count: Callable[..., Counts], levels: int) -> Counts:
        rng = np.random.default_rng(self.seed)
        users = max(self.rows // 10, 500)
        people = _People.drawn(rng, users)
        table = np.zeros((WEEKS + 1, BUCKETS, levels), dtype=np.int64)
        for week in range(WEEKS + 1):
            people = _People.drawn(rng, users) if self.kind == "fresh" else people
            rows = rng.multinomial(self.rows, self._activity(rng, people))
            buckets = rng.integers(0, BUCKETS, users) if self.kind == "iid" else people.bucket
            np.add.at(table[week], buckets, count(rng, people, rows, week == WEEKS))
        return table

    def _activity(self, rng: np.random.Generator, people: "_People") -> Shares:
        if self.kind == "iid":
            return np.full(people.bucket.size, 1 / people.bucket.size)
        if self.kind == "fresh":
            return people.activity
        active = people.activity * rng.gamma(2, 0.5, people.bucket.size)
        returned: Shares = active / active.sum()
        return returned

    def _intent_week(
        self, rng: np.random.Generator, people: "_People", rows: Counts, is_last: bool
    ) -> Counts:
        mix = np.tile(_zipf(), (rows.size, 1)) if self.kind == "iid" else people.mix.copy()
        if self.kind == "shock":
            mix = mix * np.exp(rng.normal(0, 0.06, INTENTS))
        mix /= mix.sum(axis=1, keepdims=True)
        if is_last:
            gone = mix[:, 0] * self.moved / _zipf()[0]
            mix[:, 0] -= gone
            mix[:, 5] += gone
        new = self.new if is_last else 0.0
        return rng.multinomial(rows, np.c_[mix * (1 - new), np.full(rows.size, new)])

    def _length_week(
        self,
        cut: Counts,
        rng: np.random.Generator,
        people: "_People",
        rows: Counts,
        is_last: bool,
    ) -> Counts:
        shock = rng.normal(0, 0.02) if self.kind == "shock" else 0.0
        own, spread = (0.0, 1.2) if self.kind == "iid" else (people.length, np.sqrt(1.08))
        grid = np.log(np.append(cut + 1.0, np.inf))
        below = stats.norm.cdf((grid - (6 + own * np.ones(rows.size))[:, None] - shock) / spread)
        return rng.multinomial(rows, np.diff(below, axis=1, prepend=0.0))

    def _lengths(self) -> Counts:
        rng = np.random.default_rng(self.seed + 1)
        return np.exp(rng.normal(6, 1.2, 20_000)).astype(np.int64)


@dataclass(frozen=True)
class _People:
    activity: Shares
    mix: Shares
    length: Shares
    bucket: Counts

    @classmethod
    def drawn(cls, rng: np.random.Generator, users: int) -> "_People":
        activity = rng.pareto(1.3, users) + 1
        activity = np.minimum(activity / activity.sum(), 0.02)
        return cls(
            activity / activity.sum(),
            rng.dirichlet(3 * _zipf(), users),
            rng.normal(0, 0.6, users),
            rng.integers(0, BUCKETS, users),
        )


def _zipf() -> Shares:
    share: Shares = 1 / np.arange(1, INTENTS + 1)
    share /= share.sum()
    return share


def _p_value(table: Counts) -> float:
    return examine(table[:-1], table[-1]).p_value


def _alarms(tables: list[Counts]) -> int:
    return sum(_p_value(table) <= ALPHA for table in tables)


@pytest.fixture
def long_form(request: pytest.FixtureRequest) -> None:
    """The 200-seed protocol takes minutes."""
    if "slow" not in (request.config.option.markexpr or ""):
        pytest.skip("long form of the short test: run it with -m slow")


@pytest.mark.parametrize("kind", WORLDS)
def test_quiet_worlds_stay_quiet(kind: str) -> None:
    seeds = 60
    most = stats.binom.ppf(0.99, seeds, ALPHA)
    assert _alarms([World(kind, seed).intents() for seed in range(seeds)]) <= most
    assert _alarms([World(kind, seed).lengths() for seed in range(seeds)]) <= most


@pytest.mark.slow
@pytest.mark.usefixtures("long_form")
@pytest.mark.parametrize("rows", [10_000, 100_000])
@pytest.mark.parametrize("kind", WORLDS)
def test_quiet_worlds_stay_quiet_over_200_seeds(kind: str, rows: int) -> None:
    most = stats.binom.ppf(0.99, 200, ALPHA)
    assert _alarms([World(kind, seed, rows).intents() for seed in range(200)]) <= most
    assert _alarms([World(kind, seed, rows).lengths() for seed in range(200)]) <= most


@pytest.mark.parametrize(
    ("moved", "new"), [(0.05, 0.0), (0.0, 0.03), (0.0, 0.01)], ids=["5-points", "3-%", "1-%"]
)
def test_planted_change_is_found(moved: float, new: float) -> None:
    worlds = [World("persist", seed, moved=moved, new=new).intents() for seed in range(30)]
    assert _alarms(worlds) >= 0.9 * len(worlds)


@pytest.mark.slow
@pytest.mark.usefixtures("long_form")
@pytest.mark.parametrize("kind", ["persist", "shock"])
@pytest.mark.parametrize(
    ("moved", "new"), [(0.05, 0.0), (0.0, 0.03), (0.0, 0.01)], ids=["5-points", "3-%", "1-%"]
)
def test_planted_change_is_found_over_200_seeds(kind: str, moved: float, new: float) -> None:
    worlds = [World(kind, seed, moved=moved, new=new).intents() for seed in range(200)]
    assert _alarms(worlds) >= 180


def test_rows_are_no_evidence_of_their_own() -> None:
    """What the same quiet weeks look like to a chi-square test over rows."""
    alarms = 0
    for seed in range(10):
        table = World("persist", seed).intents().sum(axis=1)[:, :-1]
        both = np.array([table[:-1].sum(axis=0), table[-1]])
        both = both[:, both.sum(axis=0) > 0]
        alarms += stats.chi2_contingency(both).pvalue < ALPHA
    assert alarms >= 9


def test_interval_holds_the_true_divergence() -> None:
    true = float(jensen_shannon.divergence_bits(_zipf(), _moved_mix(0.05)))
    held = 0
    for seed in range(40):
        table = World("iid", seed, moved=0.05).intents()
        effect = examine(table[:-1], table[-1]).effect
        held += effect.low <= true <= effect.high
    assert held >= stats.binom.ppf(0.01, 40, 0.93)


def test_drift_that_began_inside_the_reference_is_still_found() -> None:
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(20):
        shares = np.array([0, 0, 0, 0, 0.012, 0.024, 0.036, 0.048, 0.06])
        table = np.zeros((WEEKS + 1, BUCKETS, 2), dtype=np.int64)
        for week, share in enumerate(shares):
            table[week] = rng.multinomial(40, [0.95 - share, 0.05 + share], size=BUCKETS)
        found += _p_value(table) <= ALPHA
    assert found >= 18


def _moved_mix(points: float) -> Shares:
    mix = _zipf()
    mix[0] -= points
    mix[5] += points
    return mix
