"""The rules that explain a cell's gap by calls, in the order in which they are tried.

1. `boundary`: calls at a bucket's edge, moved into the neighbour, settle a cell and relieve the
   other.
2. The fewest of these that settle the cell together, the best fit first: `double_logged` (rows of
   one request; the surplus row's counters are exactly what the log has too much),
   `retry_billed` (a retried call whose prompt is what was billed too much), `boundary` (a call at
   the window's edge that was billed outside), `logged_unbilled` (one call that is missing from a
   final bill). An estimate in the cell widens what "settles" means by its stated error; then the
   provider's count of requests must agree as well.
3. What is left goes to the first of: `logged_unbilled` or `late` (nothing was billed),
   `usage_missing` (calls whose usage never came), `retry_billed` (failed attempts that the
   provider counted), the cell's own estimates, `late` (an open bucket that holds too little; what
   it holds beyond the log is the tail of its stopped calls).
4. Otherwise it is `unexplained`, and stays so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

from countersign.controls._tokens_calls import FAMILIES, PROMPT, Limits
from countersign.controls._tokens_cells import BOUNDED, EXACT, UNVERIFIABLE, Cell, Share
from countersign.model import PPM, Window

_RANK: Final = ("double_logged", "retry_billed", "boundary", "logged_unbilled")
_MOST_CALLS = 40
_MOST_TOGETHER = 3

Call = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """One call under one cause."""

    cause: str
    call: Call

    @property
    def order(self) -> tuple[int, int, str]:
        """Ties are broken by rule, time and id."""
        return (_RANK.index(self.cause), self.call["at"], self.call["call_id"])


@dataclass(frozen=True, slots=True)
class Named:
    """A call that explains a gap, with the tokens it explains and the interval they lie in."""

    cause: str
    call: Call
    basis: str
    tokens: Mapping[str, int]
    between: tuple[int, int]
    others: tuple[str, ...] = ()


@dataclass(slots=True)
class Explained:
    """What the rules made of the cells."""

    shares: list[Share] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)


def explain(cells: Sequence[Cell], limits: Limits, window: Window) -> Explained:
    """Attribute the whole gap of every cell; deterministic in the cells and their calls."""
    found = Explained()
    _move_edges(cells, limits, found)
    for cell in cells:
        _explain_cell(cell, limits, window, found)
    return found


def by_family(call: Call) -> dict[str, int]:
    """A call's counters, family by family."""
    return {family: sum(call[name] for name in names) for family, names in FAMILIES.items()}


def settles(cell: Cell, chosen: Sequence[Action], limits: Limits) -> bool:
    """Whether nothing beyond the error of the cell's estimates is left after the actions."""
    gap, retries = dict(cell.gap), 0
    counted = cell.counted
    for action in chosen:
        sign = -1 if action.cause == "retry_billed" else 1
        retries += sign < 0
        counted -= sign
        for family, tokens in by_family(action.call).items():
            gap[family] += sign * tokens if sign > 0 or family in PROMPT else 0
    if cell.uncounted:
        return False
    prompt, output = sum(gap[name] for name in PROMPT), gap["output"]
    if not cell.estimated and not retries:
        return not any(gap.values())
    longest = limits.longest_answer_tokens * (cell.estimated + retries)
    error = (
        cell.estimated_prompt * limits.estimate_error_ppm
        + cell.estimated * limits.estimate_error_tokens * PPM
    )
    if cell.estimated and cell.requests not in {None, counted}:
        return False
    return abs(prompt) * PPM <= error and 0 <= output <= longest


def _explain_cell(cell: Cell, limits: Limits, window: Window, found: Explained) -> None:
    if not any(cell.gap.values()):
        return
    if settles(cell, (), limits):
        found.shares += _estimated(cell)
        return
    fitting = _fitting(cell, limits, window)
    if fitting:
        _apply(cell, fitting, found)
        retried = any(action.cause == "retry_billed" for action in fitting[0])
        found.shares += _estimated(cell, is_shared=retried)
    else:
        _leftover(cell, limits, found)


