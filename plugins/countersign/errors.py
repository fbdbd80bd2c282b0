"""What can go wrong, in four families by who is at fault.

A message names the thing, what was expected, what was observed, and what to do.
Errors are caught at three edges only: `assess`, `cli`, `web`.
"""

from enum import StrEnum


class CountersignError(Exception):
    """A failure that a person must be able to act on."""

    def __init__(
        self, thing: str, *, expected: str = "", observed: str = "", remedy: str = ""
    ) -> None:
        self.thing = thing
        self.expected = expected
        self.observed = observed
        self.remedy = remedy
        parts = [thing]
        if expected:
            parts.append(f"expected {expected}")
        if observed:
            parts.append(f"observed {observed}")
        message = ": ".join(parts[:2]) + "".join(f", {part}" for part in parts[2:])
        super().__init__(f"{message.rstrip('.')}. {remedy}" if remedy else message)

    @property
    def is_lasting(self) -> bool:
        """Whether trying again cannot help before a person has changed something."""
        return False


class Fault(StrEnum):
    """Why a source gave nothing usable; printed in the packet."""

    UNREACHABLE = "unreachable"
    CREDENTIAL = "credential refused"
    THROTTLED = "throttled"
    TRUNCATED = "page truncated"
    MALFORMED = "page malformed"
    REFUSED = "request refused"
    STORAGE = "storage failed"


class SourceError(CountersignError):
    """A source did not answer, or answered something unreadable."""

    def __init__(
        self,
        source: str,
        fault: Fault,
        *,
        page: str = "",
        expected: str = "",
        observed: str = "",
        remedy: str = "",
    ) -> None:
        self.source = source
        self.fault = fault
        self.page = page
        thing = f"source {source}" + (f", page {page}" if page else "") + f": {fault}"
        super().__init__(thing, expected=expected, observed=observed, remedy=remedy)

    @property
    def is_lasting(self) -> bool:
        """A refusal is repeated; an outage passes."""
        return self.fault in {Fault.CREDENTIAL, Fault.REFUSED}

    def under(self, source: str) -> "SourceError":
        """The same failure under the id that a configuration gives the source."""
        return SourceError(
            source,
            self.fault,
            page=self.page,
            expected=self.expected,
            observed=self.observed,
            remedy=self.remedy,
        )


class EvidenceError(CountersignError):
    """Kept evidence cannot support what is asked of it."""


class VerificationError(CountersignError):
    """Something to be trusted is not what it claims to be."""


class ConfigError(CountersignError):
    """The configuration or the call is wrong."""

    @property
    def is_lasting(self) -> bool:
        """Until it is corrected."""
        return True
