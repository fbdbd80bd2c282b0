"""One installation, opened: its configuration, lake, log, keys and plug-ins."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from countersign import config as settings
from countersign import connectors, controls
from countersign.attest import keys as stored_keys
from countersign.config import Config, Source
from countersign.connectors.interface import Connector
from countersign.controls.interface import Control
from countersign.errors import ConfigError
from countersign.lake.lake import Lake
from countersign.ledger.key import SigningKey
from countersign.ledger.log import Log
from countersign.model import instant
from countersign.records import Record, kind_name
from countersign.registry import discover


@dataclass(frozen=True)
class Workspace:
    """Everything a verb may touch. `secret` resolves a credential reference at the edge."""

    config: Config
    secret: Callable[[str], str] = field(default=settings.secret)
    progress: Callable[[str], None] = field(default=lambda _line: None)

    @cached_property
    def lake(self) -> Lake:
        """The lake of this installation."""
        return Lake(self.config.path(self.config.countersign.lake), random=secrets.token_bytes)

    @cached_property
    def key(self) -> SigningKey:
        """The log's key, which also signs attestations."""
        return stored_keys.load(f"file:{self.keys / 'log.key'}", self.config.countersign.origin)

    @cached_property
    def log(self) -> Log:
        """The append-only log."""
        return Log.writer(self.lake_root / "log", self.key)

    @property
    def lake_root(self) -> Path:
        """The lake's folder."""
        return self.config.path(self.config.countersign.lake)

    @property
    def keys(self) -> Path:
        """The keys' folder."""
        return self.config.path(self.config.countersign.keys)

    @property
    def out(self) -> Path:
        """Where published files go."""
        return self.config.path(self.config.countersign.out)

    @property
    def reports_folder(self) -> Path | None:
        """The team's own templates, where configured."""
        own = self.config.countersign.reports
        return None if own is None else self.config.path(own) / "reports"

    def now_us(self) -> int:
        """The clock, in microseconds."""
        return instant(self.config.now())

    @cached_property
    def sources(self) -> Mapping[str, Connector]:
        """The configured connectors by source id, with their settings filled in."""
        known = discover(connectors, Connector)
        return {name: _connector(name, s, known) for name, s in self.config.sources.items()}

    @cached_property
    def kinds(self) -> Mapping[str, tuple[type[Record], ...]]:
        """The kinds taken from each source: the connector's, or those that `records` names."""
        taken = {}
        for name, connector in self.sources.items():
            wanted = connector.records
            known = {kind_name(kind): kind for kind in connector.kinds}
            for kind in wanted or ():
                if kind not in known:
                    where = f"[sources.{name}] records"
                    raise ConfigError(where, expected=" or ".join(known), observed=kind)
            taken[name] = tuple(k for n, k in known.items() if wanted is None or n in wanted)
        return taken

    @cached_property
    def controls(self) -> Mapping[str, Control]:
        """Every control by id, with its settings filled in."""
        known = discover(controls, Control)
        unknown = set(self.config.controls) - set(known)
        if unknown:
            raise ConfigError(
                f"[controls.{min(unknown)}]", expected=", ".join(known), observed=min(unknown)
            )
        return {
            name: _build(kind, self.config.controls.get(name, {}), f"[controls.{name}]")
            for name, kind in sorted(known.items())
        }

    def chosen(self, known: Iterable[str], only: Iterable[str], what: str) -> list[str]:
        """The ids asked for, all when none is named.

        Raises:
            ConfigError: an id that does not exist.
        """
        existing, asked = list(known), list(only)
        for name in asked:
            if name not in existing:
                raise ConfigError(what, expected=" or ".join(existing), observed=name)
        return asked or existing


def open_workspace(file: str | None = None, **edges: Any) -> Workspace:
    """Read the configuration and open its installation."""
    return Workspace(settings.load(settings.find(file)), **edges)


def _connector(name: str, source: Source, known: Mapping[str, type[Connector]]) -> Connector:
    if source.connector not in known:
        raise ConfigError(
            f"[sources.{name}] connector",
            expected=" or ".join(sorted(known)),
            observed=source.connector,
        )
    built: Connector = _build(known[source.connector], source.settings, f"[sources.{name}]")
    return built


def _build(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    known = [setting.name for setting in fields(kind)]
    extra = set(values) - set(known)
    if extra:
        raise ConfigError(
            f"{where} {min(extra)}",
            expected="one of " + (", ".join(known) or "no settings"),
            observed=min(extra),
        )
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{where} {key}", expected=first["msg"], observed=repr(first.get("input"))[:80]
        ) from None
