"""What was promised to whom, from when: residency promises and the least evidence they ask for.

A promise names jurisdictions by ISO 3166-1 code, or `EU` for the member states of the day (the
label `EU` itself, which some providers state instead of a country, is then inside as well).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any, Final

from countersign.errors import ConfigError
from countersign.model import instant, rfc3339

FOREVER: Final = instant(datetime(9999, 1, 1, tzinfo=UTC))
ALWAYS: Final = instant(datetime(1, 1, 1, tzinfo=UTC))
EU: Final = "EU"
_LEAST: Final = {"path": "R2", "derived": "R1"}
_STRENGTHS: Final = ("R1", "R2", "R3", "R4", "R5")


def _day(text: str) -> int:
    return instant(datetime.fromisoformat(text).replace(tzinfo=UTC))


_FOUNDED = _day("1993-11-01")
_MEMBERS: Final = {
    **dict.fromkeys(("BE", "DE", "DK", "ES", "FR", "GR", "IE", "IT", "LU", "NL", "PT"), _FOUNDED),
    **dict.fromkeys(("AT", "FI", "SE"), _day("1995-01-01")),
    **dict.fromkeys(
        ("CY", "CZ", "EE", "HU", "LT", "LV", "MT", "PL", "SI", "SK"), _day("2004-05-01")
    ),
    **dict.fromkeys(("BG", "RO"), _day("2007-01-01")),
    "HR": _day("2013-07-01"),
    "GB": _FOUNDED,
}
_LEFT: Final = {"GB": _day("2020-02-01")}
"""Accessions and withdrawals by treaty; the first whole UTC day on which they hold."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One tenant's processing stays in these jurisdictions; a later promise replaces it."""

    tenant: str
    jurisdictions: tuple[str, ...]
    valid_from: int
    valid_to: int = FOREVER

    @property
    def label(self) -> str:
        """`EU, CH`."""
        return ", ".join(self.jurisdictions)

    def places(self) -> Iterator[tuple[str, int, int]]:
        """Jurisdictions inside the promise, each with the span in which it is."""
        for named in self.jurisdictions:
            yield named, self.valid_from, self.valid_to
            for member, joined in _MEMBERS.items() if named == EU else ():
                since = max(joined, self.valid_from)
                until = min(_LEFT.get(member, FOREVER), self.valid_to)
                if since < until:
                    yield member, since, until

    def inside(self, jurisdiction: str, at: int) -> bool:
        """Whether the jurisdiction is inside the promise at an instant."""
        return any(
            place == jurisdiction and since <= at < until for place, since, until in self.places()
        )


@dataclass(frozen=True, slots=True)
class Minimum:
    """The least strength that proves a path and a derived state, from an instant on."""

    path: int
    derived: int
    valid_from: int
    valid_to: int = FOREVER


def promises(settings: Sequence[Mapping[str, Any]]) -> tuple[Promise, ...]:
    """Read the `promises` setting; of two promises to one tenant the later one holds.

    Raises:
        ConfigError: a promise without tenant or jurisdictions, or with a date that is none.
    """
    stated = sorted((_promise(item) for item in settings), key=lambda p: (p.tenant, p.valid_from))
    bounded = [
        Promise(one.tenant, one.jurisdictions, one.valid_from, min(one.valid_to, after.valid_from))
        if after.tenant == one.tenant
        else one
        for one, after in pairwise(stated)
    ]
    return tuple(p for p in (*bounded, *stated[-1:]) if p.valid_from < p.valid_to)


def minimums(settings: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> tuple[Minimum, ...]:
    """Read the `minimum_strength` setting; R2 for the path and R1 for derived state before it.

    Raises:
        ConfigError: a strength that is not R1 to R5. R0 is no evidence and proves nothing.
    """
    items = [settings] if isinstance(settings, Mapping) else list(settings)
    dated = sorted(
        ({**_LEAST, "valid_from": None, **item} for item in items),
        key=lambda item: _instant(item["valid_from"], ALWAYS),
    )
    dated = [{**_LEAST, "valid_from": None}, *dated]
    starts = [_instant(item["valid_from"], ALWAYS) for item in dated]
    spans = zip(dated, starts, [*starts[1:], FOREVER], strict=True)
    return tuple(
        Minimum(_strength(item, "path"), _strength(item, "derived"), since, until)
        for item, since, until in spans
        if since < until
    )


def promised_at(stated: Sequence[Promise], tenant: str, at: int) -> Promise | None:
    """The promise that holds for a tenant at an instant."""
    fitting = (p for p in stated if p.tenant == tenant and p.valid_from <= at < p.valid_to)
    return next(fitting, None)


def stated_form(promise: Promise) -> dict[str, Any]:
    """The promise as the packet prints it."""
    until = None if promise.valid_to == FOREVER else rfc3339(promise.valid_to)
    return {
        "tenant": promise.tenant,
        "jurisdictions": list(promise.jurisdictions),
        "valid_from": None if promise.valid_from == ALWAYS else rfc3339(promise.valid_from),
        "valid_to": until,
    }


def stated_minimum(minimum: Minimum) -> dict[str, Any]:
    """The minimum as the packet prints it."""
    since = None if minimum.valid_from == ALWAYS else rfc3339(minimum.valid_from)
    return {"path": f"R{minimum.path}", "derived": f"R{minimum.derived}", "valid_from": since}


def _promise(item: Mapping[str, Any]) -> Promise:
    tenant, named = item.get("tenant"), item.get("jurisdictions")
    if not isinstance(tenant, str) or not tenant or isinstance(named, str) or not named:
        raise ConfigError(
            "control data-residency, setting promises",
            expected='{tenant = "…", jurisdictions = ["EU", …], valid_from = "2026-01-01"}',
            observed=repr(dict(item)),
        )
    since = _instant(item.get("valid_from"), ALWAYS)
    until = _instant(item.get("valid_to"), FOREVER)
    return Promise(tenant, tuple(str(code).upper() for code in named), since, until)


def _instant(value: object, absent: int) -> int:
    if value is None or value == "":
        return absent
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        read = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(
            "control data-residency, a date in its settings",
            expected="2026-01-01 or RFC 3339",
            observed=repr(value),
        ) from None
    return instant(read if read.tzinfo else read.replace(tzinfo=UTC))


def _strength(item: Mapping[str, Any], name: str) -> int:
    if item[name] not in _STRENGTHS:
        raise ConfigError(
            f"control data-residency, setting minimum_strength.{name}",
            expected=" or ".join(_STRENGTHS),
            observed=repr(item[name]),
            remedy="R0 is no evidence: nothing below R1 proves a place.",
        )
    return _STRENGTHS.index(item[name]) + 1
