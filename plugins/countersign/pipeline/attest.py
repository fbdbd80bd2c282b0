"""Attest: a residency attestation for a request, a tenant in a window, or a window."""

from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

import pyarrow.compute as pc

from countersign.attest.hours import Hour, hour_of, timestamp
from countersign.attest.request_bundle import attest_request
from countersign.attest.residency import Request
from countersign.attest.window_bundle import Scope, attest_window
from countersign.canonical import Json, digest
from countersign.errors import ConfigError, EvidenceError
from countersign.model import Window, instant
from countersign.pipeline import residency
from countersign.pipeline.findings import Kept
from countersign.pipeline.seal import Seal, sealed
from countersign.pipeline.workspace import Workspace
from countersign.records import SurfaceTerm


@dataclass(frozen=True, slots=True)
class Attested:
    """A bundle and what it says."""

    bundle: bytes
    scope: str
    result: str

    @property
    def digest(self) -> str:
        """SHA-256 of the bundle."""
        return digest(self.bundle)

    @property
    def sentence(self) -> str:
        """One line for a log or a task's result."""
        return f"{self.scope}: {self.result}"


def attest(
    ws: Workspace,
    *,
    request: str | None = None,
    tenant: str | None = None,
    window: Window | None = None,
) -> Attested:
    """Make the bundle for one request, or for a window and perhaps one tenant.

    Raises:
        ConfigError: neither a request nor a window, or both a request and a tenant.
        EvidenceError: the request is in no sealed window, or the window is not sealed.
    """
    if request is not None and tenant is None:
        return _request(ws, request, window)
    if request is None and window is not None:
        return _window(ws, window, tenant)
    raise ConfigError(
        "attest", expected="--request ID, or --window START/END with or without --tenant T"
    )


def _request(ws: Workspace, request_id: str, window: Window | None) -> Attested:
    span, kept, at_us = _holding(ws, request_id, window)
    name = hour_of(timestamp(at_us))
    found = residency.requests(ws, kept, name)
    facts = found[request_id]
    hour, leaf = _hour(ws, sealed(ws, span), name, found)
    bundle = attest_request(
        hour,
        facts.request,
        hour_proof=ws.log.prove(leaf),
        terms=_terms(ws, span),
        signer=ws.key,
    )
    return Attested(bundle, f"request {request_id}", facts.verdict)


def _window(ws: Workspace, window: Window, tenant: str | None) -> Attested:
    kept = residency.finding(ws, window)
    if kept is None:
        raise _no_residency(window)
    verdicts = [
        row["verdict"]
        for row in kept.relation("requests").select(["tenant", "verdict"]).to_pylist()
        if tenant in {None, row["tenant"]}
    ]
    if tenant is not None and not verdicts:
        raise EvidenceError(f"tenant {tenant}", expected=f"requests in {window}", observed="none")
    counts = Counter(verdicts)
    policy = residency.policy(tenant, kept.finding["parameters"])
    bundle = attest_window(
        Scope(window=window, policy=policy, tenant=tenant),
        counts,
        [ws.log.prove(leaf) for _, leaf in sealed(ws, window).hours],
        terms=_terms(ws, window),
        signer=ws.key,
    )
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    return Attested(bundle, f"{tenant or 'all tenants'}, {window}", said or "no requests")


def _holding(ws: Workspace, request_id: str, window: Window | None) -> tuple[Window, Kept, int]:
    """The window that holds a request, its residency finding, and when the request came."""
    windows = [window] if window else sealed_windows(ws)
    for span in windows:
        kept = residency.finding(ws, span)
        if kept is None:
            continue
        judged = kept.relation("requests").filter(pc.field("request_id") == request_id)
        if judged.num_rows:
            return span, kept, instant(judged["at"][0].as_py())
    searched = ", ".join(map(str, windows)) or "nothing is sealed yet"
    is_erased = ws.lake.erased.knows("request_id", request_id)
    raise EvidenceError(
        f"request {request_id}",
        expected=f"one of a sealed window ({searched})",
        observed="erased, as an entry of the log says" if is_erased else "none",
    )


def sealed_windows(ws: Workspace) -> list[Window]:
    """Windows that have a seal, newest first."""
    names = ws.lake.store.names("seals")
    stems = sorted((name.split("/")[-1].removesuffix(".json") for name in names), reverse=True)
    return [Window.parse(stem.replace("_", "/")) for stem in stems]


def _hour(ws: Workspace, seal: Seal, name: str, found: dict[str, Request]) -> tuple[Hour, int]:
    leaf = dict(seal.hours).get(name)
    if leaf is None:
        raise EvidenceError(
            f"hour {name}", expected="sealed in the log", observed="not sealed",
            remedy=f"countersign seal --window {seal.window}",
        )  # fmt: skip
    records = [request.record() for request in found.values()]
    logged = residency.logged_version(ws.log.entry(leaf))
    return Hour.of(name, records, version=logged[0], supersedes=logged[1]), leaf


def _terms(ws: Workspace, window: Window) -> Json:
    """The dated terms, as they were admitted, with the digests of their documents."""
    tables = ws.lake.tables(window)
    rows: list[dict[str, Any]] = tables.run(tables.table(SurfaceTerm)).to_pylist()
    kept: list[dict[str, Any]] = [
        {
            name: row[name].isoformat() if hasattr(row[name], "isoformat") else row[name]
            for name in sorted(field.name for field in fields(SurfaceTerm))
        }
        for row in rows
    ]
    ordered = sorted(kept, key=lambda row: [str(row[name]) for name in SurfaceTerm.identity])
    return list[Json](ordered)


def _no_residency(window: Window) -> EvidenceError:
    return EvidenceError(
        f"residency of {window}",
        expected="an assessed data-residency finding",
        observed="none",
        remedy=f"countersign assess --window {window} --only data-residency, then seal",
    )
