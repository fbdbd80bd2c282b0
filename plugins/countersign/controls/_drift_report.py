"""Drift's numbers as documents: tables, picture and measures, integers only."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from countersign.canonical import Json
from countersign.controls._drift_counts import Counts, Name
from countersign.controls._drift_verdict import Judged, Limits, Outcome
from countersign.model import PPM
from countersign.stats.rounding import scaled, share_ppm

_MOST_LEVELS = 12
_MOST_DRAWN = 14


@dataclass(frozen=True, slots=True)
class Study:
    """Judged features, those that moved first; the names of each; the limits that applied."""

    judged: Sequence[Judged]
    census: Mapping[str, Sequence[Name]]
    limits: Limits


def tables(study: Study) -> dict[str, Json]:
    """`features` (a row each), `levels` (those that changed most), `distances` (textbook)."""
    levels = [
        row
        for one in study.judged
        if one.counts is not None
        for row in _levels(one, one.counts, study.census.get(one.feature, ()))
    ]
    return {
        "features": [_feature(one, study.limits) for one in study.judged],
        "levels": levels,
        "distances": [row for one in study.judged for row in _distances(one)],
    }


def picture(study: Study) -> dict[str, Json]:
    """Reference and now of the feature that changed most, and every feature's effect."""
    drawn = next((one for one in study.judged if one.counts is not None), None)
    effects: list[Json] = [_drawn_effect(one, study.limits) for one in study.judged]
    shared: dict[str, Json] = {"unit": "share", "effects": effects}
    if drawn is None or drawn.counts is None:
        return {"feature": "", "levels": [], "note": "Nothing can be compared.", **shared}
    levels = _drawn_levels(drawn.counts, study.census.get(drawn.feature, ()))
    return {"feature": drawn.feature, "levels": levels, "note": drawn.reason, **shared}


def measures(study: Study) -> dict[str, int | None]:
    """What the finding carries besides its tables."""
    judged, limits = study.judged, study.limits
    effects = [scaled(one.effect.bits, PPM) for one in judged if one.effect]
    weeks = [len(one.counts.weeks) for one in judged if one.counts and one.examination]
    by_outcome = Counter(one.outcome for one in judged)
    return {
        "features_tested": len(effects),
        "features_moved": by_outcome[Outcome.MOVED],
        "features_undecided": by_outcome[Outcome.UNDECIDED],
        "features_refused": by_outcome[Outcome.REFUSED],
        "reference_weeks": min(weeks, default=0),
        "alpha_ppm": limits.alpha_ppm,
        "false_discovery_ppm": limits.false_discovery_ppm,
        "largest_effect_microbits": max(effects, default=None),
    }


def _distances(one: Judged) -> list[Json]:
    if one.values is None:
        return []
    ks_ppm = scaled(one.values.ks, PPM)
    return [
        {
            "feature": one.feature,
            "bins": distance.bins,
            "js_microbits": scaled(distance.js_bits, PPM),
            "expected_js_microbits": scaled(distance.expected_js_bits, PPM),
            "psi_ppm": scaled(distance.psi, PPM),
            "ks_ppm": ks_ppm,
        }
        for distance in one.values.distances()
    ]


def _drawn_effect(one: Judged, limits: Limits) -> dict[str, Json]:
    row = _feature(one, limits)
    kept = ("feature", "state", *(f"{n}_microbits" for n in ("effect", "low", "high", "minimum")))
    return {name: row[name] for name in kept}


