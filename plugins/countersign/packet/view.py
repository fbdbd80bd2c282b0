"""From findings to what the pages show: plain values, so that templates hold no logic."""

from dataclasses import dataclass
from datetime import date, timedelta

from countersign.model import State, Status, rfc3339
from countersign.packet import apparatus, control_page, exceptions, money, population, summary
from countersign.packet.apparatus import EvidenceLine
from countersign.packet.control_page import ControlPage
from countersign.packet.input import Checkpoint, PacketInput, Verification
from countersign.packet.mark import ATTENTION, Mark
from countersign.packet.money import MoneyRow
from countersign.packet.number import (
    day_name,
    day_short,
    minute,
)  # fmt: skip
from countersign.packet.summary import Listed, SummaryRow
from countersign.packet.table import Table
from countersign.packet.text import plain


@dataclass(frozen=True, slots=True)
class Count:
    """One group of marks on the cover."""

    mark: Mark
    number: int


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the templates print."""

    entity: str
    packet_id: str
    version: int
    status: str
    status_line: str
    is_final: bool
    is_complete: bool
    week: str
    days: str
    days_short: str
    prepared_by: str
    prepared_at: str
    prepared_at_iso: str
    supersedes: str
    counts: tuple[Count, ...]
    control_line: tuple[tuple[str, str], ...]
    headline: str
    rows: tuple[SummaryRow, ...]
    changes: tuple[Listed, ...]
    not_concluded: tuple[Listed, ...]
    money: tuple[MoneyRow, ...]
    has_money: bool
    controls: tuple[ControlPage, ...]
    criteria: Table
    sources: Table
    populations: tuple[Table, ...]
    exceptions: tuple[Table, ...]
    outages: Table
    evidence: tuple[EvidenceLine, ...]
    evidence_more: int
    checkpoint: Checkpoint
    root_groups: tuple[str, ...]
    vkey: str
    fingerprint_lines: tuple[str, ...]
    verification: Verification
    verifier_groups: tuple[str, ...]
    environment: str
    environment_rows: Table
    approvals: Table
    mapping_date: str
    generator: str


def build(given: PacketInput) -> View:
    """What the pages of a packet show. Pure: the same input gives the same view."""
    found = summary.verdicts(given)
    pages = tuple(control_page.build(verdict, given) for verdict in found)
    end = given.window.end - timedelta(days=1)
    complete = not any(verdict.state is State.NOT_RUN for verdict in found)
    return View(
        entity=plain(given.entity, 80),
        packet_id=plain(given.packet_id, 40),
        version=given.version,
        status=given.status.value.capitalize(),
        status_line=_status_line(given),
        is_final=given.status is Status.FINAL,
        is_complete=complete,
        week=_week(given),
        days=_days(given, end),
        days_short=f"{day_short(given.window.start)} – {day_short(end)}",
        prepared_by=plain(given.prepared_by, 80),
        prepared_at=minute(given.prepared_at_us),
        prepared_at_iso=rfc3339(given.prepared_at_us),
        supersedes=_superseded(given),
        counts=_counts(found),
        control_line=_document_control(given, complete=complete),
        headline=summary.headline(found, money.unexplained_ppm(given.findings)),
        rows=summary.rows(found, given),
        changes=summary.changes(found, given),
        not_concluded=summary.not_concluded(found),
        money=money.rows(given),
        has_money=money.RECONCILIATION in {verdict.control for verdict in found},
        controls=pages,
        criteria=apparatus.criteria(pages, given),
        sources=apparatus.sources(given),
        populations=_populations(given),
        exceptions=_exceptions(given),
        outages=apparatus.outages(given),
        evidence=apparatus.evidence(given),
        evidence_more=max(len(given.evidence) - apparatus.MOST_EVIDENCE, 0),
        checkpoint=given.checkpoint,
        root_groups=apparatus.eights(given.checkpoint.root),
        vkey=plain(given.vkey, 160),
        fingerprint_lines=apparatus.fingerprint(given.fingerprint),
        verification=given.verification,
        verifier_groups=apparatus.eights(given.verification.verifier_digest),
        environment=plain(given.environment, 64),
        environment_rows=apparatus.environment_table(given),
        approvals=apparatus.approvals(given),
        mapping_date=plain(given.mapping_date or "", 40),
        generator=plain(given.generator, 60),
    )


def _week(given: PacketInput) -> str:
    label = given.window.label
    return f"week {label}" if "-W" in label else label


def _days(given: PacketInput, end: date) -> str:
    start = given.window.start
    first = day_name(start) if start.year != end.year else f"{start.day} {start:%B}"
    return f"{first} to {day_name(end)}, whole days UTC"


def _status_line(given: PacketInput) -> str:
    if given.status is Status.FINAL:
        return "Final. Every source's re-read window has passed; money is final at invoice"
    until = f" until {plain(given.final_after, 40)}" if given.final_after else ""
    return f"Provisional. Sources may still revise this week{until}; money is final at invoice"


def _superseded(given: PacketInput) -> str:
    if given.supersedes is None:
        return "nothing"
    return f"version {given.version - 1}, SHA-256 {plain(given.supersedes, 64)[:16]}…"


def _counts(found: tuple[summary.Verdict, ...]) -> tuple[Count, ...]:
    states = [verdict.state for verdict in found]
    return tuple(
        Count(Mark.of(state), states.count(state)) for state in ATTENTION if state in states
    )


def _document_control(given: PacketInput, *, complete: bool) -> tuple[tuple[str, str], ...]:
    approved = ", ".join(plain(a.name, 60) for a in given.approvals if a.role == "Approved")
    return (
        ("Packet", f"{plain(given.packet_id, 40)}, version {given.version}"),
        ("Status", _status_line(given)),
        ("Complete", "yes" if complete else "no: a control did not run, see its page"),
        ("Supersedes", _superseded(given)),
        ("Prepared by", f"{plain(given.prepared_by, 80)}, {minute(given.prepared_at_us)} UTC"),
        ("Approved by", approved or "pending at the time of rendering"),
        ("Log position", f"{plain(given.checkpoint.origin, 60)}, size "
                         f"{given.checkpoint.size:,}, root {given.checkpoint.root[:16]}…"),
        ("Render environment", f"{plain(given.generator, 60)}, {given.environment[:16]}…"),
    )  # fmt: skip


def _populations(given: PacketInput) -> tuple[Table, ...]:
    found = given.populations
    made = (
        population.sheet(found),
        population.refusals(found),
        population.gaps(found),
        population.sheets(found),
    )
    return tuple(table for table in made if table.rows)


def _exceptions(given: PacketInput) -> tuple[Table, ...]:
    made = (exceptions.table(finding, given, exceptions.MOST) for finding in given.findings)
    return tuple(table for table in made if table.rows)


def summary_counts(view: View) -> str:
    """`1 not satisfied, 1 inconclusive, 1 satisfied`."""
    return ", ".join(f"{count.number} {count.mark.word.lower()}" for count in view.counts)
