"""What a request is made of: address, parameters, and the header that holds a credential."""

import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx

from countersign.connectors.interface import Params
from countersign.errors import ConfigError

_PAGING = ("page", "after", "cursor")
_SHORT = 8
"""A secret's part below this length would blot out half of a message; it is no secret either."""


@dataclass(frozen=True, slots=True)
class Credential:
    """The header of a source's credential, and the texts that no message may show."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, source: str, header: str, secret: str) -> "Credential":
        """Fill a connector's header template: `x-api-key: {}`, or `Authorization: Basic {basic}`.

        `{basic}` is the base64 of the whole secret, which then has the form `user:password`.

        Raises:
            ConfigError: the secret does not fit a header, or lacks the colon of Basic.
        """
        if not secret.isascii() or not secret.isprintable() or secret != secret.strip():
            raise ConfigError(
                f"credential of source {source}",
                expected="printable ASCII without blanks around it",
                observed=f"{len(secret)} characters that do not fit a header",
                remedy="Look for a line break at the end of the secret.",
            )
        name, _, template = header.partition(":")
        hidden = [secret]
        if "{basic}" in template:
            hidden += _halves(source, secret)
        basic = base64.b64encode(secret.encode()).decode()
        value = template.strip().format(secret, basic=basic)
        return cls({name: value}, tuple(part for part in hidden if len(part) >= _SHORT))


def check(source: str, base_url: str) -> None:
    """Refuse what is no HTTP address, and an address that holds a password.

    Raises:
        ConfigError: it is one of these.
    """
    if not base_url.startswith(("http://", "https://")):
        raise ConfigError(
            f"[sources.{source}] url",
            expected="http(s)://..., postgresql://..., git:... or file:...",
            observed=base_url,
        )
    if httpx.URL(base_url).userinfo:
        raise ConfigError(
            f"[sources.{source}] url",
            expected="an address without a user or password",
            observed="one with",
            remedy="Name the secret in `credential`, as env:NAME.",
        )


def is_link(path: str) -> bool:
    """Whether a path is a whole address: a signed link, which carries its own permission."""
    return path.startswith(("https://", "http://"))


def unsigned(address: str) -> str:
    """An address that may be shown: without its query, where the signature is, or a password."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "a link"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def pairs(params: Params | None) -> list[tuple[str, str | int | float | bool | None]]:
    """Query parameters in order; a list repeats its name."""
    found: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in (params or {}).items():
        many = (value,) if isinstance(value, str | int) else value
        found.extend((name, item) for item in many)
    return found


def page(path: str, params: Params | None) -> str:
    """How messages name a page: its path and its place in the paging."""
    if is_link(path):
        return unsigned(path)
    where = [f"{name}={params[name]}" for name in _PAGING if params and name in params]
    return " ".join([path or "/", *where])


class _WithoutQuery(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                unsigned(str(a)) if isinstance(a, httpx.URL) else a for a in record.args
            )
        return True


_WITHOUT_QUERY: Final = _WithoutQuery()


def keep_queries_unlogged() -> None:
    """Take the query out of the line that httpx logs for every request: it may be a signature."""
    logging.getLogger("httpx").addFilter(_WITHOUT_QUERY)


def _halves(source: str, secret: str) -> list[str]:
    user, colon, password = secret.partition(":")
    if not colon or not user:
        raise ConfigError(
            f"credential of source {source}",
            expected="user:password, as HTTP Basic wants it",
            observed=f"{len(secret)} characters without a colon" if not colon else "no user",
            remedy="For Langfuse this is public-key:secret-key.",
        )
    return [password]
