"""What every control promises, checked over every control that discovery finds.

Cases lie in `cases/<control id>/<case>/`: `<kind>.jsonl` (or `.csv`, see `read_rows`) with rows
by record column names, times as RFC 3339 or microseconds; `window.txt` with START/END;
`expected.json` with `state`, `facts` ([[fact, subject], ...], all that do not hold among them)
and `measures`; optional `settings.json`. `_hold`, `_fail` or `_unknown` in the name says which
state the case must end in.
"""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from countersign import controls, registry
from countersign.controls.interface import Conclusion, Control
from countersign.model import State, Window
from countersign.records import KINDS, Record, kind_name

CASES = Path(__file__).parent / "cases"
CONTROLS = registry.discover(controls, Control)
STATES = {
    "_hold": State.SATISFIED,
    "_fail": State.NOT_SATISFIED,
    "_unknown": State.INCONCLUSIVE,
}

Rows = dict[type[Record], list[Mapping[str, Any]]]


def _cases() -> Iterator[Any]:
    for folder in sorted(CASES.glob("*/*")):
        if folder.is_dir():
            yield pytest.param(folder, id=f"{folder.parent.name}/{folder.name}")


@pytest.fixture(params=_cases())
def case(request: pytest.FixtureRequest) -> Path:
    """Each case of each control."""
    folder: Path = request.param
    return folder


@pytest.fixture
def rows(case: Path, case_rows: Callable[[Path], Iterable[Mapping[str, Any]]]) -> Rows:
    """The case's rows by kind."""
    files = sorted(file for file in case.iterdir() if file.stem in KINDS)
    return {KINDS[file.stem]: list(case_rows(file)) for file in files}


@pytest.fixture
def conclude(case: Path, memory_tables: Any) -> Callable[[Rows], Conclusion]:
    """Run the case's control over rows."""
    window = Window.parse((case / "window.txt").read_text("utf-8").strip())
    return lambda given: memory_tables.of(window, given).conclude(_control(case))


def test_case_ends_as_expected(
    case: Path, rows: Rows, conclude: Callable[[Rows], Conclusion]
) -> None:
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    concluded = conclude(rows)
    assert concluded.state == expected["state"], concluded.reason
    seen = {(o.fact, o.subject) for o in concluded.observations}
    failing = {(o.fact, o.subject) for o in concluded.observations if o.holds is False}
    named = {(fact, subject) for fact, subject in expected.get("facts", [])}
    assert named <= seen
    assert failing <= named
    measures = expected.get("measures", {})
    assert {name: concluded.measures[name] for name in measures} == measures


def test_case_name_says_its_state(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    marked = [state for mark, state in STATES.items() if mark in case.name]
    assert marked == [expected["state"]]


def test_counts_foot(rows: Rows, conclude: Callable[[Rows], Conclusion]) -> None:
    concluded = conclude(rows)
    parts = concluded.holding + concluded.not_holding + concluded.undecided
    assert concluded.examined == parts
    assert concluded.reason.strip()


def test_same_conclusion_under_shuffled_rows_and_twice_the_same_bytes(
    rows: Rows,
    conclude: Callable[[Rows], Conclusion],
    conclusion_bytes: Callable[[Conclusion], bytes],
) -> None:
    first = conclusion_bytes(conclude(rows))
    assert conclusion_bytes(conclude(rows)) == first
    shuffled = {kind: random.Random(7).sample(given, len(given)) for kind, given in rows.items()}
    assert conclusion_bytes(conclude(shuffled)) == first


def test_absent_evidence_is_never_a_pass(
    case: Path, rows: Rows, conclude: Callable[[Rows], Conclusion]
) -> None:
    for kind in type(_control(case)).needs:
        concluded = conclude({**rows, kind: []})
        assert concluded.state is not State.SATISFIED, f"without {kind_name(kind)}"


def test_absent_used_evidence_is_said(
    case: Path, rows: Rows, conclude: Callable[[Rows], Conclusion]
) -> None:
    for kind in type(_control(case)).uses:
        concluded = conclude({**rows, kind: []})
        said = concluded.not_examined or None in concluded.measures.values()
        assert said, f"without {kind_name(kind)} nothing is said"


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_control_has_holding_and_failing_case(control: str) -> None:
    names = [folder.name for folder in (CASES / control).glob("*")]
    assert any("_hold" in name for name in names)
    assert any("_fail" in name for name in names)


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_control_states_its_claim(control: str) -> None:
    found = CONTROLS[control]
    assert found.claim.endswith(".")
    assert found.needs
    assert (found.__doc__ or "").strip()


def _control(case: Path) -> Control:
    found = CONTROLS[case.parent.name]
    file = case / "settings.json"
    settings = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found(**{name: _frozen(value) for name, value in settings.items()})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
