"""Sign: the approved bytes get an invisible PAdES signature; the file's hash goes into the log."""

from dataclasses import dataclass

from countersign.attest import entries
from countersign.errors import EvidenceError
from countersign.model import Window
from countersign.packet import sign as pades
from countersign.pipeline.render import check, packets
from countersign.pipeline.signing import Signed, begin, finish
from countersign.pipeline.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved publication, when (RFC 3339), and of which unsigned bytes."""

    name: str
    at: str
    unsigned: str | None = None
    """The SHA-256 that the person was shown; None is the newest packet, whatever it is."""


def sign(ws: Workspace, window: Window, approval: Approval) -> Signed:
    """Sign the newest rendered packet; one that is signed already is left as it is.

    One whose signing was cut short is finished as it was approved then.

    Raises:
        EvidenceError: nothing was rendered, the rendered bytes changed since, or they are not
            those that were approved.
    """
    packet = packets(ws).existing(window)
    before = finish(ws, packet)
    if before is not None:
        return before
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
    older = packets(ws).before(packet)
    entry = entries.packet(
        rendered.packet_id,
        str(window),
        content,
        status=str((packet.note("rendered") or {})["status"]),
        version=packet.version,
        supersedes=(older.note("signed") or {})["sha256"] if older else None,
        approved=_approved(ws, approval),
        unsigned=rendered.digest,
    )
    begin(packet, content, entry)
    done = finish(ws, packet)
    assert done is not None, "what was begun can be finished"
    return done


def _approved(ws: Workspace, approval: Approval) -> str:
    """Machines that approve are named as such."""
    if approval.name in ws.config.countersign.automatic_approvers:
        return f"approved automatically ({approval.name}), {approval.at}"
    return f"approved by {approval.name}, {approval.at}"
