"""Collect: fetch a source's pages for some days, keep them verbatim, log their digests.

A source that fails leaves a gap that is kept and logged like evidence; pages that came before
the failure stay, and an earlier complete reading is never replaced by a broken one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from countersign.attest import entries
from countersign.canonical import encode as canonical
from countersign.connectors.interface import Connector
from countersign.errors import Fault, SourceError
from countersign.lake.raw import COMPLETE, DATED, PageManifest, PageRef
from countersign.model import Window
from countersign.pipeline.fetch import HttpFetch
from countersign.pipeline.folder import DiskFolder
from countersign.pipeline.workspace import Workspace
from countersign.records import is_dated

_TRIES = 3
_NOT_WORTH_REPEATING = {Fault.UNREACHABLE, Fault.CREDENTIAL, Fault.REFUSED}


@dataclass(frozen=True, slots=True)
class Collected:
    """What one source gave: pages kept, days that changed, and days it failed on."""

    source: str
    days: int
    pages: int
    changed: int
    failed: tuple[tuple[str, SourceError], ...]

    @property
    def sentence(self) -> str:
        """One line for a log or a task's result."""
        said = f"{self.source}: {self.days} days, {self.pages} pages, {self.changed} days changed"
        return said + (f", {len(self.failed)} days failed" if self.failed else "")


@dataclass(frozen=True, slots=True)
class Closed:
    """What is missing when a window's collection ends."""

    window: Window
    gaps: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """One line for a log or a task's result."""
        return f"{self.window} closed; " + ("; ".join(self.gaps) or "every source complete")


def collect(
    ws: Workspace, window: Window, only: tuple[str, ...] = (), *, reread: bool = False
) -> list[Collected]:
    """Collect the sources one after the other; a failing one stops no other."""
    results = []
    for source in ws.chosen(ws.config.sources, only, "source"):
        results.append(_collect_source(ws, window, source, reread=reread))
        ws.progress(f"collect {results[-1].sentence}")
    return results


def collect_one(ws: Workspace, window: Window, source: str, *, reread: bool = False) -> Collected:
    """Collect one source.

    Raises:
        SourceError: it failed on a day; what it gave, and the gap, are kept.
    """
    (name,) = ws.chosen(ws.config.sources, (source,), "source")
    collected = _collect_source(ws, window, name, reread=reread)
    if collected.failed:
        raise collected.failed[0][1]
    return collected


def close(ws: Workspace, window: Window) -> Closed:
    """Name every source that has no complete pages for a day of the window."""
    gaps = []
    for name in ws.config.sources:
        for day in own_days(ws.sources[name], window):
            manifest = ws.lake.raw.manifest(name, day)
            if manifest is None:
                gaps.append(f"{name} {day}: never collected")
            elif manifest.gap is not None or manifest.status != COMPLETE:
                gaps.append(f"{name} {day}: {(manifest.gap or manifest).status}")
    return Closed(window, tuple(gaps))


def last_complete(ws: Workspace) -> dict[str, str]:
    """The last day that each source gave complete pages for; `dated` for knowledge."""
    manifests = ws.lake.raw.manifests()
    return {
        source: day
        for (source, day), manifest in sorted(manifests.items())
        if manifest.status == COMPLETE
    }


def pages_entry(manifest: PageManifest) -> bytes:
    """The log entry of a day's pages."""
    content = canonical(manifest.document())
    count, version = len(manifest.pages), manifest.version
    return entries.pages(manifest.source, manifest.day, content, count=count, version=version)


def _collect_source(ws: Workspace, window: Window, name: str, *, reread: bool) -> Collected:
    connector = ws.sources[name]
    read = reader(ws, name)
    days = own_days(connector, window)
    if reread:
        days = _still_open(ws, name, connector, window) + days
    pages, manifests = 0, []
    failed: list[tuple[str, SourceError]] = []
    for day in days:
        kept, failure = _keep_day(ws, name, day, read, failed)
        pages += len(kept)
        if failure is not None:
            failed.append((day, failure))
        manifests.append(_manifest(ws, name, day, kept, failure))
    recorded = [ws.lake.raw.record(manifest) for manifest in manifests]
    # All of them, not only what is new: a kill may have come between a record and its log entry.
    ws.log.append_once([pages_entry(manifest) for manifest, _ in recorded])
    changed = sum(is_new for _, is_new in recorded)
    return Collected(name, len(days), pages, changed, tuple(failed))


def _keep_day(
    ws: Workspace,
    name: str,
    day: str,
    read: Callable[[Window], Iterator[bytes]],
    failed: list[tuple[str, SourceError]],
) -> tuple[list[PageRef], SourceError | None]:
    if failed and failed[-1][1].fault in _NOT_WORTH_REPEATING:
        return [], failed[-1][1]
    window = _window(day, ws)
    kept: list[PageRef] = []
    failure: SourceError | None = None
    for _ in range(_TRIES):
        kept, failure = [], None
        try:
            for body in read(window):
                kept.append(ws.lake.raw.keep(name, day, body))
        except SourceError as error:
            failure = error.under(name)  # a connector knows its kind, not its id here
        if failure is None or failure.fault in _NOT_WORTH_REPEATING:
            break
    return kept, failure


def _manifest(
    ws: Workspace, name: str, day: str, kept: list[PageRef], failure: SourceError | None
) -> PageManifest:
    return PageManifest(
        source=name,
        day=day,
        version=0,
        status=COMPLETE if failure is None else str(failure.fault),
        pages=tuple(kept),
        fetched_at=ws.now_us(),
        final=failure is None and _is_settled(ws, name, day),
        note="" if failure is None else str(failure),
    )


def _is_settled(ws: Workspace, name: str, day: str) -> bool:
    """Whether the source's re-read window of the day has passed."""
    if day == DATED:
        return True
    lag_us = ws.sources[name].lag // timedelta(microseconds=1)
    return ws.now_us() >= Window.day(date.fromisoformat(day)).end_us + lag_us


def reader(ws: Workspace, name: str) -> Callable[[Window], Iterator[bytes]]:
    """What reads a source's pages of a window: its API, or its exported folder."""
    connector, source = ws.sources[name], ws.config.sources[name]
    if source.url.startswith("file:"):
        folder = DiskFolder(name, ws.config.path(source.url.removeprefix("file:")))
        return lambda window: connector.export(folder, window)
    credential = ws.secret(source.credential) if source.credential else None
    fetch = HttpFetch.bound(name, source.url, connector.credential_header, credential)
    return lambda window: connector.pages(fetch, window)


def own_days(connector: Connector, window: Window) -> list[str]:
    """The days under which a source's pages of a window are kept; `dated` for knowledge."""
    if all(is_dated(kind) for kind in connector.kinds):
        return [DATED]
    return [day.isoformat() for day in window.days()]


def _window(day: str, ws: Workspace) -> Window:
    if day == DATED:
        return Window.day(datetime.fromtimestamp(ws.now_us() / 1e6, UTC).date())
    return Window.day(date.fromisoformat(day))


def _still_open(ws: Workspace, name: str, connector: Connector, window: Window) -> list[str]:
    """Earlier days that were read before and that the source may have revised since."""
    if own_days(connector, window) == [DATED]:
        return []
    reach = -(-connector.lag // timedelta(days=1))
    earlier = (window.start - timedelta(days=back) for back in range(reach, 0, -1))
    seen = ((day.isoformat(), ws.lake.raw.manifest(name, day.isoformat())) for day in earlier)
    return [day for day, manifest in seen if manifest is not None and not manifest.final]
