"""The health of each source: how far it is complete, how late, and what was wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from countersign.canonical import Json
from countersign.lake import surprises
from countersign.lake.raw import COMPLETE, DATED, PageManifest
from countersign.lake.state import Admitted, AdmittedDay
from countersign.model import US_PER_DAY, Window, rfc3339
from countersign.pipeline.workspace import Workspace

_HOUR_US: Final = 3_600_000_000
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Trouble:
    """A day of which something is missing, and what was said."""

    day: str
    what: str
    note: str


@dataclass(frozen=True, slots=True)
class NewField:
    """A field that the source never sent before its `day`; the raw page `example` has it."""

    path: str
    day: str
    pages: int
    example: str


@dataclass(frozen=True, slots=True)
class Health:
    """One source. Hours are None before its first complete day, and for dated knowledge.

    `failures` are days of which the last reading failed; `refusals` days that were read whole and
    could not be admitted; `waiting` days that were read and not admitted yet.
    """

    source: str
    connector: str
    url: str
    last_complete_day: str | None
    last_read_at: str | None
    lag_hours: int | None
    allowed_hours: int | None
    days: int
    provisional_days: int
    waiting: int
    rows: int
    refused_rows: int
    failures: tuple[Trouble, ...]
    refusals: tuple[Trouble, ...]
    new_fields: tuple[NewField, ...]

    @property
    def is_late(self) -> bool:
        """Whether the last complete day is older than the source's own delay explains."""
        if self.lag_hours is None or self.allowed_hours is None:
            return self.last_complete_day is None
        return self.lag_hours > self.allowed_hours

    @property
    def text(self) -> str:
        """Some lines for a terminal; what is well needs two."""
        return "\n".join(self._lines())

    def document(self) -> dict[str, Json]:
        """For a program."""
        return {**asdict(self), "is_late": self.is_late}

    def _lines(self) -> Iterator[str]:
        upto = self.last_complete_day or "nothing yet"
        yield f"{self.source}: {self.connector} at {self.url}, complete up to {upto}"
        yield f"  {self._standing()}"
        yield from _listed("failed", _grouped(self.failures))
        yield from _listed("not admitted", _grouped(self.refusals))
        told = [f"{f.path}, since {f.day} in {f.pages} pages, e.g. {f.example[:16]}"
                for f in self.new_fields]  # fmt: skip
        yield from _listed("new field", told)

    def _standing(self) -> str:
        parts = [f"{self.rows} rows, {self.refused_rows} refused"]
        if self.lag_hours is not None:
            said = f"{self.lag_hours} h behind, {self.allowed_hours} h allowed"
            parts.append(f"LATE: {said}" if self.is_late else said)
        parts.append(f"{self.days} days, {self.provisional_days} provisional")
        parts += [f"{self.waiting} days wait for admission"] if self.waiting else []
        parts += [f"read {self.last_read_at}"] if self.last_read_at else []
        return "; ".join(parts)


def health(ws: Workspace) -> dict[str, Health]:
    """Every configured source's."""
    by_source: dict[str, dict[str, PageManifest]] = {}
    for (source, day), manifest in sorted(ws.lake.raw.manifests().items()):
        by_source.setdefault(source, {})[day] = manifest
    state = ws.lake.admitted()
    return {name: _health(ws, name, by_source.get(name, {}), state) for name in ws.config.sources}


def accept_fields(ws: Workspace, source: str) -> int:
    """Take a source's new fields as known: a person read about them. How many there were."""
    fields = surprises.load(ws.lake.store, source)
    if fields.surprises:
        surprises.save(ws.lake.store, fields.accepted())
    return len(fields.surprises)


def _health(ws: Workspace, name: str, days: Mapping[str, PageManifest], state: Admitted) -> Health:
    source = ws.config.sources[name]
    complete = max((day for day, m in days.items() if m.status == COMPLETE), default=None)
    is_dated = complete in {None, DATED}
    admitted = {day: entry for (of, day), entry in state.days.items() if of == name}
    counts = [kind.counts for entry in admitted.values() for kind in entry.kinds.values()]
    read = max((_read_us(m) for m in days.values()), default=None)
    fields = surprises.load(ws.lake.store, name).surprises.items()
    return Health(
        source=name,
        connector=source.connector,
        url=source.url,
        last_complete_day=complete,
        last_read_at=None if read is None else rfc3339(read),
        lag_hours=None if is_dated else _behind_us(ws, str(complete)) // _HOUR_US,
        allowed_hours=None if is_dated else _allowed_us(ws, name) // _HOUR_US,
        days=len(days),
        provisional_days=sum(not manifest.final for manifest in days.values()),
        waiting=sum(_waits(m, admitted.get(day)) for day, m in days.items()),
        rows=sum(count.rows for count in counts),
        refused_rows=sum(count.refused for count in counts),
        failures=tuple(_failures(days)),
        refusals=tuple(_refusals(days, admitted)),
        new_fields=tuple(
            NewField(surprises.shown(path), told.day, told.pages, told.example)
            for path, told in sorted(fields, key=lambda each: (each[1].day, each[0]))
        ),
    )


def _behind_us(ws: Workspace, day: str) -> int:
    return max(ws.now_us() - Window.day(date.fromisoformat(day)).end_us, 0)


def _allowed_us(ws: Workspace, name: str) -> int:
    """A day until the next one is collected, and what the source itself may take."""
    lag = ws.sources[name].lag
    return US_PER_DAY + (lag.days * 86_400 + lag.seconds) * 1_000_000


def _read_us(manifest: PageManifest) -> int:
    return max(manifest.fetched_at, manifest.gap.fetched_at if manifest.gap else 0)


def _waits(manifest: PageManifest, entry: AdmittedDay | None) -> bool:
    is_whole = manifest.status == COMPLETE
    return is_whole and (entry is None or entry.version != manifest.version)


def _failures(days: Mapping[str, PageManifest]) -> Iterator[Trouble]:
    for day, manifest in days.items():
        if manifest.gap is not None:
            yield Trouble(day, f"{manifest.gap.status} when read again", manifest.gap.note)
        elif manifest.status != COMPLETE:
            yield Trouble(day, manifest.status, manifest.note)


def _refusals(
    days: Mapping[str, PageManifest], admitted: Mapping[str, AdmittedDay]
) -> Iterator[Trouble]:
    for day, entry in sorted(admitted.items()):
        manifest = days.get(day)
        if entry.status != COMPLETE and manifest is not None and manifest.status == COMPLETE:
            yield Trouble(day, entry.status, entry.note)


def _grouped(troubles: Sequence[Trouble]) -> list[str]:
    """One line for all days with the same trouble."""
    days: dict[tuple[str, str], list[str]] = {}
    for trouble in troubles:
        days.setdefault((trouble.what, trouble.note), []).append(trouble.day)
    spans = {key: of[0] if len(of) == 1 else f"{len(of)} days, {of[0]} to {of[-1]}"
             for key, of in days.items()}  # fmt: skip
    return [f"{spans[what, note]}: {what}. {note}".rstrip() for what, note in days]


def _listed(what: str, told: list[str]) -> Iterator[str]:
    for line in told[-_SHOWN:]:
        yield f"  {what}: {line[:300]}"
    if len(told) > _SHOWN:
        yield f"  {what}: {len(told) - _SHOWN} more, see --json"
