"""The apparatus around the findings: sources, mapping, outages, evidence index, keys, sign-off."""

from dataclasses import dataclass
from typing import Final

from countersign.packet.control_page import ControlPage
from countersign.packet.input import PacketInput
from countersign.packet.number import MISSING, NOT_APPLICABLE, Cell, count_cell, minute
from countersign.packet.table import Row, Table, columns, row, text_cell
from countersign.packet.text import plain

MOST_EVIDENCE: Final = 90
_MOST: Final = 60


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """A file of the evidence index; the digest in groups of eight digits."""

    name: str
    groups: tuple[str, ...]
    rows: Cell
    bytes: Cell
    leaf: Cell


def eights(digest: str) -> tuple[str, ...]:
    """A digest in groups of eight; printed without blanks, so that it copies as one word."""
    return tuple(digest[start : start + 8] for start in range(0, len(digest), 8))


def criteria(pages: tuple[ControlPage, ...], given: PacketInput) -> Table:
    """Which provisions each control informs, with the date of the mapping."""
    dated = plain(given.mapping_date, 30) if given.mapping_date else None
    mapped = [(page, pair) for page in pages for pair in page.maps_to]
    return Table(
        "Controls and the provisions they inform",
        columns("Control", "Framework", "Provision", "Mapping of"),
        tuple(
            row(text_cell(page.title, 40), text_cell(pair[0], 40), text_cell(pair[1], 90),
                text_cell(dated, 30))
            for page, pair in mapped[:_MOST]
        ),
        more=max(len(mapped) - _MOST, 0),
    )  # fmt: skip


def sources(given: PacketInput) -> Table:
    """Where records came from, and in what state each source was left."""
    return Table(
        "Sources read for this window",
        columns("Source", "Connector", "Read from", "Status", ">Pages", "Final"),
        tuple(
            row(text_cell(s.id, 30, "mono"), text_cell(s.connector, 30), text_cell(s.where, 60),
                _source_state(s.status), count_cell(s.pages),
                Cell("yes" if s.final else "not yet"))
            for s in given.sources[:_MOST]
        ),
        more=max(len(given.sources) - _MOST, 0),
    )  # fmt: skip


def _source_state(status: str) -> Cell:
    shown = plain(status, 40)
    return Cell(shown, "" if shown == "complete" else "missing")


def outages(given: PacketInput) -> Table:
    """Gaps of the evidence pipeline itself."""
    return Table(
        "Outages and gaps of the evidence pipeline",
        columns("Source", "What happened", "Since", "Until"),
        tuple(
            row(text_cell(o.source, 30, "mono"), text_cell(o.what, 120), text_cell(o.since, 30),
                text_cell(o.until or "still open", 30))
            for o in given.outages[:_MOST]
        ),
        more=max(len(given.outages) - _MOST, 0),
    )  # fmt: skip


def evidence(given: PacketInput) -> tuple[EvidenceLine, ...]:
    """The first files of the evidence index."""
    return tuple(
        EvidenceLine(plain(e.name, 90), eights(plain(e.digest, 64)), count_cell(e.rows),
                     count_cell(e.bytes),
                     NOT_APPLICABLE if e.leaf is None else count_cell(e.leaf))
        for e in given.evidence[:MOST_EVIDENCE]
    )  # fmt: skip


def fingerprint(digest: str) -> tuple[str, ...]:
    """Two lines of four spaced groups: to be read aloud."""
    groups = eights(digest)
    return tuple("  ".join(groups[start : start + 4]) for start in range(0, len(groups), 4))


def environment_table(given: PacketInput) -> Table:
    """What the bytes of this packet depend on besides its input."""
    return Table(
        "Render environment", columns("Part", "Version or digest"),
        tuple(row(text_cell(name, 60), text_cell(value, 64, "mono"))
              for name, value in given.environment_rows[:_MOST]),
    )  # fmt: skip


def approvals(given: PacketInput) -> Table:
    """Who prepared and who approved; an approval that is not there is pending."""
    roles = {approval.role for approval in given.approvals}
    prepared = (_approval("Prepared", given.prepared_by, given.prepared_at_us, given.generator),)
    signed = tuple(_approval(a.role, a.name, a.at_us, a.by) for a in given.approvals[:8])
    pending = (row(Cell("Approved"), Cell("pending", "missing"), NOT_APPLICABLE, NOT_APPLICABLE),)
    return Table(
        "Sign-off",
        columns("Role", "Name", "Date, UTC", "By"),
        (
            (() if "Prepared" in roles else prepared)
            + signed
            + (() if "Approved" in roles else pending)
        ),
    )


def _approval(role: str, name: str, at_us: int | None, by: str) -> Row:
    at = MISSING if at_us is None else Cell(minute(at_us))
    return row(text_cell(role, 30), text_cell(name, 60), at, text_cell(by, 60))
