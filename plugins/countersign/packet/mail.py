"""The mail that carries a packet: plain text, HTML, the cover's marks as a picture, the PDF.

The same view, file and envelope give the same bytes: identifier, date and the boundaries between
the parts are derived or handed in. Nothing in it is fetched, and nothing tracks the reader.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from countersign.canonical import digest
from countersign.packet import html, strip
from countersign.packet.text import plain
from countersign.packet.view import View, summary_counts

SIGNS: Final = {"not-satisfied": "✖", "inconclusive": "?", "not-run": "–", "satisfied": "✓"}
HTML_LIMIT: Final = 10_000
_COLUMNS: Final = 72
_STRIP: Final = "verdicts@countersign"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who gets the mail, and when it was written; a file above the limit is named, not attached.

    `link` is where a reader with an account finds such a file; it carries no token.
    """

    to: tuple[str, ...]
    sender: str
    message_id: str
    date: datetime
    attach_up_to_bytes: int = 10_000_000
    link: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One verdict in the mail: its text mark, words and what was seen."""

    sign: str
    state: str
    word: str
    title: str
    seen: str


def message(
    view: View, pdf: bytes, name: str, envelope: Envelope, folder_override: Path | None = None
) -> EmailMessage:
    """The mail with the packet `name` attached, or named when it is too large."""
    attached = len(pdf) <= envelope.attach_up_to_bytes
    values = {
        "view": view, "lines": tuple(_lines(view)), "file": plain(name, 120),
        "attached": attached, "link": plain(envelope.link, 300), "sha256": digest(pdf),
        "counts": summary_counts(view), "cid": _STRIP,
    }  # fmt: skip
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = subject(view)
    mail["From"] = envelope.sender
    mail["To"] = ", ".join(envelope.to)
    mail["Date"] = format_datetime(envelope.date)
    mail["Message-ID"] = envelope.message_id
    mail["Auto-Submitted"] = "auto-generated"
    text = html.render("mail/message.txt.j2", values, folder_override)
    mail.set_content(_wrapped(text), cte="quoted-printable")
    body = html.render("mail/message.html.j2", values, folder_override)
    mail.add_alternative(body, subtype="html", cte="quoted-printable")
    _add_strip(mail, view)
    if attached:
        mail.add_attachment(pdf, maintype="application", subtype="pdf", filename=name)
    _fix_boundaries(mail, envelope.message_id)
    return mail


def subject(view: View) -> str:
    """`[Provisional] Example Bank 2026-W46: 1 not satisfied, 1 not concluded`."""
    counts = {count.mark.state: count.number for count in view.counts}
    open_ = counts.get("inconclusive", 0) + counts.get("not-run", 0)
    said = [f"{counts['not-satisfied']} not satisfied"] if "not-satisfied" in counts else []
    said += [f"{open_} not concluded"] if open_ else []
    said = said or [f"all {counts.get('satisfied', 0)} satisfied"]
    complete = "" if view.is_complete else ", incomplete"
    week = view.week.removeprefix("week ")
    return f"[{view.status}{complete}] {view.entity} {week}: {', '.join(said)}"


def _lines(view: View) -> Iterator[Line]:
    for row in view.rows:
        mark = row.mark
        yield Line(SIGNS[mark.state], mark.state, mark.word, row.title, " ".join(row.seen))


def _wrapped(text: str) -> str:
    """The text in lines of at most 72 columns; the template's own lines stay apart."""
    lines = [
        textwrap.fill(line, _COLUMNS, subsequent_indent=" " * _indent(line),
                      break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    ]  # fmt: skip
    return "\n".join(lines).strip() + "\n"


def _indent(line: str) -> int:
    return 4 if line[:1] in SIGNS.values() else len(line) - len(line.lstrip())


def _add_strip(mail: EmailMessage, view: View) -> None:
    states = [count.mark.state for count in view.counts for _ in range(count.number)]
    related = mail.get_body(("html",))
    if not isinstance(related, EmailMessage):
        raise TypeError("the mail was built without its HTML part")
    related.add_related(
        strip.png(states), "image", "png", cid=f"<{_STRIP}>", disposition="inline",
        filename="verdicts.png",
    )  # fmt: skip


def _fix_boundaries(mail: EmailMessage, seed: str) -> None:
    """Random boundaries would make two builds of the same mail differ."""
    for number, part in enumerate(mail.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_{digest(f'{seed} {number}'.encode())[:32]}")
