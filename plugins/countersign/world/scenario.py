"""A scenario: which faults are planted, how large, from when. Read from a TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from countersign.errors import ConfigError

SHIPPED: Final = Path(__file__).parent / "scenarios"
STOP_CLASSES: Final = (
    "stop-usage-asked",
    "stop-usage-not-asked",
    "stop-on-screen-only",
    "closed-before-first-chunk",
    "client-closed-non-stream",
)

Day = int | str | date
"""Days from the start; negative, from the end; or an ISO date."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Normal life that every scenario has."""

    week_shock_milli: int = 30
    hostile_ppm: int = 4_000
    giant_prompt_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Stops:
    """Readers who leave early, by class, and what each deployment's provider does then."""

    share_ppm: int
    weights: Mapping[str, int]
    on_close: Mapping[str, str]
    first_day: Day = 0


@dataclass(frozen=True, slots=True)
class BrokenStreams:
    """Streams that the provider breaks."""

    share_ppm: int
    first_day: Day = 0


@dataclass(frozen=True, slots=True)
class Retries:
    """Second attempts: after a 500 (free), or after an answer that was billed and lost."""

    plain_share_ppm: int = 0
    billed_per_week: int = 0


@dataclass(frozen=True, slots=True)
class DoubleLogged:
    """Retries that the gateway wrote down twice although the provider served one."""

    per_week: int


@dataclass(frozen=True, slots=True)
class UnloggedKey:
    """A key on the bill that never goes through the gateway."""

    key: str
    project: str
    requests_per_day: int
    first_day: Day


@dataclass(frozen=True, slots=True)
class Failover:
    """A time when all calls of a tenant are answered by another group's deployment."""

    tenant: str
    to_group: str
    day: Day
    at: str
    minutes: int
    at_least_requests: int


@dataclass(frozen=True, slots=True)
class NewIntent:
    """Something that people begin to ask, more each day."""

    name: str
    first_day: Day
    final_share_ppm: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario; an absent fault is None."""

    name: str
    weather: Weather = field(default_factory=Weather)
    stops: Stops | None = None
    broken_streams: BrokenStreams | None = None
    retries: Retries | None = None
    double_logged: DoubleLogged | None = None
    unlogged_key: UnloggedKey | None = None
    failover: Failover | None = None
    new_intent: NewIntent | None = None


_TABLES: Final[Mapping[str, type[Any]]] = {
    "weather": Weather,
    "stops": Stops,
    "broken_streams": BrokenStreams,
    "retries": Retries,
    "double_logged": DoubleLogged,
    "unlogged_key": UnloggedKey,
    "failover": Failover,
    "new_intent": NewIntent,
}


def read(file: Path | None) -> Scenario:
    """Read a scenario: a file, the name of a shipped one (`quiet`), or the demonstration.

    Raises:
        ConfigError: the file is absent, is no TOML, or names a fault that does not exist.
    """
    path = SHIPPED / "demo.toml" if file is None else file
    if not path.exists() and (SHIPPED / f"{path.name}.toml").exists():
        path = SHIPPED / f"{path.name}.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"scenario {path}",
            expected="a TOML file",
            observed=str(error),
            remedy=f"Shipped scenarios: {', '.join(sorted(p.stem for p in SHIPPED.iterdir()))}.",
        ) from None
    faults: dict[str, Any] = {
        name: _table(path, name, table) for name, table in document.items() if name != "name"
    }
    scenario = Scenario(name=str(document.get("name", path.stem)), **faults)
    _check_classes(path, scenario.stops)
    return scenario


def day_of(day: Day, start: date, days: int) -> date:
    """The calendar day that a scenario's `Day` means in a world of so many days."""
    if isinstance(day, date):
        return day
    if isinstance(day, str):
        return date.fromisoformat(day)
    return start + timedelta(days=day if day >= 0 else days + day)


def _table(path: Path, name: str, table: object) -> object:
    kind = _TABLES.get(name)
    if kind is None or not isinstance(table, dict):
        raise ConfigError(
            f"scenario {path}, {name}", expected=f"one of the tables {', '.join(_TABLES)}"
        )
    known = {f.name for f in fields(kind)}
    needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    unknown, missing = sorted(set(table) - known), sorted(needed - set(table))
    if unknown or missing:
        raise ConfigError(
            f"scenario {path}, [{name}]",
            expected=f"keys of {', '.join(sorted(known))}",
            observed=f"unknown {unknown}, missing {missing}",
        )
    return kind(**table)


def _check_classes(path: Path, stops: Stops | None) -> None:
    if stops is None:
        return
    if unknown := sorted(set(stops.weights) - set(STOP_CLASSES)):
        raise ConfigError(
            f"scenario {path}, [stops.weights]",
            expected=f"classes of {', '.join(STOP_CLASSES)}",
            observed=", ".join(unknown),
        )
    if wrong := sorted(set(stops.on_close.values()) - {"stops", "drains"}):
        raise ConfigError(
            f"scenario {path}, [stops.on_close]",
            expected='"stops" or "drains"',
            observed=", ".join(wrong),
        )