def _fitting(cell: Cell, limits: Limits, window: Window) -> list[tuple[Action, ...]]:
    """The smallest sets of actions that settle the cell, best first."""
    actions = sorted(_actions(cell, limits, window), key=lambda action: action.order)[:_MOST_CALLS]
    for size in range(1, _MOST_TOGETHER + 1):
        sets = [
            chosen
            for chosen in combinations(actions, size)
            if len({action.call["call_id"] for action in chosen}) == size
            and settles(cell, chosen, limits)
        ]
        if sets:
            return sorted(sets, key=lambda chosen: _misfit(cell, chosen))
    return []


def _misfit(cell: Cell, chosen: Sequence[Action]) -> tuple[Any, ...]:
    moved = sum(
        (-1 if action.cause == "retry_billed" else 1)
        * sum(by_family(action.call)[name] for name in PROMPT)
        for action in chosen
    )
    return (abs(cell.prompt + moved), *(action.order for action in chosen))


def _actions(cell: Cell, limits: Limits, window: Window) -> Iterator[Action]:
    if not cell.billed_rows:
        return
    exact = _exact(cell)
    first, last = window.start_us + limits.skew_us, window.end_us - limits.skew_us
    for call in exact:
        if call["twins"] == 1 and call["attempt"] > 1:
            yield Action("retry_billed", call)
        if call["at"] <= first or call["until"] >= last:
            yield Action("boundary", call)
        if call["twins"] == 1 and not cell.is_open:
            yield Action("logged_unbilled", call)
    for call in _surplus(exact):
        yield Action("double_logged", call)


def _surplus(calls: Sequence[Call]) -> Iterator[Call]:
    """All rows of a request but the one that was shown; without a word on that, the first."""
    requests: dict[str, list[Call]] = {}
    for call in calls:
        if call["twins"] > 1:
            requests.setdefault(call["request_id"], []).append(call)
    for rows in requests.values():
        rows.sort(key=lambda c: (not c["is_named"], c["content"] == "superseded", c["at"],
                                 c["call_id"]))  # fmt: skip
        yield from rows[1:]


def _apply(cell: Cell, fitting: list[tuple[Action, ...]], found: Explained) -> None:
    chosen = fitting[0]
    alone = len(fitting) == 1
    others = tuple(sorted({a.call["request_id"] for s in fitting[1:] for a in s}))[:20]
    for action in chosen:
        tokens, between = _claimed(cell, action), _between(cell, action)
        is_exact = alone and (action.cause != "retry_billed" or not cell.estimated)
        basis = EXACT if is_exact else BOUNDED
        for family, part in tokens.items():
            cell.gap[family] -= part
        found.shares.append(cell.share(action.cause, basis, tokens))
        found.named.append(Named(action.cause, action.call, basis, tokens, between, others))


def _claimed(cell: Cell, action: Action) -> dict[str, int]:
    """The part of the gap that an action takes.

    A billed retry that is alone takes what there is, split as it was billed; beside estimates or
    other retries its prompt, and no more output than the answer that was kept.
    """
    counters = by_family(action.call)
    if action.cause != "retry_billed":
        return {family: -tokens for family, tokens in counters.items()}
    prompt = sum(counters[name] for name in PROMPT)
    if not cell.estimated and cell.prompt == prompt:
        return dict(cell.gap)
    return {**counters, "output": min(max(0, cell.output), counters["output"])}


def _between(cell: Cell, action: Action) -> tuple[int, int]:
    """The fewest and the most tokens that can be the action's, given what shares its cell."""
    counters = by_family(action.call)
    if action.cause != "retry_billed":
        total = sum(counters.values())
        return total, total
    prompt = sum(counters[name] for name in PROMPT)
    low = 0 if cell.estimated else cell.output
    return prompt + low, prompt + max(0, cell.output)


def _estimated(cell: Cell, *, is_shared: bool = False) -> list[Share]:
    """What remains of a settled cell: the estimates' error, and the tail after the stop."""
    basis = EXACT if cell.estimated == 1 and not is_shared else BOUNDED
    prompt = {name: cell.gap[name] for name in PROMPT}
    return [
        cell.share("usage_missing", basis, prompt),
        cell.share("cancelled_tail", basis, {"output": cell.output}),
    ]


