"""A span as what it means: a call of a model, a touch of a surface, a place; or none of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from countersign import usage
from countersign.connectors.wire.endpoint import by_endpoint
from countersign.connectors.wire.exchange import host
from countersign.connectors.wire.genai_names import (
    CALLS,
    NAMES,
    OPERATION,
    OPERATIONS,
    PROVIDER,
    SURFACES,
    USAGE,
    VECTOR_STORES,
    Name,
)
from countersign.connectors.wire.logged import Ending, Quality, after, quality
from countersign.connectors.wire.otlp_json import Exported
from countersign.connectors.wire.place import Place
from countersign.connectors.wire.provider_name import UNKNOWN, canonical
from countersign.connectors.wire.value import UnreadableError, count, flag, micros, text, verbatim
from countersign.usage import Counters

_BY_THEIRS: Final[Mapping[str, tuple[int, Name]]] = {
    name.theirs: (rank, name) for rank, name in enumerate(NAMES)
}
_CANCELLED: Final = ("cancel", "abort", "client_disconnect", "clientdisconnect")
_TIMED_OUT: Final = ("timeout", "timed_out", "deadline")
_TIMEOUT_STATUS: Final = ("408", "504")
_CLIENT_CLOSED: Final = "499"


@dataclass(frozen=True)
class Meaning:
    """A span with its attributes under our names."""

    span: Exported

    @cached_property
    def named(self) -> Mapping[str, tuple[Name, Any]]:
        """By our name, the most trusted of their names that the span has, with its value."""
        found: dict[str, tuple[int, Name, Any]] = {}
        for theirs, value in self.span.attributes.items():
            rank, name = _BY_THEIRS.get(theirs, (0, None))
            if name is None or value in (None, "", []):
                continue
            best = found.get(name.ours)
            if best is None or rank < best[0]:
                found[name.ours] = (rank, name, value)
        return {ours: (name, value) for ours, (_, name, value) in found.items()}

    def text(self, ours: str) -> str | None:
        """The text of an attribute; the first of a list."""
        value = self._value(ours)
        return text(value[0] if isinstance(value, list) and value else value)

    def count(self, ours: str) -> int | None:
        """The number of an attribute."""
        return count(self._value(ours))

    @cached_property
    def operation(self) -> str | None:
        """What was asked of a model; None where the span is about something else."""
        said = self.text(OPERATION)
        if said is not None:
            return OPERATIONS.get(said)
        if self.text("db.system.name") in VECTOR_STORES:
            return "retrieval"
        has_output = "gen_ai.usage.output_tokens" in self.named
        return "chat" if PROVIDER in self.named and has_output else None

    @property
    def is_call(self) -> bool:
        """Whether a model was called."""
        return self.operation in CALLS

    @property
    def surface(self) -> str | None:
        """The surface, other than inference, that was touched."""
        return SURFACES.get(self.operation or "")

    @property
    def provider(self) -> str:
        """Who was asked: the provider, else the database system, else the host."""
        said = self.text(PROVIDER)
        if said is not None:
            return canonical(said)
        store = None if self.is_call else self.text("db.system.name")
        return store or (None if self.is_call else self.host) or UNKNOWN

    @property
    def model(self) -> str | None:
        """The model that was asked for, else the one that answered."""
        return self.text("gen_ai.request.model") or self.text("gen_ai.response.model")

    @cached_property
    def host(self) -> str | None:
        """The host that was asked, also where an address is given."""
        said = self.text("server.address")
        try:
            return host(said) if said else None
        except ValueError:
            raise UnreadableError(f"server.address is no host: {said!r:.60}") from None

    @cached_property
    def place(self) -> Place | None:
        """What the host promises. The resource's `cloud.region` is the client's, so not read."""
        return by_endpoint(self.host, self.model) if self.host else None

    @property
    def is_stream(self) -> bool | None:
        """Whether the answer was streamed."""
        said = flag(self._value("gen_ai.request.stream"))
        operation = self.text(OPERATION) or ""
        return True if said is None and operation.endswith(".doStream") else said

    @property
    def first_token_at(self) -> int | None:
        """When the first chunk came."""
        waited = micros(self._value("gen_ai.response.time_to_first_chunk"))
        if waited is None:
            return None
        name, _ = self.named["gen_ai.response.time_to_first_chunk"]
        return after(self.span.started_at, waited // name.divided_by)

    @cached_property
    def ending(self) -> Ending:
        """How the call ended: by `error.type`, else by the span's status."""
        kind = (self.text("error.type") or "").lower()
        if kind == _CLIENT_CLOSED or any(word in kind for word in _CANCELLED):
            return Ending("cancelled", None, "client")
        if not kind and not self.span.is_error:
            return Ending("ok", "completed")
        is_slow = kind in _TIMEOUT_STATUS or any(word in kind for word in _TIMED_OUT)
        return Ending("error", "timeout" if is_slow else "upstream_error")

    @cached_property
    def usage(self) -> Mapping[str, tuple[Name, Any]]:
        """The figures that count tokens, by our names."""
        return {ours: found for ours, found in self.named.items() if ours.startswith(USAGE)}

    def counted(self) -> tuple[Counters, Quality]:
        """Counters with their worth."""
        block = {ours: count(value) for ours, (_, value) in self.usage.items()}
        return quality(usage.reading("otel", block), self.ending.status)

    def usage_raw(self) -> str | None:
        """The figures under the names that the span has."""
        block = {name.theirs: value for name, value in self.usage.values()}
        return verbatim(block) if block else None

    def _value(self, ours: str) -> Any:
        found = self.named.get(ours)
        return found[1] if found else None
