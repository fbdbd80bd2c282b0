"""What drift asks of the engine: integer counts, nothing else.

Per feature, rows by (day, cluster bucket, level). A number's level is its value rounded down to
one of 16 steps per octave, in integers; exact values are counted beside it, without buckets.
No floating aggregate and no engine hash, so every engine gives the same counts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import ibis
import ibis.expr.types as ir

from countersign.errors import ConfigError
from countersign.model import Window
from countersign.records import COUNTERS, GatewayCall, stored_schema
from countersign.stats.blocks import SLOTS

LEVEL_ROWS: Final = 20
"""A name with fewer rows in all is no level of its own."""
HEAVY: Final = 200
"""So many of the largest clusters of the window are listed."""
REFERENCE, NOW = "reference", "now"
_OWNERS: Final = ("user_commitment", "session_commitment", "tenant")
_FINEST: Final = range(5, 25)
"""Octaves (of value + 1) that are cut into 16 steps; above them steps stay a million wide."""


def last_attempts(calls: ir.Table) -> ir.Table:
    """Rows less the attempts that a later attempt of the same request replaced.

    A request is counted once, by its last attempt; a request that failed for good counts.
    """
    retried = (
        calls.filter(calls.attempt > 1)
        .group_by(retried_request=calls.request_id)
        .aggregate(last_attempt=calls.attempt.max())
    )
    joined = calls.left_join(retried, calls.request_id == retried.retried_request)
    return joined.filter(joined.last_attempt.isnull() | (joined.attempt == joined.last_attempt))


def by_cluster(calls: ir.Table, features: Sequence[str], window: Window) -> dict[str, ir.Table]:
    """The relations of one window and its history: `rows`, `clusters`, and per feature."""
    rows = last_attempts(
        calls.select(
            "request_id",
            "attempt",
            day=calls.window_day,
            bucket=ibis.coalesce(calls.cluster_bucket, -1),
            owner=ibis.coalesce(*(calls[name] for name in _OWNERS)),
            **{name: value(calls, name) for name in features},
        )
    )
    is_now = rows.day >= str(window.start)
    return {
        "rows": _present(rows, features),
        "clusters": _heavy(rows.filter(is_now), features),
        **_by_feature(rows, features, is_now),
    }


def by_slot(reference: ir.Table, now: ir.Table, features: Sequence[str]) -> dict[str, ir.Table]:
    """The relations of two samples: `slots`, and per feature; a slot takes a bucket's place."""
    rows = _in_slots(reference, REFERENCE, features).union(_in_slots(now, NOW, features))
    return {
        "slots": _present(rows, features),
        **_by_feature(rows, features, rows.day == NOW),
    }


def golden(cases: ir.Table) -> ir.Table:
    """Golden cases per intent."""
    named = cases.filter(cases.intent.notnull())
    return named.group_by(level=named.intent).aggregate(rows=named.case_id.nunique())


def own_columns(*samples: ir.Table) -> tuple[str, ...]:
    """Columns of a user's own files, in all of them, that no record kind knows."""
    known = set(stored_schema(GatewayCall).names)
    shared = set.intersection(*(set(table.columns) for table in samples)) - known
    return tuple(sorted(name for name in shared if _is_countable(samples[0][name])))


def value(calls: ir.Table, name: str) -> ir.Value:
    """A feature of a call: a number is an integer, everything else is a name.

    Raises:
        ConfigError: no such feature or column, or one that has neither form.
    """
    if name in _DERIVED:
        return _DERIVED[name](calls)
    if name not in calls.columns or not _is_countable(calls[name]):
        raise ConfigError(
            f"feature {name}",
            expected="a text, boolean or integer column of gateway_call",
            observed=str(calls[name].type()) if name in calls.columns else "no such column",
            remedy=f"Derived features are {', '.join(_DERIVED)}.",
        )
    column = calls[name]
    return column.cast("int64") if column.type().is_integer() else column.cast("string")


def step(level: int) -> int:
    """How many values a number's level stands for: 1 up to 30, then 1/16 of an octave."""
    octave = min((level + 1).bit_length() - 1, _FINEST[-1])
    return 1 << (octave - 4) if octave >= _FINEST[0] else 1


def _is_countable(column: ir.Column) -> bool:
    kind = column.type()
    return bool(kind.is_string() or kind.is_boolean() or kind.is_integer())


