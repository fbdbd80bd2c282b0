"""Publish: the question before, the files and the mail after a person said yes."""

import json
import smtplib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from countersign.canonical import digest
from countersign.errors import ConfigError, EvidenceError, Fault, SourceError
from countersign.ledger.key import encode_vkey
from countersign.model import Window, rfc3339
from countersign.packet import mail as letter
from countersign.packet import view
from countersign.packet.sign import check_signature
from countersign.pipeline import attest, compose, residency
from countersign.pipeline import verify as checking
from countersign.pipeline.packets import KeptPacket
from countersign.pipeline.render import check, given_input, packets
from countersign.pipeline.workspace import Workspace

Send = Callable[[EmailMessage], Any]


@dataclass(frozen=True, slots=True)
class Published:
    """What was put into the out folder."""

    files: tuple[Path, ...]

    @property
    def sentence(self) -> str:
        """One line for a log or a task's result."""
        return "published " + ", ".join(file.name for file in self.files)


@dataclass(frozen=True, slots=True)
class Told:
    """What happened to the mail, or to a check."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the approver is asked: the packet, its digest, the facts of page 1 as Markdown."""

    packet: str
    unsigned: str
    facts: str


def question(ws: Workspace, window: Window) -> Question:
    """The question about the newest rendered packet."""
    rendered = check(ws, window)
    shown = view.build(given_input(ws, window))
    rows = [
        f"| {row.title} | {row.mark.word} | {_cell(' '.join(row.seen))} |" for row in shown.rows
    ]
    facts = "\n".join(
        [
            f"**{rendered.packet_id}**, version {rendered.version}, {shown.status.lower()}: "
            f"{shown.headline}",
            "",
            "| Control | Verdict | What was seen |",
            "| --- | --- | --- |",
            *rows,
            "",
            f"SHA-256 of the unsigned packet: `{rendered.digest}`",
            "",
            f"{_consequence(packets(ws).existing(window))} No answer is Reject.",
        ]
    )
    return Question(rendered.packet_id, rendered.digest, facts)


def publish(ws: Workspace, window: Window) -> Published:
    """Packet, proof, key and a residency attestation into the out folder. Repeatable.

    Raises:
        EvidenceError: the packet is not signed.
    """
    packet = _signed(ws, window)
    ws.out.mkdir(parents=True, exist_ok=True)
    name = compose.packet_name(ws, window)
    files = {
        f"{name}.pdf": packet.signed.read_bytes(),
        f"{name}.tlog-proof": packet.proof.read_bytes(),
        "log.vkey": f"{encode_vkey(ws.key.key)}\n".encode(),
    }
    request_id = _telling_request(ws, window)
    if request_id is not None:
        files[f"{name}-residency.zip"] = attest.attest(ws, request=request_id, window=window).bundle
    for file, content in files.items():
        (ws.out / file).write_bytes(content)
    return Published(tuple(ws.out / file for file in files))


def mail(ws: Workspace, window: Window, send: Send) -> Told:
    """Send the packet once per version; a repeat sends nothing.

    Raises:
        SourceError: the mail server refused or was not reached.
    """
    packet = _signed(ws, window)
    recipients = ws.config.mail.recipients
    if packet.note("mailed") is not None:
        return Told("mailed before, not again")
    if not recipients:
        return Told("not mailed: [mail] recipients is empty")
    content = packet.signed.read_bytes()
    envelope = letter.Envelope(
        to=recipients,
        sender=ws.config.mail.sender,
        message_id=f"<{digest(content)[:32]}@countersign>",
        date=ws.config.now(),
        attach_up_to_bytes=ws.config.mail.attach_up_to_bytes,
    )
    name = f"{compose.packet_name(ws, window)}.pdf"
    shown = view.build(given_input(ws, window))
    message = letter.message(shown, content, name, envelope, ws.reports_folder)
    try:
        send(message)
    except (OSError, smtplib.SMTPException) as error:
        raise SourceError(
            "mail", Fault.UNREACHABLE, expected="the message accepted", observed=str(error),
            remedy="Check [mail] connection; the packet itself is published.",
        ) from error  # fmt: skip
    packet.write(
        "mailed.json",
        {"to": list(recipients), "at": rfc3339(ws.now_us()), "sha256": digest(bytes(message))},
    )
    return Told(f"mailed to {', '.join(recipients)}")


def smtp(ws: Workspace) -> Send:
    """A sender for `smtp://host:port` or `smtps://user:password@host`, from [mail] connection."""
    parts = urlsplit(ws.secret(ws.config.mail.connection))
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ConfigError("[mail] connection", expected="smtp://host:port", observed=parts.scheme)

    def send(message: EmailMessage) -> None:
        kind = smtplib.SMTP_SSL if parts.scheme == "smtps" else smtplib.SMTP
        with kind(parts.hostname or "", parts.port or 0, timeout=30) as client:
            if parts.username:
                client.login(parts.username, parts.password or "")
            client.send_message(message)

    return send


def verify_published(ws: Workspace, window: Window) -> Told:
    """Check what lies in the out folder as an auditor would.

    Raises:
        VerificationError: it is not what was sealed.
    """
    name = compose.packet_name(ws, window)
    said = []
    for file in (ws.out / f"{name}.pdf", ws.out / f"{name}-residency.zip"):
        if not file.exists():
            continue
        (group,) = checking.group([file])
        said.append(f"{file.name}: {checking.verify(group, (encode_vkey(ws.key.key),)).summary}")
    signature = check_signature((ws.out / f"{name}.pdf").read_bytes(), None)
    return Told("; ".join([*said, f"PDF signature: {signature.sentence}"]))


def _telling_request(ws: Workspace, window: Window) -> str | None:
    kept = residency.finding(ws, window)
    if kept is None:
        return None
    picture: Mapping[str, Any] = json.loads((kept.folder / "detail.json").read_bytes())["picture"]
    return picture.get("request")


def _signed(ws: Workspace, window: Window) -> KeptPacket:
    packet = packets(ws).existing(window)
    if not packet.is_signed:
        raise EvidenceError(
            f"packet of {window}",
            expected="signed",
            observed="not approved yet",
            remedy=f"countersign sign --window {window} --approved-by NAME",
        )
    return packet


def _consequence(packet: KeptPacket) -> str:
    note = packet.note("signed")
    if note is None:
        return "Approve: it is signed, logged and mailed in your name."
    again = "Approve: its files are published again; a mail that was sent is not repeated."
    return f"Signed before ({note['approved']}). {again}"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
