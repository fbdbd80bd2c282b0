"""Collect: fetch a source's pages for some days, keep them verbatim, log their digests.

A source that fails leaves a gap that is kept and logged like evidence; pages that came before
the failure stay, and an earlier complete reading is never replaced by a broken one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from countersign.attest import entries
from countersign.canonical import encode as canonical
from countersign.connectors.interface import Connector
from countersign.errors import Fault, SourceError
from countersign.lake import migration
from countersign.lake.raw import COMPLETE, DATED, PageManifest, PageRef
from countersign.model import Window
from countersign.pipeline.bucket_folder import BucketFolder
from countersign.pipeline.buckets import is_bucket
from countersign.pipeline.database import SCHEMES, Postgres
from countersign.pipeline.due import is_settled, still_open
from countersign.pipeline.fetch import HttpFetch
from countersign.pipeline.folder import DiskFolder
from countersign.pipeline.history import SCHEME, GitRepository
from countersign.pipeline.returning import without_erased
from countersign.pipeline.turn import alone
from countersign.pipeline.workspace import Workspace
from countersign.records import is_dated, kind_name

_TRIES = 3
_FIRST_WAIT_S = 0.2
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


def pages_entry(manifest: PageManifest) -> bytes:
    """The log entry of a day's pages."""
    content = canonical(manifest.document())
    count, version = len(manifest.pages), manifest.version
    return entries.pages(manifest.source, manifest.day, content, count=count, version=version)


def _collect_source(ws: Workspace, window: Window, name: str, *, reread: bool) -> Collected:
    migration.stamp(ws.lake.store)
    with alone(ws, f"collect-{name}", f"source {name}"):
        return _collect_alone(ws, window, name, reread=reread)


def _collect_alone(ws: Workspace, window: Window, name: str, *, reread: bool) -> Collected:
    connector = ws.sources[name]
    read = reader(ws, name)
    days = own_days(connector, window)
    if reread and days != [DATED]:
        days = still_open(ws, name, window) + days
    pages, manifests = 0, []
    failed: list[tuple[str, SourceError]] = []
    given_up: SourceError | None = None
    for day in days:
        kept, failure = ([], given_up) if given_up else _keep_day(ws, name, day, read)
        pages += len(kept)
        if failure is not None:
            failed.append((day, failure))
            given_up = None if _is_worth_repeating(failure, kept) else failure
        manifests.append(_manifest(ws, name, day, kept, failure))
    recorded = [ws.lake.raw.record(manifest) for manifest in manifests]
    # All of them, not only what is new: a kill may have come between a record and its log entry.
    ws.log.append_once([pages_entry(manifest) for manifest, _ in recorded])
    changed = sum(is_new for _, is_new in recorded)
    return Collected(name, len(days), pages, changed, tuple(failed))


def _keep_day(
    ws: Workspace, name: str, day: str, read: Callable[[Window], Iterator[bytes]]
) -> tuple[list[PageRef], SourceError | None]:
    """The pages of one reading from the first to the last, or of the last try and why it failed."""
    window = _window(day, ws)
    for left in reversed(range(_TRIES)):
        kept, failure = _read_day(ws, name, day, read(window))
        if failure is None or not left or not _is_worth_repeating(failure, kept):
            break
        ws.wait(_FIRST_WAIT_S * 2.0 ** (_TRIES - 1 - left))
    return kept, failure


def _read_day(
    ws: Workspace, name: str, day: str, bodies: Iterator[bytes]
) -> tuple[list[PageRef], SourceError | None]:
    kept: list[PageRef] = []
    try:
        for body in bodies:
            if (rest := without_erased(ws, name, day, body)) is not None:
                kept.append(ws.lake.raw.keep(name, day, rest))  # noqa: PERF401 - until it fails
    except SourceError as error:
        return kept, error.under(name)  # a connector knows its kind, not its id here
    return kept, None


def _is_worth_repeating(failure: SourceError, kept: list[PageRef]) -> bool:
    """Whether the day may go better from its first page on; a cursor may expire on the way."""
    is_late = failure.fault is Fault.REFUSED and bool(kept)
    return is_late or failure.fault not in _NOT_WORTH_REPEATING


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
        final=failure is None and is_settled(ws, name, day),
        note="" if failure is None else str(failure),
    )


def reader(ws: Workspace, name: str) -> Callable[[Window], Iterator[bytes]]:
    """What reads a source's pages of a window: its API, its exported folder, or its database."""
    connector, source = ws.sources[name], ws.config.sources[name]
    if source.url.startswith("file:"):
        folder = DiskFolder(name, ws.config.path(source.url.removeprefix("file:")))
        return lambda window: connector.export(folder, window)
    if is_bucket(source.url):
        objects = BucketFolder.bound(name, source, ws.config.storage, ws.secret)
        return lambda window: connector.export(objects, window)
    if source.url.startswith(SCHEME):
        path = ws.config.path(source.url.removeprefix(SCHEME))
        repository = GitRepository(name, path)
        return lambda window: connector.history(repository, window)
    credential = ws.secret(source.credential) if source.credential else None
    if source.url.startswith(SCHEMES):
        database = Postgres.bound(name, source.url, credential)
        return lambda window: connector.select(database, window)
    fetch = HttpFetch.bound(name, source.url, connector.credential_header, credential)

    def read(window: Window) -> Iterator[bytes]:
        with fetch:
            yield from connector.pages(fetch, window)

    return read


def own_days(connector: Connector, window: Window) -> list[str]:
    """The days under which a source's pages of a window are kept; `dated` for knowledge."""
    wanted = connector.records
    kinds = [k for k in connector.kinds if wanted is None or kind_name(k) in wanted]
    if all(is_dated(kind) for kind in kinds or connector.kinds):
        return [DATED]
    return [day.isoformat() for day in window.days()]


def _window(day: str, ws: Workspace) -> Window:
    if day == DATED:
        return Window.day(datetime.fromtimestamp(ws.now_us() / 1e6, UTC).date())
    return Window.day(date.fromisoformat(day))
