"""What a simulated API reads and answers: a query, a reply, a refusal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from urllib.parse import parse_qs

from countersign.model import instant


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, body and further headers of an HTTP answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class RefusedError(Exception):
    """The request is wrong; the API says so in its own form."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a request; lists may be written `name` or `name[]`."""

    values: Mapping[str, Sequence[str]]

    @classmethod
    def parse(cls, text: str) -> "Query":
        """Read a query string."""
        return cls(parse_qs(text, keep_blank_values=True))

    def many(self, name: str) -> tuple[str, ...]:
        """Every value of a list parameter."""
        given = [*self.values.get(name, ()), *self.values.get(f"{name}[]", ())]
        return tuple(part for value in given for part in value.split(","))

    def one(self, name: str) -> str | None:
        """A parameter's value, or None."""
        return (self.values.get(name) or (None,))[0]

    def needed(self, name: str) -> str:
        """A parameter that must be there.

        Raises:
            RefusedError: it is not.
        """
        value = self.one(name)
        if not value:
            raise RefusedError(f"Missing required parameter: '{name}'.", param=name)
        return value

    def number(self, name: str, default: int | None, low: int, high: int) -> int:
        """A whole number within bounds.

        Raises:
            RefusedError: it is absent without a default, no number, or outside.
        """
        text = self.one(name) if default is not None else self.needed(name)
        if text is None and default is not None:
            return default
        if text is None or not text.lstrip("-").isdigit() or not low <= int(text) <= high:
            raise RefusedError(
                f"Invalid '{name}': expected an integer from {low} to {high}, got {text!r}.",
                param=name,
            )
        return int(text)

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        """One of some words.

        Raises:
            RefusedError: another word.
        """
        value = self.one(name) or default
        if value not in options:
            raise RefusedError(
                f"Invalid value for '{name}': {value!r}. Supported values are: "
                + ", ".join(repr(option) for option in options),
                param=name,
            )
        return value

    def instant(self, name: str) -> int:
        """An RFC 3339 time in microseconds.

        Raises:
            RefusedError: absent, or no such time.
        """
        text = self.needed(name)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise RefusedError(f"{name}: not an RFC 3339 date-time: {text}", param=name) from None
        return instant(at if at.tzinfo else at.replace(tzinfo=UTC))


def days_between(start_us: int, end_us: int) -> list[date]:
    """The UTC days that a half-open span touches."""
    day_us = 86_400_000_000
    first, last = start_us // day_us, -(-end_us // day_us)
    return [date.fromordinal(date(1970, 1, 1).toordinal() + n) for n in range(first, last)]
