"""The attestation of a window: counts by verdict, and every hour proved or named as a gap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from countersign import canonical
from countersign.attest import attestation, bundle, document, hours
from countersign.attest.document import Document
from countersign.attest.grade import VERDICTS
from countersign.attest.residency import Gap, Policy, gaps_document
from countersign.attest.statement import Statement
from countersign.attest.verdict import NO_COUNTS, Verdict, in_log, signed_by, verdict
from countersign.canonical import Json
from countersign.errors import ConfigError, EvidenceError, VerificationError
from countersign.ledger import checkpoint, merkle, proof
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import SigningKey, VerifierKey
from countersign.model import US_PER_SECOND, Window, rfc3339

WINDOW: Final = "window.json"
_HOUR_US: Final = 3_600 * US_PER_SECOND
_MEMBERS: Final = """window.json           counts by verdict, and the hours that they rest on
hours/                that each hour is in the signed log"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the attestation covers; no tenant is all tenants."""

    window: Window
    policy: Policy
    tenant: str | None = None

    @property
    def title(self) -> str:
        """`tenant aster-bank, 2026-11-09/2026-11-16`."""
        about = "all tenants" if self.tenant is None else f"tenant {self.tenant}"
        return f"{about}, {self.window}"

    def document(self) -> dict[str, Json]:
        """The JSON form."""
        return {
            "kind": "window" if self.tenant is None else "tenant",
            "tenant": self.tenant,
            "window": str(self.window),
        }


def hours_of(window: Window) -> list[str]:
    """Every hour of a window, in order."""
    return [rfc3339(us) for us in range(window.start_us, window.end_us, _HOUR_US)]


def attest_window(
    scope: Scope,
    requests: Mapping[str, int],
    hour_proofs: Sequence[bytes],
    *,
    gaps: Sequence[Gap] = (),
    terms: Json,
    signer: SigningKey,
) -> bytes:
    """The bundle of a window: `requests` counts by verdict; hours without a proof become gaps.

    Raises:
        EvidenceError: a proof is of an hour outside the window, two are of one hour, they are
            of different states of the log, or counts over all tenants do not foot.
    """
    found = {_hour_name(content): content for content in hour_proofs}
    missing = [h for h in hours_of(scope.window) if h not in found]
    counts = {verdict: requests.get(verdict, 0) for verdict in VERDICTS}
    facts: dict[str, Json] = {
        "scope": scope.document(),
        "policy": scope.policy.document(),
        "requests": {**counts, "total": sum(counts.values())},
        "hours": [_listed(found[hour]) for hour in sorted(found)],
        "gaps": gaps_document([*gaps, *((f"hour {h}", "not sealed in the log") for h in missing)]),
    }
    members = {
        WINDOW: canonical.encode(facts),
        attestation.TERMS: canonical.encode(terms),
        attestation.README: attestation.readme(scope.title, _MEMBERS),
        **{_member(hour): content for hour, content in found.items()},
    }
    _check_makeable(scope, facts, members, len(hour_proofs))
    return attestation.seal(members, (WINDOW, scope.title), facts, signer)


def check(members: Mapping[str, bytes], said: Statement, keys: Sequence[VerifierKey]) -> Verdict:
    """Verify a window's statement: every hour proved or a gap, and the counts foot.

    Raises:
        VerificationError: names the hour, member or count that does not hold.
    """
    content = bundle.member(members, WINDOW)
    facts = document.decode(content, WINDOW)
    attestation.check_said(said, content, facts)
    head, signers = _check_hours(members, facts, keys)
    scope = document.mapping(facts, "scope", WINDOW)
    listed, gaps = document.mappings(facts, "hours", WINDOW), _check_complete(facts)
    total = _check_counts(facts)
    checked = [
        f"Every hour of {scope['window']} is in the log or named as a gap: {len(listed)} sealed, "
        f"{gaps} missing.",
        f"The {total} requests are the sum of their verdicts"
        + (", and of the hours." if scope["kind"] == "window" else "."),
        in_log("Each sealed hour", head),
        *signed_by("That state of the log", signers),
    ]
    return verdict(checked, [NO_COUNTS], signers, said.predicate)


