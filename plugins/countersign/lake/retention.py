"""How long what is kept, by kind and class; and how long it must be kept at least. Pure.

A period is `30d`, `26w`, `6m` or `2y`. A day's rows have expired when the period has passed since
the day ended. A raw page lives no longer than the shortest-lived kind that is taken from it: what
was deleted from a table is not to be found in a page.
"""

import re
from calendar import monthrange
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Protocol, Self

from countersign.errors import ConfigError
from countersign.model import Window, moment
from countersign.records import KINDS, is_dated

RAW_PAGES: Final = "raw_pages"
_PERIOD: Final = re.compile(r"([1-9][0-9]{0,4})([dwmy])")


class ClassSettings(Protocol):
    """One `[[retention.classes]]` table."""

    @property
    def name(self) -> str:
        """What the log calls it."""
        ...

    @property
    def tenant(self) -> str | None:
        """Whose calls."""
        ...

    @property
    def pipeline(self) -> str | None:
        """Calls of which pipeline."""
        ...

    @property
    def periods(self) -> Mapping[str, str]:
        """Period by kind."""
        ...


class Settings(Protocol):
    """The `[retention]` table."""

    @property
    def at_least(self) -> Mapping[str, str]:
        """Duties to keep, by kind."""
        ...

    @property
    def periods(self) -> Mapping[str, str]:
        """Period by what is kept."""
        ...

    @property
    def classes(self) -> Sequence[ClassSettings]:
        """The classes, the first that fits wins."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """One period: of what, and of which class of calls; without a class, of all others."""

    what: str
    period: str
    name: str = ""
    tenant: str | None = None
    pipeline: str | None = None

    @property
    def text(self) -> str:
        """As it stands in the configuration; this is what the log says."""
        return f"{self.name + ': ' if self.name else ''}{self.what} = {self.period}"

    @property
    def is_of_class(self) -> bool:
        """Whether it is for some calls only."""
        return bool(self.name)

    def first_kept(self, today: date) -> str:
        """The oldest day that the rule keeps; every day before it has expired."""
        return cutoff(self.period, today).isoformat()


@dataclass(frozen=True, slots=True)
class Rules:
    """All periods of an installation."""

    defaults: Mapping[str, Rule]
    classes: tuple[Rule, ...]
    at_least: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The rules of a configuration.

        Raises:
            ConfigError: an unknown kind, or a period that is none.
        """
        defaults = {what: _rule(what, period) for what, period in settings.periods.items()}
        classes = []
        for group in settings.classes:
            if group.tenant is None and group.pipeline is None:
                raise ConfigError(
                    f"[retention.classes] {group.name}", expected="tenant or pipeline"
                )
            for what, period in group.periods.items():
                _rule(what, period)
                if what == RAW_PAGES:
                    raise ConfigError(
                        f"[retention.classes] {group.name} {RAW_PAGES}",
                        expected="kinds of records: a page holds rows of every class",
                    )
                classes.append(Rule(what, period, group.name, group.tenant, group.pipeline))
        for what, period in settings.at_least.items():
            _rule(what, period)
        return cls(defaults, tuple(classes), dict(settings.at_least))

    def of_kind(self, what: str) -> list[Rule]:
        """The rules of a kind, those of classes first."""
        named = [rule for rule in self.classes if rule.what == what]
        return named + ([self.defaults[what]] if what in self.defaults else [])

    def of_page(self, kinds: Iterable[str], today: date) -> Rule | None:
        """The rule that ends a page first: its own, or that of a kind taken from it."""
        rules = [rule for what in (RAW_PAGES, *kinds) for rule in self.of_kind(what)]
        return max(rules, key=lambda rule: (rule.first_kept(today), rule.text), default=None)

    def until(self, now_us: int) -> tuple[int, str | None]:
        """Up to when erasure may go, and the duty to keep that stops it there."""
        today = moment(now_us).date()
        stops = [(cutoff(period, today), what, period) for what, period in self.at_least.items()]
        if not stops:
            return now_us, None
        first, what, period = min(stops)
        return Window.day(first).start_us, f"at_least {what} = {period}"


def cutoff(period: object, today: date) -> date:
    """The day such a period before today.

    Raises:
        ConfigError: no period.
    """
    match = _PERIOD.fullmatch(period) if isinstance(period, str) else None
    if match is None:
        raise ConfigError(
            "[retention] period", expected="like 30d, 26w, 6m or 2y", observed=repr(period)[:40]
        )
    count, unit = int(match[1]), match[2]
    try:
        if unit in "dw":
            return today - timedelta(days=count * (7 if unit == "w" else 1))
        months = today.year * 12 + today.month - 1 - count * (12 if unit == "y" else 1)
        year, month = divmod(months, 12)
        return date(year, month + 1, min(today.day, monthrange(year, month + 1)[1]))
    except (ValueError, OverflowError):
        return date.min


def expired_days(days: Collection[str], rule: Rule, today: date) -> list[str]:
    """The days whose time has passed, in order; dated knowledge has none."""
    first = rule.first_kept(today)
    return sorted(day for day in days if day < first and day[:1].isdigit())


def _rule(what: str, period: str) -> Rule:
    known = [RAW_PAGES, *(name for name, kind in KINDS.items() if not is_dated(kind))]
    if what not in known:
        raise ConfigError("[retention]", expected=" or ".join(known), observed=what)
    cutoff(period, date(2026, 1, 1))
    return Rule(what, period)
