"""Render: the sealed findings of a window become one unsigned PDF, the same bytes every time."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from countersign.canonical import Json, digest
from countersign.canonical import encode as canonical
from countersign.errors import EvidenceError
from countersign.model import Window
from countersign.packet import environment, html, pdf, record, view
from countersign.packet.finish import Attachment
from countersign.packet.input import PacketInput
from countersign.packet.oscal import assessment_results
from countersign.pipeline import compose
from countersign.pipeline.assess import findings
from countersign.pipeline.packets import KeptPacket, Packets
from countersign.pipeline.seal import sealed
from countersign.pipeline.signing import finish
from countersign.pipeline.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Rendered:
    """An unsigned packet."""

    file: Path
    digest: str
    packet_id: str
    version: int

    @property
    def sentence(self) -> str:
        """One line for a log or a task's result."""
        return f"{self.packet_id} version {self.version}, unsigned, SHA-256 {self.digest}"


def packets(ws: Workspace) -> Packets:
    """The packets of this installation."""
    return Packets(ws.lake_root / "packets")


def render(ws: Workspace, window: Window) -> Rendered:
    """Render what was sealed. The same seal in the same environment gives the same bytes.

    Raises:
        EvidenceError: the window was never sealed.
    """
    seal = sealed(ws, window)
    override = ws.reports_folder
    surroundings = environment.environment(override)
    basis = digest(canonical({"seal": seal.document(), "environment": surroundings.digest}))
    latest = packets(ws).latest(window)
    if latest is not None and not latest.is_signed:
        finish(ws, latest)  # a signing that was cut short may be logged: not to be rendered over
    packet = packets(ws).next(window, basis=basis)
    if packet.is_signed:
        return _rendered(packet)  # what a person approved and we signed is never rendered over
    given = _input(ws, window, packet)
    meta = pdf.Meta(f"{given.packet_id}-v{given.version}", seal.sealed_at_us, override)
    content = pdf.render(
        html.page(view.build(given), override), attachments(ws, window, given), meta
    )
    packet.write("unsigned.pdf", content)
    packet.write(
        "rendered.json",
        {
            "basis": basis,
            "sha256": digest(content),
            "packet_id": given.packet_id,
            "status": given.status,
            "seal": seal.document(),
        },
    )
    return _rendered(packet)


def given_input(ws: Workspace, window: Window) -> PacketInput:
    """What the newest packet of a window was rendered from."""
    return _input(ws, window, packets(ws).existing(window))


def check(ws: Workspace, window: Window) -> Rendered:
    """The rendered file is still the one that was rendered.

    Raises:
        EvidenceError: its bytes have another digest.
    """
    packet = packets(ws).existing(window)
    rendered = _rendered(packet)
    observed = digest(packet.unsigned.read_bytes())
    if observed != rendered.digest:
        raise EvidenceError(
            f"unsigned packet {packet.unsigned}",
            expected=f"SHA-256 {rendered.digest}",
            observed=observed,
            remedy=f"countersign render --window {window}",
        )
    return rendered


def attachments(ws: Workspace, window: Window, given: PacketInput) -> tuple[Attachment, ...]:
    """What travels inside the PDF: OSCAL, the sealed documents, the observations, the verifier."""
    attached = [
        _json("assessment-results.json", assessment_results(given), "OSCAL assessment results"),
        Attachment(
            "countersign-verify.py", compose.verifier(), "text/x-python",
            "Verifies this packet offline; Python 3.9, no packages", "Supplement",
        ),
    ]  # fmt: skip
    for name in ws.controls:
        kept = findings(ws).latest(window, name)
        if kept is None:
            continue
        for file, description in (
            ("finding.json", "the sealed finding"),
            ("detail.json", "the numbers of its picture and tables"),
        ):
            content = (kept.folder / file).read_bytes()
            attached.append(
                Attachment(f"{name}.{file}", content, "application/json", f"{name}: {description}")
            )
        content = (kept.folder / "observations.jsonl").read_bytes()
        attached.append(
            Attachment(f"{name}.observations.jsonl", content, "application/x-ndjson",
                       f"{name}: every observation, one a line")
        )  # fmt: skip
    attached.append(
        Attachment("packet.json", record.write(given), "application/json", "All that is printed")
    )
    populations = {name: _population(ws, window, name) for name in ws.controls}
    attached.append(_json("populations.json", populations, "What was received, admitted, refused"))
    return tuple(attached)


def _input(ws: Workspace, window: Window, packet: KeptPacket) -> PacketInput:
    surroundings = environment.environment(ws.reports_folder)
    before = packets(ws).before(packet)
    return compose.packet_input(ws, sealed(ws, window), packet, before, surroundings)


def _population(ws: Workspace, window: Window, name: str) -> Json:
    kept = findings(ws).latest(window, name)
    return None if kept is None else kept.finding["population"]


def _json(name: str, document: Mapping[str, Json], description: str) -> Attachment:
    return Attachment(name, canonical(dict(document)), "application/json", description)


def _rendered(packet: KeptPacket) -> Rendered:
    note = packet.note("rendered") or {}
    return Rendered(packet.unsigned, note["sha256"], note["packet_id"], packet.version)
