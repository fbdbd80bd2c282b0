"""Score: findings against the truth. Planted, found, missed and spurious, id by id.

Found means: the control made an observation of the planted fact about the planted subject, with
the outcome that the fact calls for. Spurious is an observation that should not be there and
follows from nothing that was planted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from countersign.canonical import Json
from countersign.model import Window, instant

EXPLAINED: Final = frozenset({"cancelled-tail", "retry-billed", "double-logged"})
"""Facts that hold: the control found the tokens and explained them."""
_COMMITTED: Final = frozenset({"unlogged-key"})
"""Facts whose subject is an identifier that findings carry only as a commitment."""
Observed = Mapping[str, Any]
Name = tuple[str, str]
"""Fact and subject."""


@dataclass(frozen=True, slots=True)
class Line:
    """One control's score. Names read `fact subject`."""

    control: str
    planted: tuple[str, ...]
    found: tuple[str, ...]
    missed: tuple[str, ...]
    spurious: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """All controls' scores over one window."""

    window: Window
    lines: tuple[Line, ...]

    @property
    def missed(self) -> tuple[str, ...]:
        """What was planted and not found, over all controls."""
        return tuple(name for line in self.lines for name in line.missed)

    @property
    def spurious(self) -> tuple[str, ...]:
        """What was reported and not planted, over all controls."""
        return tuple(name for line in self.lines for name in line.spurious)

    def document(self) -> dict[str, Json]:
        """The JSON form."""
        return {
            "window": str(self.window),
            "controls": {
                line.control: {
                    "planted": len(line.planted),
                    "found": len(line.found),
                    "missed": list(line.missed),
                    "spurious": list(line.spurious),
                }
                for line in self.lines
            },
        }

    def table(self) -> str:
        """The form for a person: counts per control, then the names of what went wrong."""
        rows = [f"{'control':<24}{'planted':>9}{'found':>9}{'missed':>9}{'spurious':>9}"]
        for line in self.lines:
            counts = (line.planted, line.found, line.missed, line.spurious)
            rows.append(f"{line.control:<24}" + "".join(f"{len(c):>9}" for c in counts))
        for what in ("missed", "spurious"):
            for line in self.lines:
                rows += [f"{what}: {line.control} {name}" for name in getattr(line, what)]
        return "\n".join(rows)


def score(
    truth: Mapping[str, Any],
    findings: Sequence[Mapping[str, Any]],
    observations: Mapping[str, Sequence[Observed]],
    window: Window,
    commit: Callable[[str], str],
) -> Score:
    """Compare findings and their observations with what was planted in the window.

    `commit` turns a plain key id into what findings carry. A finding without observations in the
    mapping is judged by its exceptions. Where nothing is planted at all, any finding that is not
    satisfied is spurious.
    """
    planted = [entry for entry in truth["planted"] if _overlaps(entry, window)]
    by_control = {finding["control"]: finding for finding in findings}
    names = sorted({*by_control, *observations, *(entry["control"] for entry in planted)})
    lines = []
    for control in names:
        finding = by_control.get(control)
        seen = observations.get(control)
        if seen is None:
            seen = finding["exceptions"] if finding else ()
        own = [entry for entry in planted if entry["control"] == control]
        line = _judge(control, own, planted, seen, commit)
        lines.append(line if truth["planted"] else _with_verdict(line, finding))
    return Score(window, tuple(lines))


def _judge(
    control: str,
    own: Iterable[Mapping[str, Any]],
    planted: Iterable[Mapping[str, Any]],
    seen: Sequence[Observed],
    commit: Callable[[str], str],
) -> Line:
    wanted = [name for entry in own for name in _names(entry, commit)]
    made = {(o["fact"], o["subject"]) for o in seen if o["holds"] is _expected(o["fact"])}
    allowed = [(c["fact"], c["subject"]) for entry in planted for c in entry["consequences"]]
    reported = dict.fromkeys((o["fact"], o["subject"]) for o in seen if _is_report(o))
    known = set(wanted)
    return Line(
        control,
        tuple(map(_text, wanted)),
        tuple(_text(name) for name in wanted if name in made),
        tuple(_text(name) for name in wanted if name not in made),
        tuple(_text(name) for name in reported if name not in known and not _in(name, allowed)),
    )


def _with_verdict(line: Line, finding: Mapping[str, Any] | None) -> Line:
    """In a world with nothing planted a finding must not be not-satisfied."""
    if finding is None or finding["state"] != "not-satisfied" or line.spurious:
        return line
    return Line(line.control, line.planted, line.found, line.missed, ("not-satisfied finding",))


def _expected(fact: str) -> bool:
    return fact in EXPLAINED


def _is_report(observation: Observed) -> bool:
    """Whether an observation claims that something happened that should have been planted."""
    holds = observation["holds"]
    return holds is False or (holds is True and observation["fact"] in EXPLAINED)


def _names(entry: Mapping[str, Any], commit: Callable[[str], str]) -> Iterator[Name]:
    for subject in entry["subjects"]:
        is_secret = entry["fact"] in _COMMITTED
        yield entry["fact"], commit(subject) if is_secret else subject


def _in(name: Name, allowed: Iterable[Name]) -> bool:
    return any(name[0] == fact and fnmatchcase(name[1], subject) for fact, subject in allowed)


def _text(name: Name) -> str:
    return f"{name[0]} {name[1]}"


def _overlaps(entry: Mapping[str, Any], window: Window) -> bool:
    first, last = (instant(datetime.fromisoformat(entry[end])) for end in ("from", "to"))
    return first < window.end_us and last >= window.start_us
