"""From judged features to one conclusion: the state, its reason, and what was not examined."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from countersign.controls import _drift_observation as observing
from countersign.controls import _drift_report as report
from countersign.controls import _drift_samples as samples
from countersign.controls import _drift_weeks as weeks
from countersign.controls._drift_calendar import is_comparable, left_out
from countersign.controls._drift_counts import Name
from countersign.controls._drift_verdict import Judged, Limits, Outcome, decide
from countersign.controls._drift_weeks import Reference
from countersign.controls.interface import Conclusion
from countersign.model import PPM, Grade, Observation, State
from countersign.stats.rounding import share_ppm

_MATERIAL = 3
"""One feature in three without an answer: the whole is without an answer."""
_NAMED = 3
_NO_GOLDEN = "No golden case: whether the golden set still covers this traffic."


def of_samples(reduced: Mapping[str, pa.Table], limits: Limits) -> Conclusion:
    """Conclude from two files."""
    present, absent = _present(reduced["slots"])
    judged, census = samples.judge(reduced, present, limits)
    judged = decide(judged, limits)
    said = [
        "Two samples, no history: ordinary weeks, and when a new name was first seen.",
        *_absent(absent),
        _NO_GOLDEN,
    ]
    return _conclusion(
        report.Study(judged, census, limits),
        [*observing.feature_moved(judged), *observing.extreme_values(judged)],
        Grade("two samples, no history", "the null is 40 contiguous blocks of time"),
        said,
    )


def of_weeks(reduced: Mapping[str, pa.Table], reference: Reference, limits: Limits) -> Conclusion:
    """Conclude from a window and its reference weeks."""
    present, absent = _present(reduced["rows"])
    comparable = is_comparable(reference.window)
    weekly = weeks.judge(reduced, present if comparable else (), reference, limits)
    judged = decide(weekly.judged, limits)
    golden = _golden(reduced["golden"], weekly.census.get("intent", ()), limits)
    said = [
        *left_out(reference.window, weeks.days_with(reduced["rows"], "rows"), reference.holidays),
        *_partial(judged),
        *_absent(absent),
    ]
    if not comparable:
        said.append(f"{reference.window} is neither whole weeks nor part of one.")
    if not golden["golden_cases"]:
        said.append(_NO_GOLDEN)
    seen = [
        *_new_levels(judged, weekly, limits),
        *observing.feature_moved(judged),
        *observing.dominant_clusters(judged),
        *observing.extreme_values(judged),
    ]
    study = report.Study(judged, weekly.census, limits)
    concluded = _conclusion(study, seen, Grade("two nulls", _set_by(judged, reference)), said)
    return replace(concluded, measures={**concluded.measures, **golden})


def _conclusion(
    study: report.Study, seen: Sequence[Observation], grade: Grade, not_examined: Sequence[str]
) -> Conclusion:
    features_hold = sum(one.outcome is Outcome.HOLDS for one in study.judged)
    by_holds = Counter(observation.holds for observation in seen)
    state = _state(study.judged, by_holds[False])
    return Conclusion(
        state=state,
        reason=_reason(state, study, seen),
        grade=grade,
        observations=tuple(sorted(seen, key=_worst_first)),
        examined=features_hold + len(seen),
        holding=features_hold + by_holds[True],
        not_holding=by_holds[False],
        undecided=by_holds[None],
        measures=report.measures(study),
        picture=report.picture(study),
        tables=report.tables(study),
        not_examined=tuple(not_examined),
    )


def _state(judged: Sequence[Judged], failing: int) -> State:
    """Anything that moved decides. A pass needs answers for more than two thirds of features."""
    unanswered = sum(one.outcome is Outcome.REFUSED for one in judged)
    if failing:
        return State.NOT_SATISFIED
    if any(one.outcome is Outcome.UNDECIDED for one in judged):
        return State.INCONCLUSIVE
    return State.INCONCLUSIVE if unanswered * _MATERIAL >= len(judged) else State.SATISFIED


def _reason(state: State, study: report.Study, seen: Sequence[Observation]) -> str:
    judged = study.judged
    if state is State.NOT_SATISFIED:
        failing = [f"{_spoken(one)}: {one.observed}" for one in seen if one.holds is False]
        return f"Inputs moved. {_first(failing)}."
    if not judged:
        return "No feature can be compared: nothing is known about the inputs."
    open_ = [f"{o.feature} ({o.reason})" for o in judged if o.outcome is not Outcome.HOLDS]
    if state is State.INCONCLUSIVE:
        return f"{len(open_)} of {len(judged)} features have no answer: {_first(open_)}."
    largest = max(one.effect.bits for one in judged if one.effect)
    minimum = study.limits.minimum_js_microbits / PPM
    rest = f" Not examined: {_first(open_)}." if open_ else ""
    return (
        f"None of {len(judged) - len(open_)} features moved by what matters: the largest "
        f"effect is {largest:.4f} bits, the minimum that counts is {minimum:.4f} bits.{rest}"
    )


def _spoken(one: Observation) -> str:
    """`new intent passkey-migration`, or the feature in words."""
    if one.fact == "new-level":
        return "New " + one.subject.replace("=", " ").replace("_", " ")
    return one.subject.replace("_", " ").capitalize()


def _first(parts: Sequence[str]) -> str:
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return "; ".join(parts[:_NAMED]) + more


def _new_levels(
    judged: Sequence[Judged], weekly: weeks.Weekly, limits: Limits
) -> list[Observation]:
    return [
        seen
        for one in judged
        if one.feature in weekly.census
        for seen in observing.new_levels(
            one, weekly.census[one.feature], weekly.starts[one.feature], limits
        )
    ]


def _present(rows: pa.Table) -> tuple[list[str], list[str]]:
    """Features with any value at all, and those without."""
    columns = [name for name in rows.column_names if name.startswith("with_")]
    counted = {name.removeprefix("with_"): sum(rows[name].to_pylist()) for name in columns}
    return [f for f, n in counted.items() if n], [f for f, n in counted.items() if not n]


def _absent(features: Sequence[str]) -> list[str]:
    if not features:
        return []
    return [f"No row has a value of {', '.join(features)}: nothing is known of it."]


def _partial(judged: Sequence[Judged]) -> list[str]:
    return [
        f"{one.feature} is on less than half of the rows and is examined on those "
        f"({int(one.counts.now_levels.sum())} now): the others are not known."
        for one in judged
        if one.counts is not None and one.counts.is_partial
    ]


def _set_by(judged: Sequence[Judged], reference: Reference) -> str:
    weekly = [len(one.counts.weeks) for one in judged if one.counts is not None]
    kind = "pinned" if reference.is_pinned else "not pinned, it moves with the window"
    return f"{min(weekly, default=0)} reference weeks ({kind})"


def _golden(cases: pa.Table, intents: Sequence[Name], limits: Limits) -> dict[str, int | None]:
    """Golden cases, and the share of this traffic whose intent has enough of them."""
    by_intent = dict(zip(cases["level"].to_pylist(), cases["rows"].to_pylist(), strict=True))
    now = sum(name.now for name in intents)
    covered = sum(n.now for n in intents if by_intent.get(n.level, 0) >= limits.golden_cases)
    is_known = bool(by_intent) and now > 0
    return {
        "golden_cases": sum(by_intent.values()) if by_intent else None,
        "golden_coverage_ppm": share_ppm(covered, now) if is_known else None,
    }


def _worst_first(seen: Observation) -> tuple[int, str, int, str]:
    rank = {False: 0, None: 1, True: 2}[seen.holds]
    size = seen.measures.get("share_ppm", seen.measures.get("js_microbits", 0))
    return rank, "" if seen.fact == "new-level" else seen.fact, -size, seen.subject
