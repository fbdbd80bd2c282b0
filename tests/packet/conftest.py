"""A realistic packet: hand-written finding documents of one week, in the sealed form."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from countersign.attest import certificate
from countersign.canonical import digest
from countersign.model import State, Status, Window, instant
from countersign.packet import html, pdf, sign, view
from countersign.packet.finish import Attachment
from countersign.packet.input import (
    Approval,
    Checkpoint,
    ControlCard,
    EvidenceRow,
    Money,
    NotRun,
    Outage,
    PacketInput,
    Population,
    Previous,
    Source,
    Verification,
    Week,
)

WINDOW = Window(date(2026, 11, 9), date(2026, 11, 16))
PREPARED = instant(datetime(2026, 11, 16, 6, 12, tzinfo=UTC))
SAMPLE = Path(__file__).parent / "sample"
CONTROLS = ("token-reconciliation", "input-drift", "data-residency")


def document(control: str, kind: str) -> dict[str, Any]:
    """A hand-written `finding` or `detail` document in the sealed form."""
    return dict(json.loads((SAMPLE / f"{control}.{kind}.json").read_bytes()))


def finding(control: str, state: str, reason: str, **parts: Any) -> dict[str, Any]:
    base = {
        "schema": "urn:countersign:finding:v0.1",
        "control": control,
        "window": str(WINDOW),
        "version": 1,
        "supersedes": None,
        "status": "provisional",
        "state": state,
        "reason": reason,
        "claim": "",
        "grade": {"value": "exact", "set_by": "provider_usage"},
        "population": {},
        "measures": {},
        "exceptions": [],
        "evidence": [],
        "parameters": {},
        "observations": {"examined": 168, "holding": 168, "not_holding": 0, "undecided": 0},
        "observations_table": {"digest": digest(control.encode()), "rows": 168, "bytes": 9_120},
        "detail": {"digest": digest(b"detail" + control.encode()), "bytes": 4_096},
        "admission": [],
        "verdicts": {},
    }
    return {**base, **parts}


def cards() -> dict[str, ControlCard]:
    mapped = (
        ("DORA", "Art. 28(3), register of information"),
        ("ISO/IEC 42001", "A.6.2.8, event logs"),
    )
    return {name: ControlCard(document(name, "finding")["claim"], "", mapped) for name in CONTROLS}


def packet_input(**changes: Any) -> PacketInput:
    """The sample packet, with any field replaced."""
    states = {
        "token-reconciliation": State.SATISFIED,
        "input-drift": State.SATISFIED,
        "data-residency": State.INCONCLUSIVE,
    }
    files = [f"gateway_call/2026-11-{day:02d}.parquet" for day in range(9, 16)]
    files += [f"raw/openai-usage/2026-11-{day:02d}/page-0001.json" for day in range(9, 16)]
    base = PacketInput(
        entity="Example Bank",
        packet_id="CS-2026-W46",
        version=1,
        supersedes=None,
        status=Status.PROVISIONAL,
        window=WINDOW,
        prepared_by="Platform engineering",
        prepared_at_us=PREPARED,
        controls=cards(),
        findings=tuple(document(name, "finding") for name in CONTROLS),
        details={name: document(name, "detail") for name in CONTROLS},
        not_run={},
        checkpoint=Checkpoint("countersign.example/log", 48_213, digest(b"root")),
        vkey="countersign.example/log+2c70e12b+AVyJ7UxaCM0nHbLkZb3RVKFHs8iO3pWhQ7gWWy0jZqDn",
        fingerprint=digest(b"key"),
        environment=digest(b"environment"),
        environment_rows=(("weasyprint", "70.0"), ("Pango", "1.56.3"), ("fonts", "93a1c0ffee12")),
        verification=Verification(
            file="CS-2026-W46-v1.pdf",
            proof="CS-2026-W46-v1.tlog-proof",
            command="python3 countersign-verify.py CS-2026-W46-v1.pdf --key countersign.pub",
            expected="consistent: file, inclusion proof, checkpoint 48,214; signer identified\n"
            "NOT checked: whether the sources told the truth",
            not_checked="Whether the sources told the truth; and the PDF's own signature, which "
            "your PDF reader or pdfsig shows.",
            verifier_digest=digest(b"verifier"),
        ),
        previous=Previous(states, Money(469_800_218, 241_017_701, 17_025_512, 614_004, None)),
        history=tuple(Week(f"2026-W{w}", states) for w in range(41, 46)),
        populations=(
            Population(
                "gateway_call",
                8_618,
                8_611,
                7,
                sources=("litellm",),
                refused_by_rule=(
                    ("request_id: values to not be null", 3),
                    ("out_visible: values to be between", 4),
                ),
                expectations=3,
                unmet=2,
                digest=digest(b"g"),
                control_total="8,618 rows",
            ),
            Population(
                "provider_usage",
                912,
                912,
                0,
                late_days=("2026-11-15 openai-usage",),
                sources=("openai-usage", "anthropic-usage"),
                expectations=4,
                unmet=0,
                digest=digest(b"u"),
            ),
            Population(
                "delivery",
                None,
                None,
                None,
                missing_days=("2026-11-14 beacons",),
                sources=("beacons",),
            ),
        ),
        sources=(
            Source("litellm", "litellm", "/spend/logs/v2", "complete", 61, False),
            Source("openai-usage", "openai-usage", "/v1/organization/usage", "late", 7, False),
            Source("beacons", "delivery-beacon", "/v1/deliveries", "unreachable", None),
        ),
        evidence=tuple(
            EvidenceRow(
                name,
                digest(name.encode()),
                None if i == 9 else 1_231 + i,
                91_204 + 37 * i,
                48_100 + i if i % 5 else None,
            )
            for i, name in enumerate(files)
        ),
        approvals=(
            Approval(
                "Approved", "approved automatically (demo)", PREPARED + 60_000_000, "log 48,213"
            ),
        ),
        mapping_date="1 October 2026",
        outages=(
            Outage(
                "beacons",
                "unreachable: connection refused, 10 tries",
                "2026-11-14 02:10 UTC",
                "2026-11-14 02:19 UTC",
            ),
        ),
        final_after="17 December 2026",
    )
    return replace(base, **changes)


def twelve_controls() -> PacketInput:
    """Twelve controls with long reasons, every state, every one changed since last week."""
    states = [State.NOT_SATISFIED, State.INCONCLUSIVE, State.NOT_RUN, State.SATISFIED] * 3
    names = [
        "agent-commitments",
        "cascade-reliability",
        "committed-effects",
        "data-residency",
        "input-drift",
        "latency-budget",
        "narrated-execution",
        "plan-deadlock",
        "prompt-governance",
        "telemetry-contract",
        "token-reconciliation",
        "trace-sampling",
    ]
    long = "A reason that does not want to end, with 123,456,789 of 987,654,321 requests, " * 8
    findings = tuple(
        finding(name, state.value, long, grade={"value": "R0", "set_by": "a very long part " * 9})
        for name, state in zip(names, states, strict=True)
        if state is not State.NOT_RUN
    )
    crashed = {
        name: NotRun("ZeroDivisionError", "conclude, line 88 of latency_budget.py " * 3)
        for name, state in zip(names, states, strict=True)
        if state is State.NOT_RUN
    }
    before = {
        name: State.SATISFIED if state is not State.SATISFIED else State.NOT_SATISFIED
        for name, state in zip(names, states, strict=True)
    }
    return packet_input(
        controls={name: ControlCard(f"The claim of {name}.") for name in names},
        findings=findings,
        details={},
        not_run=crashed,
        previous=Previous(before, Money(*[999_999_999_999_999] * 5)),
        history=tuple(Week(f"2026-W{w}", before) for w in range(38, 46)),
    )


@pytest.fixture
def given() -> PacketInput:
    return packet_input()


@pytest.fixture(scope="session")
def make_input():
    """`make_input(**changes)`: the sample packet with fields replaced."""
    return packet_input


@pytest.fixture(scope="session")
def twelve() -> PacketInput:
    return twelve_controls()


@pytest.fixture(scope="session")
def attachments() -> tuple[Attachment, ...]:
    """Named out of order, and two with the same bytes."""
    return (
        Attachment("findings.json", b"{}", "application/json", "the sealed findings"),
        Attachment("assessment-results.json", b"{}", "application/json", "OSCAL"),
        Attachment(
            "countersign-verify.py", b"print()\n", "text/x-python", "verifier", "Supplement"
        ),
    )


@pytest.fixture(scope="session")
def unsigned(attachments) -> bytes:
    """The sample packet as a PDF, rendered once."""
    shown = view.build(packet_input())
    return pdf.render(html.page(shown), attachments, pdf.Meta("CS-2026-W46-v1", PREPARED))


@pytest.fixture(scope="session")
def signing_pair() -> tuple[bytes, bytes]:
    """A P-256 key and its certificate, both PEM."""
    key = ec.derive_private_key(0x5EED, ec.SECP256R1())
    issued = certificate.issue(
        key,
        entity="Example Bank",
        serial=7,
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(2036, 1, 1, tzinfo=UTC),
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, certificate.encode(issued)


@pytest.fixture(scope="session")
def signed(unsigned, signing_pair) -> bytes:
    return sign.sign(unsigned, *signing_pair, datetime(2026, 11, 16, 7, 40, tzinfo=UTC))
