"""The nouns that every layer shares: a window of time, what was seen, what was concluded.

Pure values. Time is microseconds since 1970-01-01 UTC (`Instant`); windows are whole UTC days.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from countersign.canonical import Json
from countersign.errors import ConfigError

US_PER_SECOND = 1_000_000
US_PER_DAY = 86_400 * US_PER_SECOND
PPM = 1_000_000
_EPOCH = date(1970, 1, 1)


def instant(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime, exactly."""
    if moment.tzinfo is None:
        raise ConfigError("time", expected="a time with a zone", observed=moment.isoformat())
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moment(instant_us: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant_us)


def rfc3339(instant_us: int) -> str:
    """`2026-11-16T06:00:00Z`; a fraction only when there is one."""
    return moment(instant_us).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Half-open span of whole UTC days: `start` is in it, `end` is not."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ConfigError(
                "window",
                expected="an end after the start",
                observed=f"{self.start}/{self.end}",
                remedy="The end day is not part of the window: one day is 2026-11-09/2026-11-10.",
            )

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Read `2026-11-09/2026-11-16`; anything but two whole days is refused."""
        try:
            start, end = (date.fromisoformat(part) for part in text.split("/"))
        except ValueError:
            start = end = _EPOCH
        if text != f"{start}/{end}":  # ISO 8601 has other spellings of a day; we have one
            raise ConfigError(
                "window",
                expected="START/END as two whole days, like 2026-11-09/2026-11-16",
                observed=repr(text),
            )
        return cls(start, end)

    @classmethod
    def day(cls, day: date) -> "Window":
        """The window of one day."""
        return cls(day, day + timedelta(days=1))

    @classmethod
    def last_week(cls, before: datetime) -> "Window":
        """The last complete ISO week that ended at or before the moment."""
        monday = before.astimezone(UTC).date()
        monday -= timedelta(days=monday.weekday())
        return cls(monday - timedelta(days=7), monday)

    def __str__(self) -> str:
        return f"{self.start}/{self.end}"

    @property
    def start_us(self) -> int:
        """First instant."""
        return (self.start - _EPOCH).days * US_PER_DAY

    @property
    def end_us(self) -> int:
        """First instant after."""
        return (self.end - _EPOCH).days * US_PER_DAY

    @property
    def label(self) -> str:
        """`2026-W46` for an ISO week, else `2026-11-09_2026-11-16`."""
        if self.start.weekday() == 0 and self.end - self.start == timedelta(days=7):
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02d}"
        return f"{self.start}_{self.end}"

    def days(self) -> Iterator[date]:
        """Every day, in order."""
        for offset in range((self.end - self.start).days):
            yield self.start + timedelta(days=offset)

    def weeks(self) -> Iterator["Window"]:
        """Seven-day windows counted back from the end; a shorter rest at the start is left out."""
        starts = range((self.end - self.start).days // 7, 0, -1)
        for back in starts:
            end = self.end - timedelta(days=7 * (back - 1))
            yield Window(end - timedelta(days=7), end)

    def history(self, weeks: int) -> "Window":
        """The span of `weeks` whole weeks that ends where this window starts."""
        return Window(self.start - timedelta(weeks=weeks), self.start)

    def with_history(self, weeks: int) -> "Window":
        """This window and the `weeks` before it."""
        return Window(self.start - timedelta(weeks=weeks), self.end)


class State(StrEnum):
    """What a control concluded. `not-run` is the packet's word for a control that crashed."""

    SATISFIED = "satisfied"
    NOT_SATISFIED = "not-satisfied"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not-run"


class Status(StrEnum):
    """Whether late data can still change a window."""

    PROVISIONAL = "provisional"
    FINAL = "final"


class Strength(StrEnum):
    """Strength of residency evidence, weakest first (`attestation` scale R0-R5)."""

    R0 = "R0"
    R1 = "R1"
    R2 = "R2"
    R3 = "R3"
    R4 = "R4"
    R5 = "R5"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One source's contribution to one kind over a window: what a finding rests on.

    `digest` is that of the ordered list of page digests; `status` is complete, late, missing
    or the fault of the source; `refused` rows are in quarantine.
    """

    kind: str
    source: str
    digest: str
    bytes: int
    rows: int
    refused: int
    status: str
    version: int
    final: bool

    def document(self) -> dict[str, Json]:
        """The JSON form that a finding carries."""
        return {
            "kind": self.kind,
            "source": self.source,
            "digest": self.digest,
            "bytes": self.bytes,
            "rows": self.rows,
            "refused": self.refused,
            "status": self.status,
            "version": self.version,
            "final": self.final,
        }


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing examined: what was expected of the subject and what was observed.

    `fact` is the class of thing in kebab-case (`unlogged-key`, `out-of-region`); `holds` is
    None when the evidence does not decide; `measures` are integers with the unit in the name;
    `refs` are request ids, commitments or digests; `since_us`/`until_us` bound it in time.
    """

    subject: str
    fact: str
    expected: str
    observed: str
    holds: bool | None
    measures: Mapping[str, int] = field(default_factory=dict)
    refs: tuple[str, ...] = ()
    since_us: int | None = None
    until_us: int | None = None

    def document(self) -> dict[str, Json]:
        """The JSON form."""
        return {
            "subject": self.subject,
            "fact": self.fact,
            "expected": self.expected,
            "observed": self.observed,
            "holds": self.holds,
            "measures": dict(sorted(self.measures.items())),
            "refs": list(self.refs),
            "since": None if self.since_us is None else rfc3339(self.since_us),
            "until": None if self.until_us is None else rfc3339(self.until_us),
        }


@dataclass(frozen=True, slots=True)
class Grade:
    """The value that set the verdict, and the part that set it (the weakest link)."""

    value: str
    set_by: str
