"""What goes wrong when a source is asked over HTTP, as errors that name it and hide its secrets."""

from dataclasses import dataclass, field
from typing import Final

import httpx

from countersign.errors import Fault, SourceError
from countersign.pipeline.answer import message, redacted, retry_after_s

RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_REFUSED_CREDENTIAL: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Complaints:
    """The errors of one source; `secrets` never appear in them."""

    source: str
    base_url: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def status(self, response: httpx.Response, body: bytes, page: str) -> SourceError:
        """The error that an HTTP status stands for."""
        status = response.status_code
        said = f"HTTP {status} {self.redacted(message(body))}".strip()
        if status in _REFUSED_CREDENTIAL:
            return self.error(
                Fault.CREDENTIAL, page, "an accepted credential", said,
                f"Check the secret that [sources.{self.source}] credential refers to.",
            )  # fmt: skip
        if status == 429:
            wait_s = retry_after_s(response)
            asked = f", Retry-After {wait_s:g} s" if wait_s is not None else ""
            return self.error(
                Fault.THROTTLED, page, "an answer within the patience", said + asked,
                "Collect later, or ask the provider for a higher limit.",
            )  # fmt: skip
        if status in RETRIED:
            return self.unreachable(page, said)
        return self.error(
            Fault.REFUSED, page, "HTTP 200", said, "The provider's message says what it wants."
        )

    def link_status(self, response: httpx.Response, page: str) -> SourceError:
        """The same for a signed link; a store's message may repeat the signature, so none."""
        said = f"HTTP {response.status_code}"
        if response.status_code in RETRIED:
            return self.unreachable(page, said)
        return self.error(
            Fault.REFUSED, page, "what a signed link leads to", said,
            "Links expire: collect the day again.",
        )  # fmt: skip

    def silent(self, page: str, timeout_s: float) -> SourceError:
        """Nothing came for so long."""
        return self.unreachable(page, f"silence for {timeout_s:g} s")

    def unreachable(self, page: str, observed: str) -> SourceError:
        """No answer, or none that says more than that."""
        return self.error(
            Fault.UNREACHABLE,
            page,
            f"an answer from {self.base_url}",
            observed,
            "Check the address and the network; collecting the day again fills the gap.",
        )

    def cut(self, page: str, observed: str) -> SourceError:
        """The body ended before its end."""
        return self.error(
            Fault.TRUNCATED,
            page,
            "the whole body",
            observed,
            "Collect the day again; if it repeats, look for a proxy that cuts long answers.",
        )

    def error(
        self, fault: Fault, page: str, expected: str, observed: str, remedy: str
    ) -> SourceError:
        """Any other error of the source."""
        return SourceError(
            self.source, fault, page=page, expected=expected, observed=observed, remedy=remedy
        )

    def redacted(self, said: str) -> str:
        """A message that may be shown."""
        return redacted(said, self.secrets)
