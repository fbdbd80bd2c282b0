"""Sign: the approved bytes get an invisible PAdES signature; the file's hash goes into the log."""

from dataclasses import dataclass
from pathlib import Path

from countersign.attest import entries
from countersign.canonical import digest
from countersign.errors import EvidenceError
from countersign.model import Window
from countersign.packet import sign as pades
from countersign.pipeline.packets import KeptPacket
from countersign.pipeline.render import check, packets
from countersign.pipeline.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved publication, when (RFC 3339), and of which unsigned bytes."""

    name: str
    at: str
    unsigned: str | None = None
    """The SHA-256 that the person was shown; None is the newest packet, whatever it is."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed and logged packet."""

    file: Path
    digest: str
    leaf: int
    approved: str

    @property
    def sentence(self) -> str:
        """One line for a log or a task's result."""
        return f"signed, {self.approved}, log entry {self.leaf}, SHA-256 {self.digest}"


def sign(ws: Workspace, window: Window, approval: Approval) -> Signed:
    """Sign the newest rendered packet; one that is signed already is left as it is.

    Raises:
        EvidenceError: nothing was rendered, the rendered bytes changed since, or they are not
            those that were approved.
    """
    packet = packets(ws).existing(window)
    if packet.is_signed:
        return _signed(packet)
    rendered = check(ws, window)
    if approval.unsigned not in {None, rendered.digest}:
        raise EvidenceError(
            f"approval by {approval.name}",
            expected=f"of the newest packet, SHA-256 {rendered.digest}",
            observed=f"of SHA-256 {approval.unsigned}",
            remedy="It was rendered again after the question: ask again.",
        )
    content = pades.sign(
        packet.unsigned.read_bytes(),
        (ws.keys / "packet.key").read_bytes(),
        (ws.keys / "packet.pem").read_bytes(),
        ws.config.now(),
    )
    approved = _approved(ws, approval)
    before = packets(ws).before(packet)
    entry = entries.packet(
        rendered.packet_id,
        str(window),
        content,
        status=str((packet.note("rendered") or {})["status"]),
        version=packet.version,
        supersedes=(before.note("signed") or {})["sha256"] if before else None,
        approved=approved,
        unsigned=rendered.digest,
    )
    packet.write("packet.pdf", content)
    (leaf,) = ws.log.append_once([entry])
    packet.write("packet.tlog-proof", ws.log.prove(leaf))
    packet.write("signed.json", {"sha256": digest(content), "leaf": leaf, "approved": approved})
    return _signed(packet)


def _approved(ws: Workspace, approval: Approval) -> str:
    """Machines that approve are named as such."""
    if approval.name in ws.config.countersign.automatic_approvers:
        return f"approved automatically ({approval.name}), {approval.at}"
    return f"approved by {approval.name}, {approval.at}"


def _signed(packet: KeptPacket) -> Signed:
    note = packet.note("signed")
    if note is None or digest(packet.signed.read_bytes()) != note["sha256"]:
        raise EvidenceError(
            f"signed packet {packet.signed}",
            expected="the bytes that were logged",
            observed="other bytes",
            remedy="Restore the file from a published copy.",
        )
    return Signed(packet.signed, note["sha256"], note["leaf"], note["approved"])
