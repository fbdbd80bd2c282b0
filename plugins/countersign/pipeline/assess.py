"""Assess: run a control over the evidence and write its finding.

Absence, emptiness, counting, provenance and outcome are decided here, once for all controls:
a needed kind that is absent or empty makes the finding inconclusive before the control sees it,
and a gap in needed evidence lowers "satisfied" to "inconclusive". Silence is never a pass.
"""

import dataclasses
import json
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import ibis.expr.types as ir
import pyarrow as pa

from countersign.canonical import Json, digest
from countersign.canonical import encode as canonical
from countersign.controls.interface import Conclusion, Control, Tables
from countersign.model import Evidence, Grade, Observation, State, Status, Window
from countersign.pipeline.findings import Findings, Kept
from countersign.pipeline.workspace import Workspace
from countersign.records import kind_name

MOST_EXCEPTIONS = 50
_CONTROL_ID = "control"


@dataclass(frozen=True, slots=True)
class Assessed:
    """A finding that was written, or the crash that took its place."""

    control: str
    kept: Kept | None
    crash: BaseException | None = None

    @property
    def sentence(self) -> str:
        """One line for a log or a task's result."""
        if self.kept is None:
            return f"{self.control}: not run ({type(self.crash).__name__}: {self.crash})"
        finding = self.kept.finding
        return f"{self.control}: {finding['state']}, {finding['reason']}"


def findings(ws: Workspace) -> Findings:
    """The findings of this installation."""
    return Findings(ws.lake_root / "findings")


def assess(ws: Workspace, window: Window, only: tuple[str, ...] = ()) -> list[Assessed]:
    """Assess the controls one after the other; a crash of one stops no other."""
    _ = ws.lake  # one of another layout is no crash of a control
    results = []
    for name in ws.chosen(ws.controls, only, "control"):
        try:
            results.append(assess_one(ws, window, name))
        except Exception as error:  # noqa: BLE001 - one of the three edges: the packet says not run
            results.append(Assessed(name, None, error))
        ws.progress(f"assess {results[-1].sentence}")
    return results


def assess_one(ws: Workspace, window: Window, name: str) -> Assessed:
    """Run one control and keep its finding.

    A crash is remembered for the packet ("not run") and raised again.
    """
    _ = ws.lake  # one of another layout is no crash of a control
    (name,) = ws.chosen(ws.controls, (name,), "control")
    control = ws.controls[name]
    try:
        return Assessed(name, _assess(ws, window, name, control))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        crash = {
            "error": type(error).__name__,
            "message": str(error)[:500],
            "where": f"{place.name}, line {place.lineno} of {place.filename.rsplit('/', 1)[-1]}",
        }
        findings(ws).mark_not_run(window, name, crash)
        raise


class RunnableTables(Tables, Protocol):
    """Tables whose relations can be executed where they are."""

    def run(self, relation: ir.Table) -> pa.Table:
        """Execute a relation."""
        ...


def judge(
    control: Control,
    tables: RunnableTables,
    evidence: Sequence[Evidence],
    counts: Mapping[str, int],
    notes: Sequence[str] = (),
) -> Conclusion:
    """The control's conclusion, lowered where the evidence it needs is absent or has gaps.

    `notes` say what reading the evidence left out; they join what was not examined.
    """
    absent = [k for k in map(kind_name, control.needs) if not counts.get(k)]
    if absent:
        return _nothing_to_judge(absent, evidence)
    reduced = {name: tables.run(table) for name, table in control.reduce(tables).items()}
    conclusion = control.conclude(reduced, tables.window)
    if notes:
        said = (*conclusion.not_examined, *notes)
        conclusion = dataclasses.replace(conclusion, not_examined=said)
    return _lowered(conclusion, {kind_name(kind) for kind in control.needs}, evidence)


def _lowered(conclusion: Conclusion, needed: set[str], evidence: Sequence[Evidence]) -> Conclusion:
    """A gap in needed evidence leaves nothing satisfied; what is inconclusive names every gap."""
    gaps, lacking = _gaps(evidence), _gaps(e for e in evidence if e.kind in needed)
    if conclusion.state is State.INCONCLUSIVE and gaps:
        reason = f"{conclusion.reason} Evidence has gaps: {'; '.join(gaps)}."
        return dataclasses.replace(conclusion, reason=reason)
    if conclusion.state is not State.SATISFIED or not lacking:
        return conclusion
    return dataclasses.replace(
        conclusion,
        state=State.INCONCLUSIVE,
        reason=f"Evidence has gaps ({'; '.join(lacking)}). What there is: {conclusion.reason}",
        grade=Grade(conclusion.grade.value, lacking[0]),
    )