def _leftover(cell: Cell, limits: Limits, found: Explained) -> None:
    cause, basis = _whole(cell, limits)
    if cause == "estimates":
        found.shares += _estimated(cell, is_shared=True)
        return
    if cause == "late" and cell.estimated and cell.output > 0:
        found.shares.append(cell.share("cancelled_tail", BOUNDED, {"output": cell.output}))
        cell.gap["output"] = 0
    found.shares.append(cell.share(cause, basis, dict(cell.gap)))
    failed = [call for call in cell.candidates if call["is_failed"]]
    if cause == "retry_billed" and len(failed) == 1:
        total = sum(cell.gap.values())
        found.named.append(Named(cause, failed[0], basis, dict(cell.gap), (total, total)))


def _whole(cell: Cell, limits: Limits) -> tuple[str, str]:
    if not cell.billed_rows:
        return ("late", BOUNDED) if cell.is_open else ("logged_unbilled", EXACT)
    longest = limits.longest_answer_tokens * (cell.uncounted + cell.estimated)
    if cell.uncounted and cell.prompt >= 0 and 0 <= cell.output <= longest:
        alone = cell.uncounted == 1 and not cell.estimated
        return "usage_missing", EXACT if alone else BOUNDED
    more = 0 if cell.requests is None else cell.requests - cell.counted
    if 0 < more <= cell.failed and not cell.estimated and min(cell.gap.values()) >= 0:
        return "retry_billed", EXACT if more == cell.failed == 1 else BOUNDED
    requests, cell.requests = cell.requests, None
    is_estimate = bool(cell.estimated) and settles(cell, (), limits)
    cell.requests = requests
    if is_estimate:
        return "estimates", BOUNDED
    if cell.is_open and (more < 0 or cell.prompt < 0 or cell.output < 0):
        return "late", BOUNDED
    return "unexplained", UNVERIFIABLE


def _move_edges(cells: Sequence[Cell], limits: Limits, found: Explained) -> None:
    known = {(c.provider, c.model, c.key, c.hour): c for c in cells}
    for cell in cells:
        after = known.get((cell.provider, cell.model, cell.key, cell.hour + limits.bucket_us))
        if after is not None:
            _move(cell, after, limits, found)


def _move(left: Cell, right: Cell, limits: Limits, found: Explained) -> None:
    """Move the fewest calls over one edge that settle a cell on it without hurting the other."""
    edge, skew = right.hour, limits.skew_us
    forward = [(call, 1) for call in _exact(left) if call["until"] >= edge - skew]
    back = [(call, -1) for call in _exact(right) if call["at"] <= edge + skew]
    near = (forward + back)[:_MOST_CALLS]
    spanning = tuple(pair for pair in forward if pair[0]["until"] >= edge)
    before = [_state(cell, limits) for cell in (left, right)]
    for trial in (*combinations(near, 1), *combinations(near, 2), spanning):
        _shift(left, right, trial, 1)
        if _is_better(before, [_state(cell, limits) for cell in (left, right)]):
            _record(left, right, trial, found)
            return
        _shift(left, right, trial, -1)


def _exact(cell: Cell) -> list[Call]:
    return [call for call in cell.candidates if call["is_counted"] and not call["is_estimated"]]


def _state(cell: Cell, limits: Limits) -> tuple[bool, int]:
    size = sum(abs(part) for part in cell.gap.values())
    return not size or settles(cell, (), limits), size


def _is_better(before: list[tuple[bool, int]], after: list[tuple[bool, int]]) -> bool:
    gained = sum(now[0] for now in after) > sum(was[0] for was in before)
    return gained and all(now[1] < was[1] for was, now in zip(before, after, strict=True))


def _shift(left: Cell, right: Cell, moved: Sequence[tuple[Call, int]], sign: int) -> None:
    for call, way in moved:
        for cell, side in ((left, 1), (right, -1)):
            cell.counted -= sign * way * side
            for family, tokens in by_family(call).items():
                cell.gap[family] += sign * way * side * tokens


def _record(left: Cell, right: Cell, moved: Sequence[tuple[Call, int]], found: Explained) -> None:
    for call, way in moved:
        counters = by_family(call)
        for cell, side in ((left, 1), (right, -1)):
            part = {family: -way * side * tokens for family, tokens in counters.items()}
            found.shares.append(cell.share("boundary", EXACT, part))
            cell.candidates = [other for other in cell.candidates if other is not call]
