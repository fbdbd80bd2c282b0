"""Page 1: the headline, the verdicts, what changed, and what could not be concluded.

No sentence is stronger than the findings it stands on. Everything is bounded, so that the page
stays one page whatever the numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from countersign.canonical import Json
from countersign.model import State
from countersign.packet.input import PacketInput, Week
from countersign.packet.mark import Mark, rank
from countersign.packet.money import RECONCILIATION
from countersign.packet.number import grouped, spelled
from countersign.packet.pictures.metrics import fit, lines
from countersign.packet.table import integer
from countersign.packet.text import abbreviated, plain, sentence, words

_WEEKS: Final = 8
_SEEN_ROOM, _SET_ROOM, _CHANGE_ROOM, _WHY_ROOM = 198.0, 198.0, 200.0, 150.0
_MOST_LISTED: Final = 5
_ROOMY: Final = ((3, 4), (6, 3), (8, 2))
"""Up to so many controls, a reason may take so many lines."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A control's outcome before it is words: what every part of the view starts from."""

    control: str
    title: str
    state: State
    reason: str
    set_by: str
    exceptions: int


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One line of the table on page 1."""

    anchor: str
    title: str
    mark: Mark
    seen: tuple[str, ...]
    set_by: str
    weeks: tuple[Mark | None, ...]
    weeks_text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A short list on page 1: what and why, already cut to its lines."""

    name: str
    lines: tuple[str, ...]


def verdicts(given: PacketInput) -> tuple[Verdict, ...]:
    """One for each registered control, most attention first, then by name."""
    by_id = {str(finding["control"]): finding for finding in given.findings}
    names = list(dict.fromkeys([*given.controls, *by_id, *given.not_run]))
    found = [_verdict(name, by_id.get(name), given) for name in names]
    return tuple(sorted(found, key=lambda verdict: (rank(verdict.state), verdict.control)))


def _verdict(name: str, finding: Mapping[str, Json] | None, given: PacketInput) -> Verdict:
    if finding is None:
        crash = given.not_run.get(name)
        reason = (
            f"the control’s task ended with {plain(crash.error, 60)} at {plain(crash.where, 80)}"
            if crash
            else "no finding exists for this window"
        )
        return Verdict(name, words(name), State.NOT_RUN, sentence(reason), "no finding exists", 0)
    grade = finding.get("grade")
    set_by = grade.get("set_by") if isinstance(grade, dict) else None
    observed = finding.get("observations")
    failing = integer(observed, "not_holding") if isinstance(observed, dict) else None
    return Verdict(
        name,
        words(name),
        State(str(finding["state"])),
        sentence(abbreviated(plain(finding.get("reason") or "no reason given", 700))),
        abbreviated(plain(set_by or "not stated", 160)),
        failing or 0,
    )


def headline(found: Sequence[Verdict], unexplained_ppm: int | None) -> str:
    """At most three sentences: the money, what failed, what is open."""
    open_ = [v for v in found if v.state in {State.INCONCLUSIVE, State.NOT_RUN}]
    failed = [v for v in found if v.state is State.NOT_SATISFIED]
    parts = [_money_sentence(found, unexplained_ppm), _failed_sentence(failed, len(found))]
    parts.append(_open_sentence(open_) if open_ else "")
    return " ".join(part for part in parts if part)


def _money_sentence(found: Sequence[Verdict], unexplained_ppm: int | None) -> str:
    """Only where the reconciliation concluded; an open finding supports no sentence."""
    states = {verdict.control: verdict.state for verdict in found}
    state = states.get(RECONCILIATION)
    if unexplained_ppm is None or state not in {State.SATISFIED, State.NOT_SATISFIED}:
        return ""
    if state is State.SATISFIED:
        return f"All but {grouped(abs(unexplained_ppm))} ppm of the billed cost is explained."
    return f"{grouped(abs(unexplained_ppm))} ppm of the billed cost is unexplained."


def _failed_sentence(failed: Sequence[Verdict], total: int) -> str:
    if not failed:
        return "No control failed." if total else "No control is registered."
    names = _listing([v.title.lower() for v in failed], 4)
    verb = "control is" if len(failed) == 1 else "controls are"
    return f"{spelled(len(failed)).capitalize()} {verb} not satisfied: {names}."


