"""Everything that a packet shows, gathered: findings, populations, evidence, keys, history."""

from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from typing import Any

from countersign import __version__
from countersign.canonical import digest
from countersign.canonical import encode as canonical
from countersign.lake.raw import COMPLETE, DATED, PageManifest
from countersign.ledger.key import encode_vkey
from countersign.model import US_PER_DAY, State, Status, Window, moment, rfc3339
from countersign.packet import money
from countersign.packet.environment import Environment
from countersign.packet.input import (
    Approval,
    Checkpoint,
    ControlCard,
    EvidenceRow,
    NotRun,
    Outage,
    PacketInput,
    Population,
    Previous,
    Source,
    Verification,
    Week,
)
from countersign.pipeline.assess import findings
from countersign.pipeline.collect import own_days, pages_entry
from countersign.pipeline.packets import KeptPacket
from countersign.pipeline.seal import Seal
from countersign.pipeline.workspace import Workspace

WEEKS_SHOWN = 8
NOT_CHECKED = "Whether the sources told the truth."


def packet_input(
    ws: Workspace,
    seal: Seal,
    packet: KeptPacket,
    before: KeptPacket | None,
    surroundings: Environment,
) -> PacketInput:
    """The packet's whole content, from what was sealed."""
    window = seal.window
    kept = {name: findings(ws).latest(window, name) for name in ws.controls}
    crashed = {name: findings(ws).not_run(window, name) for name in ws.controls}
    ran = {name: k for name, k in kept.items() if k is not None and crashed[name] is None}
    documents = tuple(k.finding for k in ran.values())
    packet_id = packet_name(ws, window)
    return PacketInput(
        entity=ws.config.countersign.entity,
        packet_id=packet_id,
        version=packet.version,
        supersedes=(before.note("signed") or {})["sha256"] if before else None,
        status=_status(documents),
        window=window,
        prepared_by=ws.config.countersign.prepared_by,
        prepared_at_us=seal.sealed_at_us,
        controls={name: _card(control) for name, control in ws.controls.items()},
        findings=documents,
        details={name: k.detail for name, k in ran.items()},
        not_run={
            name: NotRun(f"{crash['error']}: {crash['message']}"[:200], crash["where"])
            for name, crash in crashed.items()
            if crash is not None
        },
        checkpoint=Checkpoint(ws.key.name, seal.size, seal.root),
        vkey=encode_vkey(ws.key.key),
        fingerprint=ws.key.key.fingerprint,
        environment=surroundings.digest,
        environment_rows=surroundings.rows,
        verification=_verification(packet_id),
        previous=_previous(ws, window),
        history=tuple(_history(ws, window)),
        populations=tuple(_populations(documents)),
        sources=tuple(_sources(ws, window)),
        evidence=tuple(_evidence(ws, window, seal)),
        approvals=(
            Approval("Prepared", ws.config.countersign.prepared_by, seal.sealed_at_us, "seal"),
        ),
        mapping_date=ws.config.countersign.mapping_date,
        outages=tuple(_outages(ws, window)),
        final_after=_final_after(ws, window),
        generator=f"Countersign {__version__}",
    )


def packet_name(ws: Workspace, window: Window) -> str:
    """`CS-2026-W46`."""
    return f"{ws.config.countersign.packet_prefix}-{window.label}"


def verifier() -> bytes:
    """The stand-alone verifier that travels in every packet."""
    return files("countersign.attest.offline").joinpath("countersign-verify.py").read_bytes()


def _status(documents: tuple[dict[str, Any], ...]) -> Status:
    final = documents and all(d["status"] == Status.FINAL for d in documents)
    return Status.FINAL if final else Status.PROVISIONAL


def _card(control: Any) -> ControlCard:
    return ControlCard(control.claim, (type(control).__doc__ or "").strip(), control.maps_to)


def _verification(packet_id: str) -> Verification:
    return Verification(
        file=f"{packet_id}.pdf",
        proof=f"{packet_id}.tlog-proof",
        command=f"python3 countersign-verify.py {packet_id}.pdf --key log.vkey",
        expected="VALID",
        not_checked=NOT_CHECKED,
        verifier_digest=digest(verifier()),
    )


def _previous(ws: Workspace, window: Window) -> Previous | None:
    before = window.history(1)
    kept = [findings(ws).latest(before, name) for name in ws.controls]
    documents = tuple(k.finding for k in kept if k is not None)
    if not documents:
        return None
    states = {d["control"]: State(d["state"]) for d in documents}
    return Previous(states, money.of_findings(documents))


def _history(ws: Workspace, window: Window) -> Iterator[Week]:
    days = window.end - window.start
    for back in range(WEEKS_SHOWN - 1, -1, -1):
        week = Window(window.start - days * back, window.end - days * back)
        kept = {name: findings(ws).latest(week, name) for name in ws.controls}
        yield Week(week.label, {n: State(k.finding["state"]) for n, k in kept.items() if k})


def _populations(documents: tuple[dict[str, Any], ...]) -> Iterator[Population]:
    """One sheet per kind; kinds that several controls read are listed once."""
    users: dict[str, list[str]] = {}
    for document in documents:
        for kind in document["population"]:
            users.setdefault(kind, []).append(document["control"])
    for kind, examined_by in sorted(users.items()):
        source = next(d for d in documents if kind in d["population"])
        yield _population(kind, source, tuple(examined_by))


