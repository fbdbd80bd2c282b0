"""Posting rows to a collecting endpoint, from a thread that may wait."""

import http.client
from dataclasses import dataclass
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

_NEVER: Final = frozenset({400, 413, 422})
"""The rows are at fault; of all else the endpoint, the key or the network is."""


@dataclass(frozen=True, slots=True)
class Post:
    """An endpoint's address and key; the address ends in `/v1/deliveries`."""

    url: str
    key: str | None
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"a meter posts to http(s) addresses, not to {self.url!r}")

    def write(self, lines: bytes) -> None:
        """Hand the rows over; sent twice they are still one row each, by request and meter.

        Raises:
            OSError: the endpoint did not take them; it may later.
            ValueError: it never will.
        """
        headers = {"Content-Type": "application/x-ndjson"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = Request(self.url, lines, headers)
        try:
            with urlopen(request, timeout=self.timeout_s) as answer:
                answer.read()
        except HTTPError as error:
            said = error.read(500).decode(errors="replace")
            kind = ValueError if error.code in _NEVER else OSError
            raise kind(f"{self.url} answered {error.code}: {said}") from error
        except (URLError, http.client.HTTPException) as error:
            raise OSError(f"{self.url} did not take the rows: {error}") from error
