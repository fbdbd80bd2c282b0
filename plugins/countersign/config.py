"""The installation's settings: one commented `countersign.toml`, read once, never global.

Secrets stand only as references: `env:NAME` or `airflow:CONNECTION_ID`. Paths are relative to
the file.
"""

import os
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from countersign.errors import ConfigError

DEFAULT_FILE = "countersign.toml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Storage(_Strict):
    """How an S3-compatible object store is reached: `[storage]`, or a source's own `storage`."""

    endpoint_url: str | None = None
    """Where it answers; the cloud's own address when absent."""
    region: str = "us-east-1"
    allow_http: bool = False
    credential: str | None = None
    """Reference of ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]; when absent, the standard
    variables AWS_* or the machine's role."""


class Source(BaseModel):
    """One `[sources.ID]` table; keys that are not listed here are the connector's settings."""

    model_config = ConfigDict(extra="allow", frozen=True)

    connector: str
    url: str
    credential: str | None = None
    storage: Storage | None = None
    """For a url `s3:` whose store is not that of `[storage]`."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The connector's own settings."""
        return dict(self.model_extra or {})


class Mail(_Strict):
    """Where packets go. `connection` names an SMTP connection or `env:` reference of its URL."""

    recipients: tuple[str, ...] = ()
    sender: str = "countersign@localhost"
    connection: str = "env:COUNTERSIGN_SMTP"
    attach_up_to_bytes: int = 10_000_000


class Trust(_Strict):
    """Keys that this installation trusts when it verifies: C2SP vkeys, or files that hold one."""

    keys: tuple[str, ...] = ()


class Witness(_Strict):
    """One that cosigns the log's checkpoints (C2SP tlog-witness)."""

    key: str
    """Its vkey, of type 0x04."""
    url: str
    """Its submission prefix."""


class LogSettings(_Strict):
    """The `[log]` table."""

    witnesses: tuple[Witness, ...] = ()


class Text(_Strict):
    """How prompt text becomes columns at admission; the text itself never leaves the lake."""

    vocabulary_from: str | None = None
    """First day of the weeks that pin the vocabulary; the first admitted day when absent."""
    vocabulary_weeks: int = 4


class RetentionClass(BaseModel):
    """One `[[retention.classes]]` table: calls of a tenant or pipeline, and periods by kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    tenant: str | None = None
    pipeline: str | None = None

    @property
    def periods(self) -> Mapping[str, Any]:
        """Period by kind."""
        return dict(self.model_extra or {})


class Retention(BaseModel):
    """How long what is kept: `raw_pages` and record kinds, each a period like "400d" or "2y"."""

    model_config = ConfigDict(extra="allow", frozen=True)

    authority: str = "[retention] of the configuration"
    """Who decided, for the log."""
    at_least: Annotated[Mapping[str, str], Field(default_factory=dict)]
    """Duties to keep, by kind: erasure waits for the longest of them."""
    classes: tuple[RetentionClass, ...] = ()

    @property
    def periods(self) -> Mapping[str, Any]:
        """Period by what is kept."""
        return dict(self.model_extra or {})


class Installation(_Strict):
    """The `[countersign]` table."""

    entity: str
    packet_prefix: str = "CS"
    origin: str = "countersign.example/log"
    prepared_by: str = "Platform engineering"
    lake: str = "lake"
    """A folder, or `s3://bucket/prefix` with `[storage]`."""
    local: str = "local"
    """Beside an object store: the folder of the log, findings and packets, which have one writer
    and stay on one machine. A lake in a folder holds them itself."""
    keys: str = "keys"
    out: str = "out"
    reports: str | None = None
    """A folder whose templates and expectations come before those of the package."""
    automatic_approvers: tuple[str, ...] = ()
    """Users whose approval is a machine's; the log and the packet's record say so."""
    mapping_date: str | None = None
    """When the mapping to frameworks was last reviewed."""
    now: datetime | None = None
    """A fixed clock, for simulations and tests."""


class Config(_Strict):
    """Everything in `countersign.toml`."""

    countersign: Installation
    sources: Annotated[Mapping[str, Source], Field(default_factory=dict)]
    controls: Annotated[Mapping[str, Mapping[str, Any]], Field(default_factory=dict)]
    mail: Mail = Mail()
    trust: Trust = Trust()
    text: Text = Text()
    log: LogSettings = LogSettings()
    retention: Annotated[Retention, Field(default_factory=Retention)]
    storage: Storage = Storage()
    folder: Path = Path()
    file: Path = Path(DEFAULT_FILE)

    def path(self, relative: str) -> Path:
        """A path of the configuration, relative to its file."""
        return (self.folder / relative).resolve()

    def now(self) -> datetime:
        """The configured clock, or the machine's."""
        return self.countersign.now or datetime.now(UTC)


def find(given: str | None) -> Path:
    """The configuration file: the given one, `COUNTERSIGN_CONFIG`, or `countersign.toml` here."""
    return Path(given or os.environ.get("COUNTERSIGN_CONFIG") or DEFAULT_FILE)


def load(file: Path) -> Config:
    """Read and check a configuration.

    Raises:
        ConfigError: the file is absent, is no TOML, or has a key that is unknown or wrong.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"configuration {file}",
            expected="a file",
            observed="nothing there",
            remedy="Write one with `countersign init`, or name it with --config.",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {file}", expected="TOML", observed=str(error)) from None
    try:
        return Config.model_validate({**document, "folder": file.resolve().parent, "file": file})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"configuration {file}, {where}",
            expected=first["msg"],
            observed=repr(first.get("input"))[:80],
            remedy="`countersign init` writes a commented example.",
        ) from None


def secret(reference: str) -> str:
    """The value behind `env:NAME`. Airflow references are resolved by the edge that knows Airflow.

    Raises:
        ConfigError: the reference has another scheme, or the variable is not set.
    """
    scheme, _, name = reference.partition(":")
    if scheme != "env" or not name:
        raise ConfigError(
            "credential",
            expected="env:NAME or airflow:CONNECTION_ID",
            observed=f"{scheme}:...",
            remedy="Secrets are never written into the configuration.",
        )
    try:
        return os.environ[name]
    except KeyError:
        raise ConfigError(
            f"credential env:{name}", expected="the variable to be set", observed="not set"
        ) from None
