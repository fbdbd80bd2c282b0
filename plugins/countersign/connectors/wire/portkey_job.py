"""Portkey's export jobs: made as a draft, started, waited for, and read behind a signed link."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from countersign.canonical import Json
from countersign.connectors.interface import Fetch
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.portkey_log import moment
from countersign.connectors.wire.value import UnreadableError, count, text
from countersign.errors import Fault, SourceError
from countersign.model import US_PER_SECOND, rfc3339

CAP: Final = 50_000
"""No job writes more rows: as many mean that others may be missing."""
_PATH: Final = "/v1/logs/exports"
_NEEDED: Final = frozenset({"created_at"})
_FAILED: Final = frozenset({"failure", "failed", "stopped", "cancelled", "canceled"})
_DENIED: Final = ("deniedFields", "denied_fields", "restrictedFields", "restricted_fields")
_BOUNDS: Final = {
    "time_of_generation": ("time_of_generation_min", "time_of_generation_max"),
    "created_at": ("gte", "lte"),
}
Bounds = Literal["time_of_generation", "created_at"]


@dataclass(frozen=True, slots=True)
class Jobs:
    """The export jobs of one workspace, and how long one is waited for."""

    source: str
    fetch: Fetch
    workspace: str
    bounds: Bounds
    cap: int
    poll_s: float
    polls: int

    def fields(self, wanted: Sequence[str]) -> list[Json]:
        """The wanted fields that an administrator has not denied: a job with one is rejected.

        Raises:
            SourceError: a field that every row needs is denied.
        """
        denied = self._denied()
        if denied & _NEEDED:
            raise Page(self.source, b"", "field-restrictions").fault(
                Fault.REFUSED, "the field created_at", "an administrator denies it"
            )
        return [name for name in wanted if name not in denied]

    def pages(self, start_us: int, end_us: int, fields: list[Json]) -> Iterator[bytes]:
        """Yield the reply that makes a job and the rows that it writes; halve what is too large.

        Raises:
            SourceError: a job failed, was cut short, or holds too many rows of one second.
        """
        made = self.fetch(_PATH, body=self._asked(start_us, end_us, fields))
        yield made
        page = Page(self.source, made, f"1 from {rfc3339(start_us)}")
        job, total = _made(page)
        if total == 0:
            return
        written = 0
        if total is None or total < self.cap:
            link = self._finished(page, job)
            content = self.fetch(link)
            yield content
            written = self._checked(content, total, start_us, end_us)
        if max(total or 0, written) < self.cap:
            return
        middle = (start_us + end_us) // 2 // US_PER_SECOND * US_PER_SECOND
        if middle <= start_us:
            raise page.fault(
                Fault.MALFORMED, f"below {self.cap} rows a second", f"{total or written}"
            )
        yield from self.pages(start_us, middle, fields)
        yield from self.pages(middle, end_us, fields)

    def _asked(self, start_us: int, end_us: int, fields: list[Json]) -> Json:
        low, high = _BOUNDS[self.bounds]
        span: dict[str, Json] = {low: rfc3339(start_us), high: rfc3339(end_us)}
        asked: dict[str, Json] = {
            "description": f"countersign {rfc3339(start_us)}",
            "filters": span if self.bounds == "time_of_generation" else {"created_at": span},
            "requested_data": fields,
        }
        return asked | ({"workspace_id": self.workspace} if self.workspace else {})

    def _denied(self) -> set[str]:
        """Nothing, where the question is unknown or not allowed: making the job will tell."""
        where = {"workspace_id": self.workspace} if self.workspace else None
        try:
            reply = Page(self.source, self.fetch(f"{_PATH}/field-restrictions", where)).document()
        except SourceError as error:
            if error.fault in (Fault.UNREACHABLE, Fault.THROTTLED):
                raise
            return set()
        inner = reply.get("data")
        told = inner if isinstance(inner, dict) else reply
        named = [name for key in _DENIED for name in _names(told.get(key))]
        return set(named)

    def _finished(self, page: Page, job: str) -> str:
        path = f"{_PATH}/{quote(job, safe='')}"
        self.fetch(f"{path}/start", body={})
        status: str | None = "draft"
        for _ in range(self.polls):
            status = text(
                Page(self.source, self.fetch(path), f"job {job}").document().get("status")
            )
            if status == "success":
                return _link(Page(self.source, self.fetch(f"{path}/download"), f"job {job}"))
            if status in _FAILED:
                raise page.fault(Fault.REFUSED, "a job that succeeds", f"job {job}: {status}")
            time.sleep(self.poll_s)
        waited = f"{self.polls * self.poll_s:g} s"
        raise page.fault(
            Fault.UNREACHABLE, f"a finished job within {waited}", f"job {job}: {status}"
        )

    def _checked(self, content: bytes, total: int | None, start_us: int, end_us: int) -> int:
        """Count the rows; hold the first and the last against what was asked."""
        page = Page(self.source, content, f"rows from {rfc3339(start_us)}")
        lines = [line for line in content.split(b"\n") if line.strip()]
        if total is not None and len(lines) < total:
            raise page.fault(Fault.TRUNCATED, f"{total} rows as announced", f"{len(lines)} rows")
        for at in (_moment(page, line) for line in lines[:1] + lines[-1:]):
            if not start_us <= at <= end_us:
                asked = f"rows from {rfc3339(start_us)} to {rfc3339(end_us)}"
                raise page.fault(Fault.MALFORMED, asked, f"one of {rfc3339(at)}: see `bounds`")
        return len(lines)


def _moment(page: Page, line: bytes) -> int:
    try:
        return moment(Page(page.source, line, page.name).document().get("created_at"))
    except UnreadableError as error:
        raise page.fault(Fault.MALFORMED, "a time in created_at", str(error)) from None


def _made(page: Page) -> tuple[str, int | None]:
    document = page.document()
    try:
        job, total = text(document.get("id")), count(document.get("total"))
    except UnreadableError as error:
        raise page.fault(Fault.MALFORMED, "a number of rows", str(error)) from None
    if job is None:
        raise page.fault(Fault.MALFORMED, "the id of a job", "none")
    return job, total


def _link(page: Page) -> str:
    link = text(page.document().get("signed_url"))
    if link is None or not link.startswith(("https://", "http://")):
        raise page.fault(Fault.MALFORMED, "a signed_url", "none that is an address")
    return link


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []
