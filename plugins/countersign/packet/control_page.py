"""A control's pages: claim, verdict, picture, the same numbers, exceptions, what it maps to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from countersign.canonical import Json
from countersign.packet import exceptions, pictures
from countersign.packet.input import ControlCard, PacketInput
from countersign.packet.mark import Mark
from countersign.packet.number import Cell, count_cell
from countersign.packet.pictures.palette import PRINT
from countersign.packet.summary import Verdict
from countersign.packet.table import Table, columns, row, state_cell, text_cell
from countersign.packet.text import abbreviated, plain, sentence, words

_SHORT: Final = 8


@dataclass(frozen=True, slots=True)
class ControlPage:
    """What the template of a control prints."""

    id: str
    title: str
    claim: str
    mark: Mark
    reason: str
    set_by: str
    grade: str
    status: str
    verdicts: tuple[tuple[str, Cell], ...]
    heading: str
    picture: str
    tables: tuple[Table, ...]
    last_table: Table | None
    exceptions: Table | None
    no_exceptions: str
    not_examined: tuple[str, ...]
    maps_to: tuple[tuple[str, str], ...]
    mapping_date: str
    description: tuple[str, ...]
    parameters: Table
    digest: str


def build(verdict: Verdict, given: PacketInput) -> ControlPage:
    """The pages of one control, from its finding and its detail document."""
    finding: Mapping[str, Json] = next(
        (f for f in given.findings if f.get("control") == verdict.control), {}
    )
    detail = given.details.get(verdict.control, {})
    card = given.controls.get(verdict.control, ControlCard(""))
    listed = exceptions.table(finding, given, exceptions.ON_PAGE) if finding else None
    heading, picture, tables = _numbers(verdict.control, finding, detail)
    return ControlPage(
        verdict.control, verdict.title, plain(card.claim or finding.get("claim") or "", 400),
        Mark.of(verdict.state), verdict.reason, verdict.set_by, _grade(finding),
        plain(finding.get("status") or "", 20), _verdicts(finding), heading, picture,
        *_split(tables),
        listed if listed and listed.rows else None,
        exceptions.untested(finding) if finding else "",
        _sentences(detail.get("not_examined")), card.maps_to or _maps(detail),
        given.mapping_date or "", _paragraphs(card, detail), _parameters(finding),
        _whole(finding),
    )  # fmt: skip


def _numbers(
    control: str, finding: Mapping[str, Json], detail: Mapping[str, Json]
) -> tuple[str, str, tuple[Table, ...]]:
    if not finding:
        return "", "", ()
    module = pictures.of(control)
    picture = detail.get("picture")
    if module is None or not isinstance(picture, dict):
        return "", "", _measures(finding)
    drawn = module.draw(picture, PRINT)
    return module.HEADING, drawn, module.numbers(detail) or _measures(finding)


def _split(tables: tuple[Table, ...]) -> tuple[tuple[Table, ...], Table | None]:
    """A short last table goes with the blocks below, so that these never stand alone."""
    if len(tables) > 1 and len(tables[-1].rows) <= _SHORT:
        return tables[:-1], tables[-1]
    return tables, None


def _measures(finding: Mapping[str, Json]) -> tuple[Table, ...]:
    measures = finding.get("measures")
    if not isinstance(measures, dict) or not measures:
        return ()
    return (
        Table(
            "What was measured", columns("Measure", ">Value"),
            tuple(row(text_cell(words(name), 60), count_cell(value))
                  for name, value in sorted(measures.items())[:40]),
            more=max(len(measures) - 40, 0),
        ),
    )  # fmt: skip


def _grade(finding: Mapping[str, Json]) -> str:
    grade = finding.get("grade")
    return abbreviated(plain(grade.get("value"), 160)) if isinstance(grade, dict) else ""


def _verdicts(finding: Mapping[str, Json]) -> tuple[tuple[str, Cell], ...]:
    found = finding.get("verdicts")
    pairs = sorted(found.items()) if isinstance(found, dict) else []
    return tuple((words(name), state_cell(value)) for name, value in pairs[:6])


def _sentences(value: Json) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    said = [sentence(abbreviated(plain(item, 300))) for item in items[:8]]
    return (*said, f"And {len(items) - 8} more, in the attachment.") if len(items) > 8 else (*said,)


def _maps(detail: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    pairs = detail.get("maps_to")
    return tuple(
        (plain(pair[0], 40), plain(pair[1], 120))
        for pair in (pairs if isinstance(pairs, list) else [])
        if isinstance(pair, list) and len(pair) == 2
    )


def _paragraphs(card: ControlCard, detail: Mapping[str, Json]) -> tuple[str, ...]:
    whole = card.description or str(detail.get("description") or "")
    parts = [" ".join(part.split()) for part in whole.split("\n\n")]
    return tuple(plain(part, 900) for part in parts if part)


def _parameters(finding: Mapping[str, Json]) -> Table:
    found = finding.get("parameters")
    pairs = sorted(found.items()) if isinstance(found, dict) else []
    return Table(
        words(str(finding.get("control", ""))),
        columns("Parameter", "Value"),
        tuple(row(text_cell(name, 60, "mono"), _value(value)) for name, value in pairs[:40]),
    )


def _value(value: Json) -> Cell:
    if isinstance(value, int) and not isinstance(value, bool):
        return count_cell(value)
    return text_cell(value, 160) if value is not None else Cell("–", "na")


def _whole(finding: Mapping[str, Json]) -> str:
    detail = finding.get("detail")
    return str(detail.get("digest")) if isinstance(detail, dict) else ""