def _assess(ws: Workspace, window: Window, name: str, control: Control) -> Kept:
    kinds = (*control.needs, *control.uses)
    evidence = ws.lake.evidence(kinds, window, ws.kinds)
    counts: dict[str, int] = {}
    for part in evidence:
        counts[part.kind] = counts.get(part.kind, 0) + part.rows
    tables = ws.lake.tables(window, control.history_weeks)
    conclusion = judge(control, tables, evidence, counts)
    detail = canonical(_detail(name, window, control, conclusion))
    observations = b"".join(canonical(o.document()) + b"\n" for o in conclusion.observations)
    finding = _finding(name, window, control, conclusion, evidence)
    finding["detail"] = {"digest": digest(detail), "bytes": len(detail)}
    finding["observations_table"] = {
        "digest": digest(observations),
        "bytes": len(observations),
        "rows": len(conclusion.observations),
    }
    finding["population"] = ws.lake.population(kinds, window, ws.kinds)
    finding["admission"] = ws.lake.admission(kinds, window)
    files = {"detail.json": detail, "observations.jsonl": observations}
    left = ((piece, tables.run(table)) for piece, table in control.leave(tables, conclusion))
    relations = chain(conclusion.relations.items(), left if conclusion.relations else ())
    return findings(ws).keep(window, name, finding, files, relations)


def _gaps(evidence: Iterable[Evidence]) -> list[str]:
    return sorted({f"{part.source}: {part.status}" for part in evidence if _gap(part)})


def _gap(part: Evidence) -> bool:
    return part.status != "complete"


def _nothing_to_judge(absent: list[str], evidence: Sequence[Evidence]) -> Conclusion:
    said = _gaps(e for e in evidence if e.kind in absent)
    because = f" ({'; '.join(said)})" if said else ""
    missing = " and ".join(absent)
    return Conclusion(
        state=State.INCONCLUSIVE,
        reason=f"No {missing} row in the window{because}: nothing to compare.",
        grade=Grade("missing", absent[0]),
        observations=(),
        examined=0,
        holding=0,
        not_holding=0,
        undecided=0,
        measures={},
        picture={},
        not_examined=(f"Everything: {missing} is absent or empty.",),
    )


def _finding(
    name: str, window: Window, control: Control, conclusion: Conclusion, evidence: list[Evidence]
) -> dict[str, Json]:
    worst = sorted(conclusion.observations, key=_worst_first)[:MOST_EXCEPTIONS]
    final = all(part.final for part in evidence)
    return {
        "schema": "urn:countersign:finding:v0.1",
        _CONTROL_ID: name,
        "window": str(window),
        "version": 1,
        "supersedes": None,
        "status": Status.FINAL if final else Status.PROVISIONAL,
        "state": conclusion.state,
        "reason": conclusion.reason,
        "claim": control.claim,
        "grade": {"value": conclusion.grade.value, "set_by": conclusion.grade.set_by},
        "observations": {
            "examined": conclusion.examined,
            "holding": conclusion.holding,
            "not_holding": conclusion.not_holding,
            "undecided": conclusion.undecided,
        },
        "measures": dict(sorted(conclusion.measures.items())),
        "exceptions": [o.document() for o in worst if o.holds is not True],
        "evidence": [part.document() for part in evidence],
        "parameters": parameters(control),
        "verdicts": dict(conclusion.verdicts),
    }


def parameters(control: Control) -> dict[str, Json]:
    """The settings of a control as sealed JSON."""
    return dict(json.loads(json.dumps(dataclasses.asdict(control), default=str)))


def _worst_first(observation: Observation) -> int:
    return {False: 0, None: 1, True: 2}[observation.holds]


def _detail(name: str, window: Window, control: Control, conclusion: Conclusion) -> dict[str, Json]:
    return {
        "schema": "urn:countersign:detail:v0.1",
        _CONTROL_ID: name,
        "window": str(window),
        "picture": dict(conclusion.picture),
        "tables": dict(conclusion.tables),
        "not_examined": list(conclusion.not_examined),
        "description": (type(control).__doc__ or "").strip(),
        "maps_to": [list(pair) for pair in control.maps_to],
        "needs": [kind_name(kind) for kind in control.needs],
        "uses": [kind_name(kind) for kind in control.uses],
    }
