"""A small installation: a log with hours, a packet and two attestations."""

import importlib.util
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType

import pytest

import countersign.attest
from countersign.attest import entries
from countersign.attest.hours import Hour
from countersign.attest.request_bundle import attest_request
from countersign.attest.residency import Derived, Hop, Policy, Request, Resource
from countersign.attest.window_bundle import Scope, attest_window, hours_of
from countersign.ledger.key import SigningKey, VerifierKey, encode_vkey
from countersign.ledger.log import Log
from countersign.model import Strength, Window, instant

KEY = SigningKey("countersign.example/log", bytes(range(32)))
DAY = Window.day(date(2026, 11, 9))
POLICY = Policy(name="EU only", sha256="ab" * 32)
TERMS: dict[str, str] = {"openai eu": "processed in the EU"}
OFFLINE = Path(next(iter(countersign.attest.__path__))) / "offline" / "countersign-verify.py"


def commitment(number: int) -> str:
    return f"{number:064x}"


def request(number: int, hour: int, *, tenant: str = "aster-bank") -> Request:
    at = datetime(2026, 11, 9, hour, number % 60, tzinfo=UTC)
    gateway = Hop(
        role="gateway",
        strength=Strength.R3,
        operator="we",
        jurisdiction="DE",
        region="eu-central-1",
        evidence=(Resource("x-served-by", "12" * 32),),
    )
    inference = Hop(
        role="inference",
        strength=Strength.R2,
        operator="OpenAI",
        jurisdiction="EU",
        region="eu",
        legal_reach="US",
        evidence=(Resource("endpoint host", "34" * 32),),
    )
    cache = Derived(kind="prompt cache", strength=Strength.R1, operator="OpenAI", region="eu")
    return Request(
        tenant=tenant,
        at_us=instant(at),
        request=commitment(number),
        policy=POLICY,
        verdict="compliant",
        hops=(gateway, inference),
        derived=(cache,),
    )


@dataclass(frozen=True)
class Scene:
    """What the tests check, and who should be trusted about it."""

    log: Log
    hours: tuple[Hour, ...]
    packet: bytes
    packet_proof: bytes
    checkpoint: bytes
    request_bundle: bytes
    window_bundle: bytes
    keys: tuple[VerifierKey, ...]

    @property
    def vkey(self) -> str:
        """The trusted key as text."""
        return encode_vkey(self.keys[0])


def build(folder: Path) -> Scene:
    log = Log.writer(folder, KEY)
    hours = tuple(
        Hour.of(name, [request(n, h).record() for n in range(h * 10, h * 10 + h % 4)])
        for h, name in enumerate(hours_of(DAY))
    )
    packet = b"%PDF-1.7\n" + bytes(i * 7 % 256 for i in range(5_000))
    sealed = log.append([hour.entry() for hour in hours])
    packet_at = log.append(
        [entries.packet("CS-2026-W46.pdf", str(DAY), packet, status="provisional")]
    )[0]
    proofs = [log.prove(index) for index in sealed]
    total = sum(len(hour.records) for hour in hours)
    return Scene(
        log,
        hours,
        packet,
        log.prove(packet_at),
        log.checkpoint(),
        attest_request(
            hours[3], commitment(31), hour_proof=proofs[3], terms=dict(TERMS), signer=KEY
        ),
        attest_window(
            Scope(window=DAY, policy=POLICY),
            {"compliant": total},
            proofs,
            terms=dict(TERMS),
            signer=KEY,
        ),
        (KEY.key,),
    )


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return build(tmp_path_factory.mktemp("scene") / "log")


@pytest.fixture(scope="session")
def offline() -> ModuleType:
    """The stand-alone verifier, loaded from its file."""
    specification = importlib.util.spec_from_file_location("countersign_verify", OFFLINE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