def _prompt_tokens(calls: ir.Table) -> ir.Value:
    counters = [calls[name] for name in COUNTERS if name.startswith("in_")]
    total = counters[0].fill_null(0)
    for counter in counters[1:]:
        total = total + counter.fill_null(0)
    # A call that reports no input counter at all has no length, rather than length 0.
    return ibis.ifelse(ibis.coalesce(*counters).isnull(), ibis.null("int64"), total)


def _hour(calls: ir.Table) -> ir.Value:
    # From the epoch: an engine's `hour` follows the time zone of its session.
    return (calls.started_at.epoch_seconds().cast("int64") % 86_400) // 3_600


_DERIVED: Final[Mapping[str, Callable[[ir.Table], ir.Value]]] = {
    "prompt_tokens": _prompt_tokens,
    "output_tokens": lambda calls: calls.out_visible,
    "hour": _hour,
    "unseen_term": lambda calls: calls.unseen_term_ppm,
}


def _in_slots(calls: ir.Table, sample: str, features: Sequence[str]) -> ir.Table:
    last = last_attempts(
        calls.select(
            "request_id",
            "attempt",
            "call_id",
            "started_at",
            owner=ibis.coalesce(*(calls[name] for name in _OWNERS)),
            **{name: value(calls, name) for name in features},
        )
    )
    # Files without ids carry the row number as call_id: shorter is earlier among equal times.
    in_time = ibis.window(order_by=[last.started_at, last.call_id.length(), last.call_id])
    numbered = last.mutate(
        place=ibis.row_number().over(in_time), sample_rows=last.count().over(ibis.window())
    )
    return numbered.select(
        "owner",
        *features,
        day=ibis.literal(sample),
        bucket=numbered.place * SLOTS // numbered.sample_rows,
    )


def _present(rows: ir.Table, features: Sequence[str]) -> ir.Table:
    counted = {f"with_{name}": rows[name].count() for name in features}
    return rows.group_by("day", "bucket").aggregate(rows=rows.count(), **counted)


def _heavy(rows: ir.Table, features: Sequence[str]) -> ir.Table:
    owned = rows.filter(rows.owner.notnull())
    counted = {f"with_{name}": owned[name].count() for name in features}
    clusters = owned.group_by("owner").aggregate(rows=owned.count(), **counted)
    return clusters.order_by(ibis.desc("rows"), "owner").limit(HEAVY)


def _by_feature(
    rows: ir.Table, features: Sequence[str], is_now: ir.BooleanValue
) -> dict[str, ir.Table]:
    relations = {}
    for name in features:
        present = rows.filter(rows[name].notnull())
        if present[name].type().is_integer():
            relations[f"cells_{name}"] = _cells(present, _stepped(present[name]))
            relations[f"values_{name}"] = present.group_by("day", level=present[name]).aggregate(
                rows=present.count()
            )
        else:
            relations[f"cells_{name}"] = _common(_cells(present, present[name]))
            relations[f"levels_{name}"] = _names(present, name, is_now)
    return relations


def _cells(present: ir.Table, level: ir.Value) -> ir.Table:
    return present.group_by("day", "bucket", level=level).aggregate(rows=present.count())


def _common(cells: ir.Table) -> ir.Table:
    per_level = ibis.window(group_by=cells.level)
    whole = cells.mutate(level_rows=cells.rows.sum().over(per_level))
    return whole.filter(whole.level_rows >= LEVEL_ROWS).drop("level_rows")


def _names(present: ir.Table, name: str, is_now: ir.BooleanValue) -> ir.Table:
    marked = present.mutate(is_now=is_now)
    names = marked.group_by(level=marked[name]).aggregate(
        rows=marked.count(),
        users=marked.owner.nunique(where=marked.is_now),
        first_day=marked.day.min(),
    )
    return names.filter(names.rows >= LEVEL_ROWS)


def _stepped(number: ir.Value) -> ir.Value:
    above = number + 1
    branches = [(above < (1 << _FINEST[0]), number)]
    for octave in _FINEST[:-1]:
        below_next = above < (1 << (octave + 1))
        branches.append((below_next, above - above % (1 << (octave - 4)) - 1))
    return ibis.cases(*branches, else_=above - above % (1 << (_FINEST[-1] - 4)) - 1)
