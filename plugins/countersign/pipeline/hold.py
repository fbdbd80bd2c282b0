"""Hold: keep what a proceeding may need, whatever retention or a person's request says."""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from countersign.attest import entries
from countersign.canonical import Json
from countersign.errors import ConfigError
from countersign.lake.batch import Key
from countersign.lake.hold import Hold, Holds
from countersign.lake.purge import Marks
from countersign.lake.subject import Named
from countersign.model import Window
from countersign.pipeline import duty, person
from countersign.pipeline.person import Rows
from countersign.pipeline.workspace import Workspace
from countersign.records import GatewayCall, kind_name

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be held: somebody, a source, days; each narrows the others."""

    named: Named | None = None
    source: str | None = None
    window: Window | None = None


def place(ws: Workspace, hold_id: str, scope: Scope, *, reason: str, authority: str) -> Hold:
    """Hold something, and log it.

    Raises:
        ConfigError: an id that is taken or no plain name, no scope, a text that names the person.
    """
    if not _ID.fullmatch(hold_id):
        raise ConfigError("hold --id", expected="letters, digits, . _ -", observed=repr(hold_id))
    if scope == Scope():
        raise ConfigError("hold", expected="a tenant, user, request, source or window")
    duty.checked("--reason", reason, scope.named)
    duty.checked("--authority", authority, scope.named)
    with duty.alone(ws):
        hold = Hold(
            hold_id, reason, authority, ws.now_us(), scope.named, scope.source, scope.window
        )
        Holds(ws.lake.store).place(hold)
        _log(ws, hold, "placed", authority, reason)
    return hold


def lift(ws: Workspace, hold_id: str, *, reason: str, authority: str) -> Hold:
    """End a hold, and log it.

    Raises:
        ConfigError: no such hold, or a text that names the person.
    """
    with duty.alone(ws):
        holds = Holds(ws.lake.store)
        held = holds.find(hold_id)
        duty.checked("--reason", reason, held.named)
        duty.checked("--authority", authority, held.named)
        lifted = holds.lift(hold_id, ws.now_us())
        if held.is_in_force:
            _log(ws, lifted, "lifted", authority, reason)
    return lifted


@dataclass(frozen=True, slots=True)
class Held:
    """Which source-days may not lose anything: those of sources and days, and those of people.

    A hold on somebody keeps every source's pages and rows of each day on which they were there.
    """

    holds: tuple[tuple[Hold, frozenset[str] | None], ...]

    def by(self, key: Key) -> Hold | None:
        """The hold that keeps a source-day."""
        for hold, days in self.holds:
            if hold.covers(key) and (days is None or key[1] in days):
                return hold
        return None


def held(ws: Workspace) -> Held:
    """What the holds in force keep."""
    return Held(
        tuple(
            (hold, None if hold.named is None else _days(ws, hold.named))
            for hold in Holds(ws.lake.store).in_force()
        )
    )


def _days(ws: Workspace, named: Named) -> frozenset[str]:
    """The days on which somebody has rows."""
    if named.user is None and named.request is None:
        return _tenant_days(ws, named.tenant or "")
    before, _, _ = person.links(ws, named, 2**62)
    rows = Rows(person.commitments(ws, named), before.values, 2**62)
    return frozenset(hit.key[1] for hits in person.hits(ws, rows).values() for hit in hits)


def _tenant_days(ws: Workspace, tenant: str) -> frozenset[str]:
    """The days on which a tenant called; each is held whole."""
    table = kind_name(GatewayCall)
    if table not in ws.lake.purge.tables():
        return frozenset()

    def is_tenants(_table: str, _key: Key, rows: pa.Table) -> Marks:
        return np.asarray(pc.equal(rows["tenant"], tenant).fill_null(False))

    return frozenset(hit.key[1] for hit in ws.lake.purge.find(table, is_tenants, {"tenant"}))


def _log(ws: Workspace, hold: Hold, action: str, authority: str, reason: str) -> None:
    scope: dict[str, Json] = {
        "subject": duty.subject(ws, hold.named),
        "source": hold.source,
        "window": str(hold.window) if hold.window else None,
    }
    facts: dict[str, Json] = {
        "hold": hold.id,
        "action": action,
        "authority": authority,
        "reason": reason,
        "scope": scope,
    }
    content = duty.kept(ws, "hold", facts)
    ws.log.append_once([entries.hold(content, action=action, hold=hold.id, authority=authority)])
