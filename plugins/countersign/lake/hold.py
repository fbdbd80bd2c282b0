"""Legal holds: what must stay, whatever retention or a person's request says.

`holds/<id>.json` is private, since it may name a person. A hold that was lifted stays on record.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from countersign.canonical import Json, encode
from countersign.errors import ConfigError
from countersign.lake.batch import Key
from countersign.lake.store import Store
from countersign.lake.subject import Named
from countersign.model import Window, rfc3339

_FOLDER: Final = "holds"


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold: on somebody, on a source, on days, or on any of these together."""

    id: str
    reason: str
    authority: str
    placed_at_us: int
    named: Named | None = None
    source: str | None = None
    window: Window | None = None
    lifted_at_us: int | None = None

    @property
    def is_in_force(self) -> bool:
        """Whether it was not lifted."""
        return self.lifted_at_us is None

    @property
    def sentence(self) -> str:
        """One line for a person who may see it."""
        who = self.named.document() if self.named else {}
        scope = [f"{name} {value}" for name, value in who.items() if value]
        scope += [f"source {self.source}"] if self.source else []
        scope += [f"days {self.window}"] if self.window else []
        state = "in force" if self.lifted_at_us is None else f"lifted {rfc3339(self.lifted_at_us)}"
        return (
            f"{self.id}: {', '.join(scope) or 'everything'}; {state}; {self.reason}"
            f" (by {self.authority}, {rfc3339(self.placed_at_us)})"
        )

    def covers(self, key: Key) -> bool:
        """Whether a source-day lies in its source and days; who is held is not asked."""
        source, day = key
        if self.source is not None and source != self.source:
            return False
        if self.window is None:
            return True
        return self.window.start.isoformat() <= day < self.window.end.isoformat()

    def document(self) -> dict[str, Json]:
        """The private JSON form."""
        return {
            "id": self.id,
            "reason": self.reason,
            "authority": self.authority,
            "placed_at_us": self.placed_at_us,
            "named": self.named.document() if self.named else None,
            "source": self.source,
            "window": str(self.window) if self.window else None,
            "lifted_at_us": self.lifted_at_us,
        }


@dataclass(frozen=True, slots=True)
class Holds:
    """All of a lake's holds."""

    store: Store

    def place(self, hold: Hold) -> None:
        """Keep a new hold.

        Raises:
            ConfigError: its id was used before.
        """
        content = encode(hold.document())
        if not self.store.put_new(_name(hold.id), content, private=True):
            raise ConfigError("hold --id", expected="an id that no hold has", observed=hold.id)

    def lift(self, hold_id: str, at_us: int) -> Hold:
        """End a hold; lifting it again changes nothing.

        Raises:
            ConfigError: there is none of that id.
        """
        found = self.find(hold_id)
        lifted = replace(found, lifted_at_us=at_us) if found.is_in_force else found
        self.store.replace(_name(hold_id), encode(lifted.document()), private=True)
        return lifted

    def find(self, hold_id: str) -> Hold:
        """The hold of an id.

        Raises:
            ConfigError: there is none.
        """
        found = {hold.id: hold for hold in self.all()}
        if hold_id not in found:
            known = " or ".join(found) or "none: nothing was ever held"
            raise ConfigError("hold", expected=known, observed=hold_id)
        return found[hold_id]

    def all(self) -> list[Hold]:
        """Every hold, lifted ones too, oldest first."""
        holds = [_decode(json.loads(self.store.get(n))) for n in self.store.names(_FOLDER)]
        return sorted(holds, key=lambda hold: (hold.placed_at_us, hold.id))

    def in_force(self) -> list[Hold]:
        """The holds that were not lifted."""
        return [hold for hold in self.all() if hold.is_in_force]


def overlapping(
    holds: Iterable[Hold], named: Named, requests: Iterable[str], keys: Iterable[Key]
) -> list[Hold]:
    """Holds that forbid erasing somebody with these requests from these source-days."""
    asked, places = set(requests), list(keys)
    return [
        hold
        for hold in holds
        if _touches(hold.named, named, asked) and any(map(hold.covers, places))
    ]


def _touches(held: Named | None, named: Named, requests: set[str]) -> bool:
    """Whether what is held may be some of what is named."""
    if held is None:
        return True
    if held.request is not None:
        return held.request in requests or held.request == named.request
    same_tenant = None in {held.tenant, named.tenant} or held.tenant == named.tenant
    same_user = None in {held.user, named.user} or held.user == named.user
    return same_tenant and same_user


def _name(hold_id: str) -> str:
    return f"{_FOLDER}/{hold_id}.json"


def _decode(found: Mapping[str, Any]) -> Hold:
    return Hold(
        id=found["id"],
        reason=found["reason"],
        authority=found["authority"],
        placed_at_us=found["placed_at_us"],
        named=Named(**found["named"]) if found["named"] else None,
        source=found["source"],
        window=Window.parse(found["window"]) if found["window"] else None,
        lifted_at_us=found["lifted_at_us"],
    )
