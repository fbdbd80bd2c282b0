"""The residency predicate: where one request, and what was derived from it, was processed.

`urn:countersign:attestation:llm-data-residency:v0.1`. The facts of a request are sealed as a
record in its hour; the statement repeats them word for word. Two grades, each the minimum over
its parts with the part that set it: the processing path (hops), and derived state.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, TypeAlias

from countersign import canonical
from countersign.attest.grade import check, grades, unknown_parts
from countersign.attest.hours import Record, timestamp
from countersign.canonical import Json
from countersign.errors import EvidenceError, VerificationError
from countersign.model import Strength

RECORD_SCHEMA: Final = "urn:countersign:record:residency:v0.1"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a place rests on, by name and by digest or URI (an in-toto ResourceDescriptor)."""

    name: str
    sha256: str | None = None
    uri: str | None = None

    def document(self) -> dict[str, Json]:
        """The JSON form."""
        if self.sha256 is None and self.uri is None:
            raise EvidenceError(f"resource {self.name}", expected="a digest or a URI")
        found: dict[str, Json] = {"name": self.name}
        if self.sha256 is not None:
            found["digest"] = {"sha256": self.sha256}
        if self.uri is not None:
            found["uri"] = self.uri
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One place on the path of a request. None is unknown, never "no"."""

    role: str
    strength: Strength
    operator: str | None = None
    jurisdiction: str | None = None
    region: str | None = None
    legal_reach: str | None = None
    status: str | None = None
    evidence: tuple[Resource, ...] = ()
    ingress_digest: str | None = None
    egress_digest: str | None = None

    def document(self, seq: int) -> dict[str, Json]:
        """The JSON form."""
        return {
            "seq": seq,
            "role": self.role,
            "operator": self.operator,
            "jurisdiction": self.jurisdiction,
            "region": self.region,
            "legalReach": self.legal_reach,
            "status": self.status,
            "strength": self.strength.value,
            "evidence": [resource.document() for resource in self.evidence],
            "ingressDigest": self.ingress_digest,
            "egressDigest": self.egress_digest,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """State that the request left behind: a cache, an embedding, a log, a backup."""

    kind: str
    strength: Strength
    operator: str | None = None
    jurisdiction: str | None = None
    region: str | None = None
    evidence: tuple[Resource, ...] = ()
    created_at: str | None = None
    expires_at: str | None = None
    deleted_at: str | None = None

    def document(self) -> dict[str, Json]:
        """The JSON form."""
        return {
            "kind": self.kind,
            "operator": self.operator,
            "jurisdiction": self.jurisdiction,
            "region": self.region,
            "strength": self.strength.value,
            "evidence": [resource.document() for resource in self.evidence],
            "createdAt": self.created_at,
            "expiresAt": self.expires_at,
            "deletedAt": self.deleted_at,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What was promised, and how strong the evidence must be before it counts as kept."""

    name: str
    sha256: str | None = None
    minimum_path: Strength = Strength.R2
    minimum_derived: Strength = Strength.R1

    def document(self) -> dict[str, Json]:
        """The JSON form."""
        return {
            "name": self.name,
            "digest": None if self.sha256 is None else {"sha256": self.sha256},
            "minimumStrength": {
                "path": self.minimum_path.value,
                "derivedState": self.minimum_derived.value,
            },
        }


Gap: TypeAlias = tuple[str, str]
"""A part that the evidence does not cover, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The residency facts of one request; `request` is its salted commitment."""

    tenant: str
    at_us: int
    request: str
    policy: Policy
    verdict: str
    hops: tuple[Hop, ...]
    derived: tuple[Derived, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def facts(self) -> dict[str, Json]:
        """The fields that record and predicate share."""
        hops = [hop.document(seq) for seq, hop in enumerate(self.hops)]
        derived = [item.document() for item in self.derived]
        named = {part for part, _ in self.gaps}
        unknown = [part for part in unknown_parts(hops, derived) if part not in named]
        unknown_places = [(part, "nothing says where it is") for part in unknown]
        return {
            "policy": self.policy.document(),
            "hops": list[Json](hops),
            "derivedState": list[Json](derived),
            "gaps": gaps_document((*self.gaps, *unknown_places)),
            "result": {"verdict": self.verdict, **grades(hops, derived)},
        }

    def record(self) -> Record:
        """The record that is sealed as a leaf of its hour.

        Raises:
            EvidenceError: the facts contradict themselves, as `check` finds them.
        """
        try:
            facts = _encoded(replace(self, tenant="", at_us=0, request=""))
        except VerificationError as error:
            raise EvidenceError(
                f"residency of request {self.request}", observed=str(error)
            ) from None
        at = timestamp(self.at_us)
        identity = {"schema": RECORD_SCHEMA, "tenant": self.tenant, "at": at}
        own = {**identity, "request": self.request}
        members = {name: canonical.encode(value) for name, value in own.items()}
        content = canonical.join({**members, **facts})
        return Record(self.tenant, at, self.request, content)


@lru_cache(maxsize=4_096)
def _encoded(nameless: Request) -> dict[str, bytes]:
    """The checked facts, member by member: most requests of an hour share theirs."""
    facts = nameless.facts()
    check(facts)
    return {name: canonical.encode(value) for name, value in facts.items()}


def gaps_document(gaps: Sequence[Gap]) -> list[Json]:
    """The JSON form of gaps."""
    return [{"part": part, "reason": reason} for part, reason in gaps]