def _check_hours(
    members: Mapping[str, bytes], facts: Document, keys: Sequence[VerifierKey]
) -> tuple[Checkpoint, tuple[VerifierKey, ...]]:
    """The one state of the log that all hours are in, and who signed it."""
    listed = document.mappings(facts, "hours", WINDOW)
    names = [_member(document.text(item, "hour", WINDOW)) for item in listed]
    if not names:
        raise VerificationError("hours of the window", expected="a sealed hour", observed="none")
    signed = proof.decode(bundle.member(members, names[0])).checkpoint
    head, signers = checkpoint.open_by(signed, keys)
    for name, item in zip(names, listed, strict=True):
        content = bundle.member(members, name)
        found = proof.decode(content)
        if _listed(content) != item or found.checkpoint != signed:
            raise VerificationError(
                name,
                expected="the hour that window.json lists, under one checkpoint for all hours",
                observed="another",
            )
        leaf = merkle.leaf_hash(found.entry or b"")
        merkle.check_inclusion(leaf, found.index, head.size, found.hashes, head.root)
    return head, signers


def _check_complete(facts: Document) -> int:
    """Number of hours that are missing, each of them named as a gap."""
    listed = [document.text(i, "hour", WINDOW) for i in document.mappings(facts, "hours", WINDOW)]
    named = {document.text(g, "part", "gap") for g in document.mappings(facts, "gaps", WINDOW)}
    window = _window(facts)
    if (window.end_us - window.start_us) // _HOUR_US > len(listed) + len(named):
        raise VerificationError(
            "hours of the window", expected="each hour proved, or named as a gap"
        )
    wanted, present = hours_of(window), set(listed)
    if listed != [hour for hour in wanted if hour in present]:
        raise VerificationError(
            "hours of the window", expected="hours of it, once and in order", observed="others"
        )
    missing = [hour for hour in wanted if hour not in present]
    for hour in missing:
        if f"hour {hour}" not in named:
            raise VerificationError(
                f"hour {hour}", expected="a proof, or a gap that names it", observed="neither"
            )
    return len(missing)


def _window(facts: Document) -> Window:
    text = document.text(document.mapping(facts, "scope", WINDOW), "window", "scope")
    try:
        window = Window.parse(text)
    except ConfigError as error:
        raise VerificationError("scope, field window", observed=str(error)) from None
    if str(window) != text:
        raise VerificationError("scope, field window", expected=str(window), observed=text)
    return window


def _check_counts(facts: Document) -> int:
    requests = document.mapping(facts, "requests", WINDOW)
    total = document.integer(requests, "total", "requests")
    verdicts = sum(document.integer(requests, name, "requests") for name in VERDICTS)
    if verdicts != total:
        raise VerificationError(
            "requests by verdict", expected=f"a sum of {total}", observed=str(verdicts)
        )
    listed = document.mappings(facts, "hours", WINDOW)
    sealed = sum(document.integer(item, "count", "hour") for item in listed)
    everyone = document.mapping(facts, "scope", WINDOW).get("kind") == "window"
    if total > sealed or (everyone and total != sealed):
        raise VerificationError(
            "requests", expected=f"the {sealed} that the hours hold", observed=str(total)
        )
    return total


def _check_makeable(
    scope: Scope, facts: Document, members: Mapping[str, bytes], proofs: int
) -> None:
    """Refuse to sign what `check` would refuse."""
    try:
        if len(document.mappings(facts, "hours", WINDOW)) != proofs:
            raise VerificationError("hours", expected="one proof for each hour")
        _check_complete(facts)
        _check_counts(facts)
        _check_hours(members, facts, ())
    except VerificationError as error:
        raise EvidenceError(
            f"attestation of {scope.title}",
            expected="hour proofs and counts that agree, cut under one checkpoint",
            observed=str(error),
        ) from None


def _listed(content: bytes) -> dict[str, Json]:
    found = proof.decode(content)
    entry = found.entry or b""
    hour = hours.decode_entry(entry)
    return {
        "hour": hour["hour"],
        "version": hour["version"],
        "count": hour["count"],
        "root": hour["root"],
        "index": found.index,
        "entry": {"sha256": canonical.digest(entry)},
    }


def _hour_name(content: bytes) -> str:
    return document.text(hours.decode_entry(proof.decode(content).entry or b""), "hour", "hour")


def _member(hour: str) -> str:
    return f"hours/{hour[:13]}Z.tlog-proof"
