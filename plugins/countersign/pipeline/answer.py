"""What an HTTP answer says beside its body: the provider's sentence, and when to come back."""

import json
from collections.abc import Iterable
from email.utils import parsedate_to_datetime

import httpx

_SHOWN = 300


def message(body: bytes) -> str:
    """The provider's own sentence, wherever its error body keeps it."""
    try:
        document = json.loads(body)
        error = document.get("error", document)
        said = error.get("message") if isinstance(error, dict) else error
        return str(said or document.get("detail") or "")
    except (ValueError, AttributeError, RecursionError):
        return body[:_SHOWN].decode(errors="replace")


def retry_after_s(response: httpx.Response) -> float | None:
    """Seconds of Retry-After; a date counts from the answer's own Date header, not our clock."""
    value = response.headers.get("retry-after", "").strip()
    if value.replace(".", "", 1).isdecimal() and value.isascii():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until - parsedate_to_datetime(response.headers["date"])).total_seconds())
    except (ValueError, TypeError, KeyError):
        return None


def redacted(said: str, headers: Iterable[str]) -> str:
    """A message without control characters and without what the headers keep secret."""
    for value in headers:
        for secret in {value, value.rpartition(" ")[2]} - {""}:
            said = said.replace(secret, "[credential]")
    return "".join(c if c.isprintable() else " " for c in said)[:_SHOWN]
