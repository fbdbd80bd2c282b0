"""What makes signing crash-safe: the log entry is written down before it is logged.

`packet.pdf` first, then `signing.json` (the exact entry that names it), then the log, then the
proof and `signed.json`. Whoever finds an entry written down finishes with it: a packet is signed
and logged once, wherever an earlier run ended. Before that nothing was logged: sign afresh.
"""

from dataclasses import dataclass
from pathlib import Path

from countersign.canonical import digest
from countersign.errors import EvidenceError
from countersign.pipeline.packets import KeptPacket
from countersign.pipeline.workspace import Workspace

_INTENT = "signing"


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


def begin(packet: KeptPacket, content: bytes, entry: bytes) -> None:
    """Keep the signed file, then the entry that will name it in the log."""
    packet.write("packet.pdf", content)
    packet.write(f"{_INTENT}.json", entry)


def finish(ws: Workspace, packet: KeptPacket) -> Signed | None:
    """Log and prove what was begun, once; None when nothing was, or it is spoilt and not logged.

    Raises:
        EvidenceError: the signed file is not the one that the entry names.
    """
    intent = packet.note(_INTENT)
    if packet.is_signed or intent is None:
        return _signed(packet) if packet.is_signed else None
    entry = (packet.folder / f"{_INTENT}.json").read_bytes()
    if not _holds(packet, intent["sha256"]) and ws.log.find(entry) is None:
        return None
    _check(packet, intent["sha256"])
    (leaf,) = ws.log.append_once([entry])
    packet.write("packet.tlog-proof", ws.log.prove(leaf))
    approved = intent["approved"]
    packet.write("signed.json", {"sha256": intent["sha256"], "leaf": leaf, "approved": approved})
    return _signed(packet)


def _signed(packet: KeptPacket) -> Signed:
    note = packet.note("signed") or {}
    _check(packet, note["sha256"])
    return Signed(packet.signed, note["sha256"], note["leaf"], note["approved"])


def _holds(packet: KeptPacket, expected: str) -> bool:
    return packet.signed.exists() and digest(packet.signed.read_bytes()) == expected


def _check(packet: KeptPacket, expected: str) -> None:
    if not _holds(packet, expected):
        raise EvidenceError(
            f"signed packet {packet.signed}",
            expected="the bytes that were logged",
            observed="other bytes" if packet.signed.exists() else "nothing there",
            remedy="Restore the file from a published copy.",
        )
