"""All that a packet is made from, as plain values: the same input gives the same bytes.

Nothing here is fetched or computed from a clock. Absent is None, never zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from countersign.canonical import Json
from countersign.model import State, Status, Window


@dataclass(frozen=True, slots=True)
class ControlCard:
    """What is known about a registered control, whether or not it ran."""

    claim: str
    description: str = ""
    maps_to: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NotRun:
    """Why a control has no finding: the class of the error, and where to look."""

    error: str
    where: str


@dataclass(frozen=True, slots=True)
class Money:
    """The five sums of page 1 in micro-dollars; None is missing."""

    billed: int | None = None
    rendered: int | None = None
    after_stop: int | None = None
    unexplained: int | None = None
    charged: int | None = None


@dataclass(frozen=True, slots=True)
class Previous:
    """What the packet of the week before said."""

    states: Mapping[str, State]
    money: Money = Money()


@dataclass(frozen=True, slots=True)
class Week:
    """One week of the history strip, oldest first: the state of each control that existed."""

    label: str
    states: Mapping[str, State]


@dataclass(frozen=True, slots=True)
class Population:
    """One kind of record in the window, from what was received down to what was admitted."""

    kind: str
    received: int | None
    admitted: int | None
    refused: int | None
    late_days: tuple[str, ...] = ()
    missing_days: tuple[str, ...] = ()
    missing: int | None = None
    """How many days; as many as are named when not given."""
    sources: tuple[str, ...] = ()
    refused_by_rule: tuple[tuple[str, int], ...] = ()
    expectations: int | None = None
    unmet: int | None = None
    examined_by: tuple[str, ...] = ()
    digest: str | None = None
    control_total: str | None = None
    run_by: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One file behind the packet; `leaf` is its index in the log."""

    name: str
    digest: str
    rows: int | None
    bytes: int
    leaf: int | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log position that this packet rests on; the root as 64 hexadecimal digits."""

    origin: str
    size: int
    root: str


@dataclass(frozen=True, slots=True)
class Approval:
    """One signature of the sign-off page."""

    role: str
    name: str
    at_us: int | None
    by: str


@dataclass(frozen=True, slots=True)
class Outage:
    """A gap or change in the evidence pipeline itself."""

    source: str
    what: str
    since: str
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where records came from in this window."""

    id: str
    connector: str
    where: str
    status: str
    pages: int | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """How this packet is checked: names, exact commands, and what they print."""

    file: str
    proof: str
    command: str
    expected: str
    not_checked: str
    verifier: str = "countersign-verify.py"
    verifier_digest: str = ""


@dataclass(frozen=True, slots=True)
class PacketInput:
    """Everything on the pages; `findings` and `details` are the sealed documents themselves."""

    entity: str
    packet_id: str
    version: int
    supersedes: str | None
    status: Status
    window: Window
    prepared_by: str
    prepared_at_us: int
    controls: Mapping[str, ControlCard]
    findings: tuple[Mapping[str, Json], ...]
    details: Mapping[str, Mapping[str, Json]]
    not_run: Mapping[str, NotRun]
    checkpoint: Checkpoint
    vkey: str
    fingerprint: str
    environment: str
    verification: Verification
    environment_rows: tuple[tuple[str, str], ...] = ()
    previous: Previous | None = None
    history: tuple[Week, ...] = ()
    populations: tuple[Population, ...] = ()
    sources: tuple[Source, ...] = ()
    evidence: tuple[EvidenceRow, ...] = ()
    approvals: tuple[Approval, ...] = ()
    mapping_date: str | None = None
    outages: tuple[Outage, ...] = ()
    responses: Mapping[tuple[str, str], str] = field(default_factory=dict)
    final_after: str | None = None
    generator: str = "Countersign 0.1.0"
