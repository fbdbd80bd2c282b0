"""One installation, opened: its configuration, lake, log, keys and plug-ins."""

import secrets
import time
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
from countersign.lake import migration
from countersign.lake.bucket import Bucket
from countersign.lake.lake import Lake
from countersign.ledger.key import SigningKey
from countersign.ledger.log import Log
from countersign.model import instant
from countersign.pipeline.buckets import bucket, is_bucket
from countersign.records import Record, kind_name
from countersign.registry import discover, shipped


@dataclass(frozen=True)
class Workspace:
    """Everything a verb may touch. `secret` resolves a credential reference at the edge.

    `wait` passes so many seconds before a source is asked again.
    """

    config: Config
    secret: Callable[[str], str] = field(default=settings.secret)
    progress: Callable[[str], None] = field(default=lambda _line: None)
    wait: Callable[[float], None] = field(default=time.sleep)

    @cached_property
    def lake(self) -> Lake:
        """The lake of this installation.

        Raises:
            EvidenceError: an older program wrote it and nobody migrated it, or a newer one did.
        """
        migration.check(self.unchecked_lake.store)
        return self.unchecked_lake

    @cached_property
    def unchecked_lake(self) -> Lake:
        """The lake, whatever program wrote it: to be migrated."""
        return Lake(
            self.lake_root,
            random=secrets.token_bytes,
            bucket=self.bucket,
            master=self.keys / "lake.key",
        )

    @property
    def bucket(self) -> Bucket | None:
        """The object store that the lake lies in; None when it is a folder."""
        lake = self.config.countersign.lake
        return bucket(lake, self.config.storage, self.secret) if is_bucket(lake) else None

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
        """The folder of log, findings and packets: the lake's own, or that beside a bucket."""
        settings = self.config.countersign
        return self.config.path(settings.local if is_bucket(settings.lake) else settings.lake)

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
        """The team's own templates, where its folder has any.

        Raises:
            ConfigError: the configured folder holds neither templates nor expectations.
        """
        if self.config.countersign.reports is None:
            return None
        own = self.config.path(self.config.countersign.reports)
        first, *_ = shipped("reports", own)
        return first if first.parent == own else None

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
