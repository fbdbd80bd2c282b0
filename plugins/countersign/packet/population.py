"""The population sheet: per kind, from what was received down to what was examined."""

from countersign.packet.input import Population
from countersign.packet.number import Cell, count_cell, grouped, percent
from countersign.packet.table import Table, columns, row, text_cell


def sheet(populations: tuple[Population, ...]) -> Table:
    """One row per kind."""
    return Table(
        "Rows in the window, by kind of record",
        columns("Kind", ">Received", ">Admitted", ">Refused", ">Late days", ">Missing days",
                ">Examined"),
        tuple(
            row(text_cell(p.kind, 32, "mono"), count_cell(p.received), count_cell(p.admitted),
                count_cell(p.refused), count_cell(len(p.late_days)),
                count_cell(len(p.missing_days) if p.missing is None else p.missing),
                _examined(p))
            for p in populations
        ),
    )  # fmt: skip


def _examined(population: Population) -> Cell:
    if population.received is None or population.admitted is None:
        return Cell("missing", "missing")
    if population.received == 0:
        return Cell("–", "na")
    return Cell(percent(population.admitted * 1_000_000 // population.received, 2))


def refusals(populations: tuple[Population, ...]) -> Table:
    """Refused rows by the rule that refused them."""
    found = [(p.kind, rule, count) for p in populations for rule, count in p.refused_by_rule]
    return Table(
        "Refused rows, by rule (a row may break several)",
        columns("Kind", "Rule", ">Rows"),
        tuple(row(text_cell(kind, 32, "mono"), text_cell(rule, 90), count_cell(count))
              for kind, rule, count in found[:40]),
        more=max(len(found) - 40, 0),
    )  # fmt: skip


def gaps(populations: tuple[Population, ...]) -> Table:
    """Source-days that came late or not at all."""
    found = [
        (p.kind, day, state)
        for p in populations
        for state, days in (("late", p.late_days), ("missing", p.missing_days))
        for day in days
    ]
    return Table(
        "Late and missing source-days",
        columns("Kind", "Day", "State"),
        tuple(row(text_cell(kind, 32, "mono"), text_cell(day, 64),
                  Cell(state, "missing" if state == "missing" else ""))
              for kind, day, state in found[:40]),
        more=max(len(found) - 40, 0),
    )  # fmt: skip


def sheets(populations: tuple[Population, ...]) -> Table:
    """Below the counts, per kind: where from, by what rules, and the digest of the bytes."""
    return Table(
        "Provenance, by kind",
        columns("Kind", "From", "Rules, broken", "Evidence digest", "Control total"),
        tuple(
            row(text_cell(p.kind, 32, "mono"), text_cell(", ".join(p.sources) or None, 60),
                _suite(p), Cell(p.digest[:8], "mono") if p.digest else Cell("missing", "missing"),
                text_cell(p.control_total, 60) if p.control_total else Cell("not exam.", "unseen"))
            for p in populations
        ),
    )  # fmt: skip


def _suite(population: Population) -> Cell:
    if population.expectations is None:
        return Cell("not exam.", "unseen")
    return Cell(f"{grouped(population.expectations)}, {grouped(population.unmet or 0)} broken")