def _population(kind: str, document: dict[str, Any], examined_by: tuple[str, ...]) -> Population:
    counts = document["population"][kind]
    suites = [entry for entry in document["admission"] if entry["kind"] == kind]
    rules = [rule for entry in suites for rule in entry["expectations"]]
    parts = [e for e in document["evidence"] if e["kind"] == kind]
    return Population(
        kind=kind,
        received=counts["rows"] + counts["refused"] + counts["repeated"],
        admitted=counts["rows"],
        refused=counts["refused"],
        late_days=tuple(_late(entry) for entry in counts.get("late", ())),
        missing_days=tuple(dict.fromkeys(_missing(e) for e in counts.get("missing", ()))),
        missing=counts["missing_days"],
        sources=tuple(counts["sources"]),
        refused_by_rule=tuple(
            (_rule(rule), rule["unexpected"]) for rule in rules if rule["unexpected"]
        ),
        expectations=len(rules),
        unmet=sum(1 for rule in rules if rule["unexpected"]),
        examined_by=examined_by,
        digest=digest("".join(part["digest"] for part in parts).encode()),
        run_by=", ".join(sorted({judge for entry in suites for judge in entry["judged_by"]})),
    )


def _late(entry: dict[str, Any]) -> str:
    """`2026-11-15 litellm, version 2 of 2 readings`, or what of the day is still due."""
    said = f"{entry['day']} {entry['source']}, version {entry['version']}"
    if entry["newer"] is None:
        return f"{said} of {entry['read']} readings"
    return f"{said}; " + ("a newer one not admitted" if entry["newer"] else "read again in vain")


def _missing(entry: dict[str, Any]) -> str:
    """`2026-11-14 beacons, unreachable`; knowledge has no day."""
    if entry["source"] is None:
        return "no source is configured"
    day = "dated knowledge" if entry["day"] == DATED else entry["day"]
    return f"{day} {entry['source']}, {entry['status']}"


def _rule(rule: dict[str, Any]) -> str:
    column = rule["kwargs"].get("column") or rule["kwargs"].get("column_A") or ""
    return f"{rule['type'].removeprefix('expect_')} {column}".strip()


def _sources(ws: Workspace, window: Window) -> Iterator[Source]:
    for name, source in ws.config.sources.items():
        days = own_days(ws.sources[name], window)
        manifests = [ws.lake.raw.manifest(name, day) for day in days]
        known = [m for m in manifests if m is not None]
        statuses = {_standing(m) for m in manifests}
        yield Source(
            id=name,
            connector=source.connector,
            where=source.url.split("//")[-1],
            status=COMPLETE if statuses == {COMPLETE} else "; ".join(sorted(statuses - {COMPLETE})),
            pages=sum(len(m.pages) for m in known) if known else None,
            final=len(known) == len(days) and all(m.final for m in known),
        )


def _standing(manifest: PageManifest | None) -> str:
    if manifest is None:
        return "never collected"
    return manifest.gap.status if manifest.gap else manifest.status


def _evidence(ws: Workspace, window: Window, seal: Seal) -> Iterator[EvidenceRow]:
    for name, leaf in seal.findings:
        kept = findings(ws).latest(window, name)
        if kept is not None:
            content = kept.content
            yield EvidenceRow(f"finding {name}", digest(content), 1, len(content), leaf)
    counts = _rows(ws)
    for name in ws.config.sources:
        for day in own_days(ws.sources[name], window):
            manifest = ws.lake.raw.manifest(name, day)
            if manifest is not None:
                yield EvidenceRow(
                    name=f"{name} {day}, {len(manifest.pages)} pages",
                    digest=digest(canonical(manifest.document())),
                    rows=counts.get((name, day)),
                    bytes=sum(page.bytes for page in manifest.pages),
                    leaf=ws.log.find(pages_entry(manifest)),
                )


def _rows(ws: Workspace) -> dict[tuple[str, str], int]:
    admitted = ws.lake.admitted()
    return {
        key: sum(entry.counts.rows for entry in day.kinds.values())
        for key, day in admitted.days.items()
    }


def _outages(ws: Workspace, window: Window) -> Iterator[Outage]:
    for name in ws.config.sources:
        for day in own_days(ws.sources[name], window):
            manifest = ws.lake.raw.manifest(name, day)
            if manifest is None:
                yield Outage(name, "never collected", day)
            elif manifest.gap is not None:
                since = rfc3339(manifest.gap.fetched_at)
                yield Outage(name, f"{day} read before; again: {manifest.gap.status}", since)
            elif manifest.status != COMPLETE:
                said = f"{day}: {manifest.status}. {manifest.note}"
                yield Outage(name, said, rfc3339(manifest.fetched_at))


def _final_after(ws: Workspace, window: Window) -> str:
    """The day from which no source may revise the window's last day any more: the bill is last."""
    last = window.end - timedelta(days=1)
    settled = max((s.settled(last) for s in ws.sources.values()), default=window.end_us)
    return moment(settled + US_PER_DAY - 1).date().isoformat()
