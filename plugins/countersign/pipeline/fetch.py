"""The edge where bytes come in: HTTP from one host with one credential.

Whatever goes wrong becomes a `SourceError` that names source, page, cause and remedy, and
never the credential, nor the signature of a signed link.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Final

import httpx

from countersign.canonical import Json
from countersign.connectors.interface import Params
from countersign.errors import Fault, SourceError
from countersign.pipeline import address
from countersign.pipeline.answer import retry_after_s
from countersign.pipeline.complaint import RETRIED, Complaints
from countersign.pipeline.folder import DiskFolder

__all__ = ["DiskFolder", "HttpFetch", "Patience"]

_LINK: Final = "countersign.link"
_SAME_METHOD: Final = frozenset({307, 308})


@dataclass(frozen=True)
class Patience:
    """How long a source is waited for. Delays double from `first_s`, each with half of jitter."""

    attempts: int = 5
    first_s: float = 0.5
    longest_s: float = 30.0
    retry_after_cap_s: float = 120.0
    timeout_s: float = 30.0
    """Without a byte for so long, an attempt has failed."""
    longest_answer_s: float = 900.0
    """And so it has when the whole body takes longer: a byte now and then is no answer."""
    largest_bytes: int = 1 << 30
    """A body that unpacks to more is refused: no page is as large, a packed bomb is."""


class _Again(Exception):  # noqa: N818 - a signal between two functions, never seen outside
    """An attempt failed in a way that another may not."""

    def __init__(self, error: SourceError, wait_s: float | None = None) -> None:
        self.error = error
        self.wait_s = wait_s


@dataclass(frozen=True)
class HttpFetch:
    """GET and POST below one base address, with headers that hold its credential (`Fetch`).

    Redirects are followed on the same host only: elsewhere the credential must not go. A whole
    address (a signed link) gets no credential; plain `http:` is asked only beside a base that
    is. It is a context manager: leaving it closes the connections, asking again opens new ones.
    """

    source: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    patience: Patience = Patience()
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    @classmethod
    def bound(cls, source: str, base_url: str, header: str, credential: str | None) -> "HttpFetch":
        """Bind a credential by a connector's header template (`address.Credential`).

        Raises:
            ConfigError: the address is no HTTP address or holds a password, or the credential
                does not fit a header.
        """
        address.check(source, base_url)
        if credential is None:
            return cls(source, base_url)
        held = address.Credential.of(source, header, credential)
        return cls(source, base_url, held.headers, held.secrets)

    def __call__(
        self,
        path: str,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Json = None,
    ) -> bytes:
        """Return the body, verbatim, after as many attempts as patience allows.

        Raises:
            SourceError: unreachable, refused, throttled beyond patience, or cut short.
        """
        page = address.page(path, params)
        request = self._request(path, params, headers or {}, body)
        failed: SourceError | None = None
        for attempt in range(1, self.patience.attempts + 1):
            try:
                return self._attempt(request, page)
            except _Again as again:
                failed = again.error
                if attempt < self.patience.attempts:
                    self.sleep(self._delay(attempt, again))
        assert failed is not None, "patience has at least one attempt"
        raise failed

    def __enter__(self) -> "HttpFetch":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are open, if any."""
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    @cached_property
    def _client(self) -> httpx.Client:
        address.keep_queries_unlogged()
        return httpx.Client(timeout=self.patience.timeout_s, follow_redirects=False)

    def _request(
        self, path: str, params: Params | None, headers: Mapping[str, str], body: Json
    ) -> httpx.Request:
        if address.is_link(path):
            return self._link(path)
        return self._client.build_request(
            "GET" if body is None else "POST",
            self.base_url.rstrip("/") + path,
            params=address.pairs(params),
            headers={**self.headers, **headers},
            json=body,
        )

    def _link(self, link: str) -> httpx.Request:
        page = address.unsigned(link)
        if link.startswith("http:") and not self.base_url.startswith("http:"):
            raise self._complaints.error(
                Fault.REFUSED, page, "a link by https:", "one by http:",
                "The content would travel in the clear: the provider must link by https:.",
            )  # fmt: skip
        try:
            return self._client.build_request("GET", link, extensions={_LINK: True})
        except httpx.InvalidURL:
            raise self._complaints.error(
                Fault.MALFORMED, page, "a link", "no address", "Collect the day again."
            ) from None

    def _said(self, error: httpx.HTTPError, request: httpx.Request) -> str:
        if request.extensions.get(_LINK):
            return type(error).__name__
        return self._complaints.redacted(str(error))

    def _attempt(self, request: httpx.Request, page: str) -> bytes:
        try:
            response = self._client.send(request, stream=True)
        except httpx.TimeoutException:
            raise _Again(self._complaints.silent(page, self.patience.timeout_s)) from None
        except httpx.HTTPError as error:
            raise _Again(self._complaints.unreachable(page, self._said(error, request))) from None
        try:
            body = self._read(response, page)
        except httpx.TimeoutException:
            raise _Again(self._complaints.silent(page, self.patience.timeout_s)) from None
        except httpx.HTTPError as error:
            raise _Again(self._complaints.cut(page, self._said(error, request))) from None
        finally:
            response.close()
        return self._judged(response, body, request, page)

    def _read(self, response: httpx.Response, page: str) -> bytes:
        parts, size, began = [], 0, time.monotonic()
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if time.monotonic() - began > self.patience.longest_answer_s:
                endless = f"no end of one within {self.patience.longest_answer_s:g} s"
                raise _Again(self._complaints.unreachable(page, endless))
            if size > self.patience.largest_bytes:
                raise self._complaints.error(
                    Fault.REFUSED, page, f"at most {self.patience.largest_bytes} bytes", "more",
                    "Ask for smaller pages.",
                )  # fmt: skip
        return b"".join(parts)

    def _judged(
        self, response: httpx.Response, body: bytes, request: httpx.Request, page: str
    ) -> bytes:
        if response.is_success:
            return body
        if response.has_redirect_location:
            return self._redirected(response, request, page)
        is_link = request.extensions.get(_LINK, False)
        error = (
            self._complaints.link_status(response, page)
            if is_link
            else self._complaints.status(response, body, page)
        )
        if response.status_code not in RETRIED:
            raise error
        wait_s = retry_after_s(response)
        if wait_s is not None and wait_s > self.patience.retry_after_cap_s:
            raise error
        raise _Again(error, wait_s)

    def _redirected(self, response: httpx.Response, request: httpx.Request, page: str) -> bytes:
        target = request.url.join(response.headers["location"])
        hops = request.extensions.get("hops", 0)
        same = (target.scheme, target.netloc) == (request.url.scheme, request.url.netloc)
        kept = request.method == "GET" or response.status_code in _SAME_METHOD
        if not same or not kept or hops >= self.patience.attempts:
            raise self._complaints.error(
                Fault.REFUSED,
                page,
                "an answer from the configured host",
                f"HTTP {response.status_code} to {target.scheme}://{target.host}",
                "Set the source's url to the final address: the credential goes nowhere else.",
            )
        further = self._client.build_request(
            request.method,
            target,
            headers=request.headers,
            content=request.content or None,
            extensions={**request.extensions, "hops": hops + 1},
        )
        return self._attempt(further, page)

    @cached_property
    def _complaints(self) -> Complaints:
        hidden = (*self.headers.values(), *self.secrets)
        return Complaints(self.source, self.base_url, hidden)

    def _delay(self, attempt: int, again: _Again) -> float:
        """What the source asked for, else doubling; jitter keeps many collectors apart."""
        if again.wait_s is not None:
            return again.wait_s
        backed_off = self.patience.first_s * 2.0 ** (attempt - 1)
        return min(backed_off, self.patience.longest_s) * (1 + self.random() / 2)