def _open_sentence(open_: Sequence[Verdict]) -> str:
    names = _listing([v.title.lower() for v in open_], 3)
    return f"{spelled(len(open_)).capitalize()} could not be concluded: {names}."


def _listing(names: list[str], most: int) -> str:
    if len(names) > most:
        names = [*names[: most - 1], f"{spelled(len(names) - most + 1)} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def rows(found: Sequence[Verdict], given: PacketInput) -> tuple[SummaryRow, ...]:
    """The table of page 1."""
    count = max((most for up_to, most in _ROOMY if len(found) <= up_to), default=1)
    return tuple(_row(verdict, given, count) for verdict in found)


def _row(verdict: Verdict, given: PacketInput, count: int) -> SummaryRow:
    weeks = _weeks(verdict, given.history, given.window.label)
    said = ", ".join(mark.word if mark else "no packet" for mark in weeks)
    return SummaryRow(
        verdict.control,
        verdict.title,
        Mark.of(verdict.state),
        tuple(lines(verdict.reason, _SEEN_ROOM, 8.5, count)),
        fit(_set_by(verdict), _SET_ROOM, 8.5),
        weeks,
        f"Eight weeks, oldest first: {said}",
    )


def _set_by(verdict: Verdict) -> str:
    return verdict.set_by if verdict.state is State.NOT_RUN else f"set by {verdict.set_by}"


def _weeks(verdict: Verdict, history: Sequence[Week], current: str) -> tuple[Mark | None, ...]:
    """The seven weeks before and this one; a week without a packet is a gap, not a pass."""
    earlier = [week for week in history if week.label != current][-(_WEEKS - 1) :]
    before = [week.states.get(verdict.control) for week in earlier]
    padded = [None] * (_WEEKS - 1 - len(before)) + before
    return (*(Mark.of(state) if state else None for state in padded), Mark.of(verdict.state))


def changes(found: Sequence[Verdict], given: PacketInput) -> tuple[Listed, ...]:
    """Worse, then better, then new; a control that did not change is not named."""
    if given.previous is None:
        return (Listed("First", ("No packet of the week before is known here.",)),)
    moved: dict[str, dict[tuple[State, State], list[str]]] = {"Worse": {}, "Better": {}}
    fresh: list[str] = []
    for verdict in found:
        before = given.previous.states.get(verdict.control)
        if before is None:
            fresh.append(verdict.title)
        elif before is not verdict.state:
            side = "Worse" if rank(verdict.state) < rank(before) else "Better"
            moved[side].setdefault((before, verdict.state), []).append(verdict.title)
    listed = [Listed(side, _transitions(groups)) for side, groups in moved.items() if groups]
    if fresh:
        listed.append(Listed("New", _cut(", ".join(fresh), _CHANGE_ROOM, 2)))
    return tuple(listed) or (Listed("None", ("Every verdict is that of the week before.",)),)


def _transitions(groups: Mapping[tuple[State, State], list[str]]) -> tuple[str, ...]:
    """By name where that fits, else by number."""
    named = ". ".join(f"{', '.join(names)}: {_from_to(*key)}" for key, names in groups.items())
    counted = ". ".join(f"{len(names)} {_from_to(*key)}" for key, names in groups.items())
    cut = _cut(named, _CHANGE_ROOM, 3)
    return _cut(counted, _CHANGE_ROOM, 3) if cut[-1].endswith("…") else cut


def _from_to(old: State, new: State) -> str:
    return f"from {Mark.of(old).word.lower()} to {Mark.of(new).word.lower()}"


def _cut(text: str, room: float, count: int) -> tuple[str, ...]:
    return tuple(lines(text, room, 8.5, count))


def not_concluded(found: Sequence[Verdict]) -> tuple[Listed, ...]:
    """What could not be concluded, with the reason; beyond the bound, how many more."""
    open_ = [v for v in found if v.state in {State.INCONCLUSIVE, State.NOT_RUN}]
    count = 2 if len(open_) <= 3 else 1
    shown = [Listed(v.title, _cut(v.reason, _WHY_ROOM, count)) for v in open_[:_MOST_LISTED]]
    if len(open_) > _MOST_LISTED:
        shown.append(Listed("and more", (f"{len(open_) - _MOST_LISTED}: see their pages.",)))
    return tuple(shown)
