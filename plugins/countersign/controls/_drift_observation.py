"""What drift has to say of single things: features, new levels, large clusters, extreme rows."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np

from countersign.controls._drift_counts import Counts, Name
from countersign.controls._drift_verdict import Judged, Limits, Outcome
from countersign.model import PPM, Observation, Window
from countersign.stats import edges
from countersign.stats.rounding import scaled, share_ppm

_SETTLED = timedelta(days=14)
"""A level first seen later than this after the reference begins is new, if it also grew."""
_FAR = 16
"""Times the reference's 99.9 % point: an extreme value."""
_FEW_ROWS = 10


def feature_moved(judged: Sequence[Judged]) -> Iterator[Observation]:
    """Every feature that moved, may have moved, or was refused."""
    for one in judged:
        if one.outcome is Outcome.HOLDS:
            continue
        effect = one.effect
        microbits = {"js_microbits": scaled(effect.bits, PPM)} if effect else {}
        yield Observation(
            subject=one.feature,
            fact="feature-moved" if effect else "feature-refused",
            expected="as in the reference weeks, within ordinary change",
            observed=one.reason,
            holds=False if one.outcome is Outcome.MOVED else None,
            measures=microbits,
        )


def new_levels(
    one: Judged, names: Sequence[Name], reference_start: date, limits: Limits
) -> Iterator[Observation]:
    """Names that the reference does not have, or that first came after it had begun and grew.

    `names` has level, rows in the reference and now, users now, first day over window and
    history. A count is a fact: no test is needed to say that a name is new, only enough rows
    and users.
    """
    counts = one.counts
    if counts is None or counts.unseen is None or len(counts.weeks) < limits.minimum_weeks:
        return
    grown = {counts.levels[k] for k in one.moved_levels if _grew(one, k)}
    known = set(counts.levels[: counts.own])
    rows = int(counts.now.sum())
    for name in sorted(names, key=lambda name: (-name.now, name.level)):
        if name.first_day is None:
            continue
        is_late = name.first_day >= reference_start + _SETTLED
        is_unseen = name.reference == 0 and name.first_day >= reference_start
        is_new = is_unseen or (is_late and (name.level in grown or name.level not in known))
        share = share_ppm(name.now, rows)
        if is_new and share >= limits.minimum_new_ppm:
            yield _new_level(counts, name, share, limits)


def dominant_clusters(judged: Sequence[Judged]) -> Iterator[Observation]:
    """Clusters that are too large a share of some feature's rows for any test, each once."""
    largest: dict[str, tuple[int, str]] = {}
    for one in judged:
        if one.dominant:
            owner, share = one.dominant
            largest[owner] = max(largest.get(owner, (0, "")), (share, one.feature))
    for owner, (share, feature) in sorted(largest.items()):
        yield Observation(
            subject=owner,
            fact="dominant-cluster",
            expected="no single cluster that decides the comparison",
            observed=f"{share / 10_000:.1f} % of the rows that have {feature}",
            holds=None,
            measures={"share_ppm": share},
        )


def extreme_values(judged: Sequence[Judged]) -> Iterator[Observation]:
    """Single values of the window far beyond the reference: named, and without any weight."""
    for one in judged:
        if one.values is None or not len(one.values.reference[0]):
            continue
        usual = int(_quantile_999(*one.values.reference))
        value, count = one.values.now
        far = value >= _FAR * max(usual, 1)
        rows = int(count[far].sum())
        if 0 < rows <= _FEW_ROWS:
            largest = int(value[far].max())
            yield Observation(
                subject=one.feature,
                fact="extreme-value",
                expected=f"99.9 % of the reference is at most {usual}",
                observed=f"{rows} row(s) up to {largest}",
                holds=True,
                measures={"rows": rows, "largest": largest, "usual": usual},
            )


def _new_level(counts: Counts, name: Name, share: int, limits: Limits) -> Observation:
    enough = name.users >= limits.minimum_users
    return Observation(
        subject=f"{counts.feature}={name.level}",
        fact="new-level",
        expected=f"below {limits.minimum_new_ppm / 10_000:.1f} % of rows for a new name",
        observed=f"{share / 10_000:.1f} % of rows, {name.users} users, first seen {name.first_day}",
        holds=False if enough else None,
        measures={"share_ppm": share, "users": name.users},
        since_us=None if name.first_day is None else Window.day(name.first_day).start_us,
    )


def _grew(one: Judged, level: int) -> bool:
    return one.examination is not None and bool(one.examination.levels.change[level] > 0)


def _quantile_999(value: edges.Integers, count: edges.Integers) -> int:
    below = np.cumsum(count)
    rank = -(-int(below[-1]) * 999 // 1000)
    return int(value[np.searchsorted(below, rank)])
