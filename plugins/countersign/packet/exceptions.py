"""Exceptions as rows: what failed or could not be decided, since when, and what was answered.

A control's page shows the first few, the exceptions section at most fifty of each control; the
finding's own table, attached, holds the rest under the digest that is printed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from countersign.canonical import Json
from countersign.errors import ConfigError
from countersign.model import US_PER_DAY, instant
from countersign.packet.input import PacketInput
from countersign.packet.number import MISSING, NOT_APPLICABLE, Cell, counted, since_text
from countersign.packet.table import Row, Table, columns, records, row, text_cell
from countersign.packet.text import abbreviated, plain, words

ON_PAGE: Final = 5
MOST: Final = 50
_WIDE: Final = (11, 0, 14, 20)
_NARROW: Final = (20, 0, 19, 27)


def of_finding(finding: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """The exceptions of a finding, at most fifty, failures first."""
    found = records(finding.get("exceptions"))
    return sorted(found, key=lambda entry: entry.get("holds") is not False)[:MOST]


def table(finding: Mapping[str, Json], given: PacketInput, most: int) -> Table:
    """The first `most` exceptions of a finding."""
    found = of_finding(finding)
    listed = tuple(_row(entry, str(finding["control"]), given) for entry in found[:most])
    more = max(_failing(finding, len(found)) - len(listed), 0)
    return Table(
        words(str(finding["control"])),
        columns(
            "Subject",
            "What was observed",
            "First seen, UTC",
            "Response",
            widths=_WIDE if most > ON_PAGE else _NARROW,
        ),
        listed,
        more,
        _digest_note(finding),
    )


def untested(finding: Mapping[str, Json]) -> str:
    """For a control without exceptions: the test that could have failed."""
    observed = finding.get("observations")
    examined = observed.get("examined") if isinstance(observed, dict) else None
    count = f"{examined:,}" if isinstance(examined, int) else "an unknown number of"
    return f"None. The test that could have failed examined {count} observations."


def _failing(finding: Mapping[str, Json], listed: int) -> int:
    observed = finding.get("observations")
    if not isinstance(observed, dict):
        return listed
    counts = [observed.get(name) for name in ("not_holding", "undecided")]
    return max(sum(count for count in counts if isinstance(count, int)), listed)


def _row(entry: Mapping[str, Json], control: str, given: PacketInput) -> Row:
    subject = str(entry.get("subject"))
    answered = given.responses.get((control, subject))
    return row(
        subject_cell(subject),
        text_cell(_observed(entry), 200),
        Cell(since_text(entry["since"]), "unbroken") if entry.get("since") else NOT_APPLICABLE,
        text_cell(answered or _unanswered(entry, given), 70),
    )


def subject_cell(subject: str) -> Cell:
    """An id by its first eight characters, a short name whole."""
    if not subject:
        return MISSING
    is_long = len(subject) > 26 and " " not in subject
    return Cell(plain(subject, 8).split("…")[0] if is_long else plain(subject, 40), "mono")


def _observed(entry: Mapping[str, Json]) -> str:
    fact = words(str(entry.get("fact")))
    mark = "" if entry.get("holds") is False else " (undecided)"
    return f"{fact}{mark}: {abbreviated(plain(entry.get('observed'), 160))}"


def _unanswered(entry: Mapping[str, Json], given: PacketInput) -> str:
    """How long nobody answered, where the exception's beginning is known."""
    try:
        since = instant(datetime.fromisoformat(str(entry.get("since"))))
    except (ValueError, ConfigError):
        return "no response yet"
    days = (given.prepared_at_us - since) // US_PER_DAY
    return f"no response yet, {counted(days, 'day')}" if days > 0 else "no response yet"


def _digest_note(finding: Mapping[str, Json]) -> str:
    whole = finding.get("observations_table")
    digest = whole.get("digest") if isinstance(whole, dict) else None
    return f"All observations: SHA-256 {str(digest)[:8]}" if digest else ""
