"""One line of Envoy's access log, under whatever names the operator chose."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from countersign import usage
from countersign.connectors.wire import value
from countersign.connectors.wire.logged import CLIENT_LEFT, Ending, after, by_status, line_id
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, UnreadableError
from countersign.usage import Reading

_ABSENT: Final = (None, "", "-")
"""What Envoy prints for an operator without a value."""
_LEFT: Final = frozenset({"DC", "DR"})
"""The client closed the connection, or reset its stream."""
_SLOW: Final = frozenset({"UT", "DT", "SI", "UMSDR"})
_FAILED: Final = frozenset(
    {"UF", "UC", "UR", "UH", "LR", "URX", "UPE", "NR", "NC", "UO", "LH", "OM", "DPE", "RL", "UAEX"}
)


@dataclass(frozen=True, slots=True)
class Fields:
    """What the operator's template calls each thing; an empty name is not logged."""

    started_at: str = "start_time"
    duration: str = "duration"
    request_id: str = "x-request-id"
    path: str = "x-envoy-origin-path"
    http_status: str = "response_code"
    flags: str = "response_flags"
    upstream_host: str = "upstream_host"
    backend: str = "gen_ai.provider.name"
    request_model: str = "gen_ai.request.model"
    response_model: str = "gen_ai.response.model"
    input_tokens: str = "gen_ai.usage.input_tokens"
    cached_input_tokens: str = "gen_ai.usage.cache_read.input_tokens"
    cache_creation_input_tokens: str = "gen_ai.usage.cache_creation.input_tokens"
    output_tokens: str = "gen_ai.usage.output_tokens"
    reasoning_tokens: str = "gen_ai.usage.reasoning.output_tokens"
    total_tokens: str = "gen_ai.usage.total_tokens"
    attempts: str = "upstream_request_attempt_count"
    session: str = "session.id"
    user: str = ""
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Backend:
    """Who and where a backend is: the log has only its reference.

    `key` is the provider's id of the key in use, `host` the host that the backend is asked at.
    """

    provider: str | None = None
    host: str | None = None
    region: str | None = None
    key: str | None = None
    pipeline: str | None = None


_USAGE: Final = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "cached_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_creation_input_tokens": "gen_ai.usage.cache_write.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "total_tokens": "gen_ai.usage.total_tokens",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line and the names of its fields."""

    fields: Row
    names: Fields
    started_at: int
    request_id: str

    @classmethod
    def of(cls, item: object, names: Fields) -> "Line":
        """Read what every line has, and refuse what is none."""
        fields = value.row(item)
        started = _given(fields, names.started_at)
        if started is None:
            raise UnreadableError(f"{names.started_at} is absent")
        request_id = value.text(_given(fields, names.request_id))
        return cls(fields, names, value.instant(started), request_id or line_id(fields))

    def text(self, name: str) -> str | None:
        """The text of a field of ours; `-` is absent."""
        return value.text(self._given(name))

    def count(self, name: str) -> int | None:
        """The number of a field of ours, also as text; `-` is absent."""
        return value.count(self._given(name))

    @property
    def is_call(self) -> bool:
        """Whether the line is about a model at all."""
        told = ("request_model", "response_model", "backend", *_USAGE)
        return any(self._given(name) is not None for name in told)

    @property
    def http_status(self) -> int | None:
        """The status that was sent; Envoy prints 0 when none was."""
        return self.count("http_status") or None

    @property
    def flags(self) -> frozenset[str]:
        """Envoy's response flags."""
        return frozenset((self.text("flags") or "").replace(" ", "").split(",")) - {""}

    @property
    def ending(self) -> Ending:
        """How the call ended: flags first, for a 200 was sent before the stream was cut."""
        if self.flags & _LEFT:
            return CLIENT_LEFT
        if self.flags & _SLOW:
            return Ending("error", "timeout")
        if self.flags & _FAILED:
            return Ending("error", "upstream_error")
        return by_status(self.http_status)

    @property
    def error_type(self) -> str | None:
        """The flags of a call that did not end well."""
        return None if self.ending.status == "ok" else ",".join(sorted(self.flags)) or None

    @property
    def ended_at(self) -> int | None:
        """When Envoy was done; it counts milliseconds."""
        taken = self.count("duration")
        return None if taken is None else after(self.started_at, taken * 1000)

    @property
    def peer(self) -> str | None:
        """The upstream's address without its port."""
        said = self.text("upstream_host")
        return said.rpartition(":")[0].strip("[]") or said if said else None

    @property
    def usage(self) -> Row:
        """The token fields that the line has, null ones too, as they were logged."""
        names = (getattr(self.names, name) for name in _USAGE)
        return {name: self.fields[name] for name in names if name and name in self.fields}

    @property
    def reading(self) -> Reading:
        """Counters: Envoy's cached and reasoning tokens are inside its input and output."""
        block = {theirs: self.count(ours) for ours, theirs in _USAGE.items()}
        return usage.reading("otel", block)

    def _given(self, name: str) -> Any:
        return _given(self.fields, getattr(self.names, name))


def lines(page: Page, names: Fields) -> Iterator[Line]:
    """Every line of a file."""
    for document in page.documents():
        yield Line.of(document, names)


def backend(line: Line, known: Mapping[str, Backend]) -> Backend | None:
    """The backend whose reference the line's begins with; the longest one counts."""
    said = line.text("backend") or ""
    fitting = [ref for ref in known if said == ref or said.startswith(ref.rstrip("/") + "/")]
    return known[max(fitting, key=len)] if fitting else None


def _given(fields: Row, name: str) -> Any:
    found = fields.get(name) if name else None
    is_absent = not isinstance(found, dict | list | Decimal) and found in _ABSENT
    return None if is_absent else found
