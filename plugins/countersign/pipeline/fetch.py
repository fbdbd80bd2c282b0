"""The edge where bytes come in: HTTP from one host with one credential.

Whatever goes wrong becomes a `SourceError` that names source, page, cause and remedy, and
never the credential.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import httpx

from countersign.connectors.interface import Params
from countersign.errors import ConfigError, Fault, SourceError
from countersign.pipeline.answer import message, redacted, retry_after_s
from countersign.pipeline.folder import DiskFolder

__all__ = ["DiskFolder", "HttpFetch", "Patience"]

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_REFUSED_CREDENTIAL = frozenset({401, 403})
_PAGING = ("page", "after", "cursor")


@dataclass(frozen=True)
class Patience:
    """How long a source is waited for. Delays double from `first_s`, each with half of jitter."""

    attempts: int = 5
    first_s: float = 0.5
    longest_s: float = 30.0
    retry_after_cap_s: float = 120.0
    timeout_s: float = 30.0
    """Without a byte for so long, an attempt has failed."""


class _Again(Exception):  # noqa: N818 - a signal between two functions, never seen outside
    """An attempt failed in a way that another may not."""

    def __init__(self, error: SourceError, wait_s: float | None = None) -> None:
        self.error = error
        self.wait_s = wait_s


@dataclass(frozen=True)
class HttpFetch:
    """GET below one base address, with headers that hold its credential (`Fetch`).

    Redirects are followed on the same host only: elsewhere the credential must not go.
    """

    source: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: Patience = Patience()
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    @classmethod
    def bound(cls, source: str, base_url: str, header: str, credential: str | None) -> "HttpFetch":
        """Bind a credential by a connector's header template, `x-api-key: {}`.

        Raises:
            ConfigError: the address is no HTTP address or holds a password, or the credential
                does not fit a header.
        """
        _check_address(source, base_url)
        if credential is None:
            return cls(source, base_url)
        if (
            not credential.isascii()
            or not credential.isprintable()
            or credential != credential.strip()
        ):
            raise ConfigError(
                f"credential of source {source}",
                expected="printable ASCII without blanks around it",
                observed=f"{len(credential)} characters that do not fit a header",
                remedy="Look for a line break at the end of the secret.",
            )
        name, _, value = header.partition(":")
        return cls(source, base_url, {name: value.strip().format(credential)})

    def __call__(
        self, path: str, params: Params | None = None, *, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the body, verbatim, after as many attempts as patience allows.

        Raises:
            SourceError: unreachable, refused, throttled beyond patience, or cut short.
        """
        request = self._client.build_request(
            "GET",
            self.base_url.rstrip("/") + path,
            params=_flat(params),
            headers=dict(headers or {}),
        )
        failed: SourceError | None = None
        for attempt in range(1, self.patience.attempts + 1):
            try:
                return self._attempt(request, _page(path, params))
            except _Again as again:
                failed = again.error
                if attempt < self.patience.attempts:
                    self.sleep(self._delay(attempt, again))
        assert failed is not None, "patience has at least one attempt"
        raise failed

    @cached_property
    def _client(self) -> httpx.Client:
        return httpx.Client(
            headers=dict(self.headers), timeout=self.patience.timeout_s, follow_redirects=False
        )

    def _attempt(self, request: httpx.Request, page: str) -> bytes:
        try:
            response = self._client.send(request, stream=True)
        except httpx.TimeoutException:
            raise _Again(self._silent(page)) from None
        except httpx.HTTPError as error:
            raise _Again(self._unreachable(page, self._redacted(str(error)))) from None
        try:
            body = response.read()
        except httpx.TimeoutException:
            raise _Again(self._silent(page)) from None
        except httpx.HTTPError as error:
            raise _Again(self._cut(page, self._redacted(str(error)))) from None
        finally:
            response.close()
        return self._judged(response, body, request, page)

    def _judged(
        self, response: httpx.Response, body: bytes, request: httpx.Request, page: str
    ) -> bytes:
        if response.is_success:
            return body
        if response.has_redirect_location:
            return self._redirected(response, request, page)
        error = self._status_error(response, body, page)
        if response.status_code not in _RETRIED:
            raise error
        wait_s = retry_after_s(response)
        if wait_s is not None and wait_s > self.patience.retry_after_cap_s:
            raise error
        raise _Again(error, wait_s)

    def _redirected(self, response: httpx.Response, request: httpx.Request, page: str) -> bytes:
        target = request.url.join(response.headers["location"])
        hops = request.extensions.get("hops", 0)
        same = (target.scheme, target.netloc) == (request.url.scheme, request.url.netloc)
        if not same or hops >= self.patience.attempts:
            raise self._error(
                Fault.REFUSED,
                page,
                "an answer from the configured host",
                f"HTTP {response.status_code} to {target.scheme}://{target.host}",
                "Set the source's url to the final address: the credential goes nowhere else.",
            )
        further = self._client.build_request(
            "GET", target, headers=request.headers, extensions={"hops": hops + 1}
        )
        return self._attempt(further, page)

    def _status_error(self, response: httpx.Response, body: bytes, page: str) -> SourceError:
        status = response.status_code
        said = f"HTTP {status} {self._redacted(message(response, body))}".strip()
        if status in _REFUSED_CREDENTIAL:
            return self._error(
                Fault.CREDENTIAL, page, "an accepted credential", said,
                f"Check the secret that [sources.{self.source}] credential refers to.",
            )  # fmt: skip
        if status == 429:
            wait_s = retry_after_s(response)
            asked = f", Retry-After {wait_s:g} s" if wait_s is not None else ""
            return self._error(
                Fault.THROTTLED, page, "an answer within the patience", said + asked,
                "Collect later, or ask the provider for a higher limit.",
            )  # fmt: skip
        if status in _RETRIED:
            return self._unreachable(page, said)
        return self._error(
            Fault.REFUSED, page, "HTTP 200", said, "The provider's message says what it wants."
        )

    def _silent(self, page: str) -> SourceError:
        return self._unreachable(page, f"silence for {self.patience.timeout_s:g} s")

    def _unreachable(self, page: str, observed: str) -> SourceError:
        return self._error(
            Fault.UNREACHABLE,
            page,
            f"an answer from {self.base_url}",
            observed,
            "Check the address and the network; collecting the day again fills the gap.",
        )

    def _cut(self, page: str, observed: str) -> SourceError:
        return self._error(
            Fault.TRUNCATED,
            page,
            "the whole body",
            observed,
            "Collect the day again; if it repeats, look for a proxy that cuts long answers.",
        )

    def _error(
        self, fault: Fault, page: str, expected: str, observed: str, remedy: str
    ) -> SourceError:
        return SourceError(
            self.source, fault, page=page, expected=expected, observed=observed, remedy=remedy
        )

    def _delay(self, attempt: int, again: _Again) -> float:
        """What the source asked for, else doubling; jitter keeps many collectors apart."""
        if again.wait_s is not None:
            return again.wait_s
        backed_off = self.patience.first_s * 2.0 ** (attempt - 1)
        return min(backed_off, self.patience.longest_s) * (1 + self.random() / 2)

    def _redacted(self, said: str) -> str:
        return redacted(said, self.headers.values())


def _check_address(source: str, base_url: str) -> None:
    if not base_url.startswith(("http://", "https://")):
        raise ConfigError(
            f"[sources.{source}] url", expected="http(s)://... or file:...", observed=base_url
        )
    if httpx.URL(base_url).userinfo:
        raise ConfigError(
            f"[sources.{source}] url",
            expected="an address without a user or password",
            observed="one with",
            remedy="Name the secret in `credential`, as env:NAME.",
        )


def _flat(params: Params | None) -> list[tuple[str, str | int | float | bool | None]]:
    """Query parameters in order; a list repeats its name."""
    pairs: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in (params or {}).items():
        many = (value,) if isinstance(value, str | int) else value
        pairs.extend((name, item) for item in many)
    return pairs


def _page(path: str, params: Params | None) -> str:
    where = [f"{name}={params[name]}" for name in _PAGING if params and name in params]
    return " ".join([path or "/", *where])