def _feature(one: Judged, limits: Limits) -> dict[str, Json]:
    effect, examined, blocked = one.effect, one.examination, one.block_test
    row: dict[str, Json] = {
        "feature": one.feature,
        "reference_rows": int(one.counts.reference_levels.sum()) if one.counts else 0,
        "now_rows": int(one.counts.now_levels.sum()) if one.counts else 0,
        "clusters": one.counts.now.shape[0] if one.counts else 0,
        "minimum_microbits": limits.minimum_js_microbits,
        "state": one.outcome.value,
        "reason": one.reason,
    }
    bits = (effect.bits, effect.low, effect.high) if effect else (None, None, None)
    for name, value in zip(("effect", "low", "high"), bits, strict=True):
        row[f"{name}_microbits"] = _scaled(value)
    row["psi_ppm"] = _scaled(examined.psi if examined else _octave_psi(one))
    row["ks_ppm"] = _scaled(one.values.ks if one.values else None)
    first = examined.p_bootstrap if examined else blocked.p_value if blocked else None
    row["p_bootstrap_ppm"] = _scaled(first)
    row["p_history_ppm"] = _scaled(examined.p_history if examined else None)
    row["p_feature_ppm"] = _scaled(one.p_value if effect else None)
    return row


def _octave_psi(one: Judged) -> float | None:
    return one.values.distances()[0].psi if one.values and one.block_test else None


def _levels(one: Judged, counts: Counts, names: Sequence[Name]) -> list[Json]:
    before, now = counts.reference_levels.tolist(), counts.now_levels.tolist()
    totals = sum(before), sum(now)
    own, named = counts.levels[: counts.own], {name.level: name for name in names}
    rows = [
        _level(one.feature, level, (b, n), totals, named.get(level) if level in own else None)
        for level, b, n in zip(counts.levels, before, now, strict=True)
    ]
    if one.examination is not None:
        z = one.examination.levels.z
        rows = [{**row, "z_milli": scaled(float(z[k]), 1000)} for k, row in enumerate(rows)]
    rows = [row for row, both in zip(rows, zip(before, now, strict=True), strict=True) if any(both)]
    newcomers = sorted(
        (name for name in names if name.level not in own and name.now > 0),
        key=lambda name: (-name.now, name.level),
    )
    new = [_level(one.feature, n.level, (n.reference, n.now), totals, n) for n in newcomers]
    return [*sorted(rows, key=_by_change)[:_MOST_LEVELS], *new[:_MOST_LEVELS]]


def _by_change(row: Mapping[str, Json]) -> tuple[int, str]:
    change = row["change_ppm"]
    return -abs(change) if isinstance(change, int) else 0, str(row["level"])


def _level(
    feature: str, level: str, rows: tuple[int, int], totals: tuple[int, int], name: Name | None
) -> dict[str, Json]:
    before, now = (share_ppm(part, whole) for part, whole in zip(rows, totals, strict=True))
    first_seen = str(name.first_day) if name and name.first_day else None
    return {
        "feature": feature,
        "level": level,
        "reference_ppm": before,
        "now_ppm": now,
        "change_ppm": now - before,
        "z_milli": None,
        "users": name.users if name else None,
        "first_seen": first_seen,
    }


def _drawn_levels(counts: Counts, names: Sequence[Name]) -> list[Json]:
    """Bins in their order; names by size, new ones by their own name, the rest together."""
    totals = int(counts.reference_levels.sum()), int(counts.now_levels.sum())
    pairs = list(
        zip(
            counts.levels, counts.reference_levels.tolist(), counts.now_levels.tolist(), strict=True
        )
    )
    if counts.unseen is not None:
        known = sorted(names, key=lambda name: (-(name.reference + name.now), name.level))
        pairs = [(name.level, name.reference, name.now) for name in known[: _MOST_DRAWN - 1]]
        rest = (totals[0] - sum(p[1] for p in pairs), totals[1] - sum(p[2] for p in pairs))
        pairs += [("all others", *rest)] if max(rest) > 0 else []
    return [
        {
            "label": label,
            "reference_ppm": share_ppm(before, totals[0]),
            "now_ppm": share_ppm(after, totals[1]),
        }
        for label, before, after in pairs
    ]


def _scaled(value: float | None) -> int | None:
    return None if value is None else scaled(value, PPM)
