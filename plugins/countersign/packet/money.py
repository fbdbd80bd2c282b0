"""The money of page 1, from the measures of the reconciliation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from countersign.canonical import Json
from countersign.packet.input import Money, PacketInput
from countersign.packet.number import Cell, money_cell
from countersign.packet.table import integer

RECONCILIATION: Final = "token-reconciliation"
_SUMS: Final = (
    ("Billed, by usage and price", "billed", "billed_usd_micros"),
    ("Rendered to readers", "rendered", "rendered_usd_micros"),
    ("After the reader stopped", "after_stop", "cancelled_tail_usd_micros"),
    ("Unexplained", "unexplained", "unexplained_usd_micros"),
    ("Charged by the providers", "charged", "charged_usd_micros"),
)


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """One sum, this week and the week before."""

    name: str
    week: Cell
    before: Cell


def of_findings(findings: tuple[Mapping[str, Json], ...]) -> Money:
    """The week's sums as the reconciliation measured them; None where it did not."""
    measures = _measures(findings)
    return Money(**{field: integer(measures, measure) for _, field, measure in _SUMS})


def unexplained_ppm(findings: tuple[Mapping[str, Json], ...]) -> int | None:
    """The unexplained share of the billed cost, or None."""
    return integer(_measures(findings), "unexplained_ppm")


def rows(given: PacketInput) -> tuple[MoneyRow, ...]:
    """Five sums; one that was not measured is missing, never zero."""
    week = of_findings(given.findings)
    before = given.previous.money if given.previous else Money()
    return tuple(
        MoneyRow(name, money_cell(getattr(week, field)), money_cell(getattr(before, field)))
        for name, field, _ in _SUMS
    )


def _measures(findings: tuple[Mapping[str, Json], ...]) -> Mapping[str, Json]:
    for finding in findings:
        measures = finding.get("measures")
        if finding.get("control") == RECONCILIATION and isinstance(measures, dict):
            return measures
    return {}
