"""OTLP's JSON encoding of traces: export requests as spans with plain values.

Not protobuf's usual JSON: ids are hexadecimal of any case, enums are integers, 64-bit integers
are decimal text or numbers, unknown fields are ignored.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, UnreadableError, count, inner, row, text

_SIGNALS: Final = ("resourceMetrics", "resourceLogs", "resourceProfiles")
_DEEPEST: Final = 32
_FARTHEST: Final = 300
_ID: Final = {32: re.compile(r"[0-9a-f]{32}"), 16: re.compile(r"[0-9a-f]{16}")}

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a span."""

    name: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Link:
    """Another span that this one refers to."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Origin:
    """Who recorded spans: the resource and the instrumentation scope."""

    resource: Attributes = field(default_factory=dict)
    scope: str | None = None
    scope_attributes: Attributes = field(default_factory=dict)
    schema_url: str | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """One span as it was exported; times in nanoseconds."""

    origin: Origin
    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: int | str | None
    start_ns: int
    end_ns: int
    status: int | str | None
    trace_state: str | None
    attributes: Attributes
    events: tuple[Event, ...]
    links: tuple[Link, ...]

    @property
    def started_at(self) -> int:
        """The start in microseconds."""
        return self.start_ns // 1000

    @property
    def is_error(self) -> bool:
        """Whether the span says that it failed."""
        return self.status in (2, "STATUS_CODE_ERROR")

    @property
    def ended_at(self) -> int:
        """The end in microseconds."""
        return self.end_ns // 1000


def spans(page: Page) -> Iterator[Exported]:
    """Every span of a page: one export request, or one on each line. Other signals have none."""
    for document in page.documents():
        request = row(document)
        if "resourceSpans" not in request and request and not any(s in request for s in _SIGNALS):
            raise UnreadableError("resourceSpans is absent")
        for group in _rows(request, "resourceSpans"):
            resource = attributes(inner(group, "resource"))
            for scoped in _rows(group, "scopeSpans"):
                origin = _origin(resource, group, scoped)
                for span in _rows(scoped, "spans"):
                    yield _exported(origin, span)


def attributes(holder: Row) -> dict[str, Any]:
    """The attribute list of a resource, scope, span, event or link; the last of a name counts."""
    return {_key(pair): plain(inner(pair, "value")) for pair in _rows(holder, "attributes")}


def plain(wrapped: Row, depth: int = 0) -> Any:
    """The value that is wrapped in its type; None for an empty one."""
    if depth > _DEEPEST:
        raise UnreadableError(f"attribute values nest deeper than {_DEEPEST}")
    for name, value in wrapped.items():
        if name == "intValue":
            return count(value)
        if name == "arrayValue":
            return [plain(row(item), depth + 1) for item in _list(row(value), "values")]
        if name == "kvlistValue":
            pairs = _rows(row(value), "values")
            return {_key(pair): plain(inner(pair, "value"), depth + 1) for pair in pairs}
        if name in _SCALARS and not isinstance(value, dict | list):
            return _finite(value)
    return None


def _finite(value: Any) -> Any:
    """Numbers that no 64-bit float holds stay the text that they came as."""
    is_far = isinstance(value, Decimal) and abs(value.adjusted()) > _FARTHEST
    return str(value) if is_far else value


_SCALARS: Final = ("stringValue", "boolValue", "doubleValue", "bytesValue")


def _origin(resource: Attributes, group: Row, scoped: Row) -> Origin:
    scope = inner(scoped, "scope")
    return Origin(
        resource=resource,
        scope=text(scope.get("name")),
        scope_attributes=attributes(scope),
        schema_url=text(scoped.get("schemaUrl")) or text(group.get("schemaUrl")),
    )


def _exported(origin: Origin, span: Row) -> Exported:
    return Exported(
        origin=origin,
        trace_id=_id(span, "traceId", 32),
        span_id=_id(span, "spanId", 16),
        parent_span_id=_id(span, "parentSpanId", 16) if span.get("parentSpanId") else None,
        name=text(span.get("name")) or "unnamed",
        kind=_enum(span.get("kind")),
        start_ns=_nanoseconds(span, "startTimeUnixNano"),
        end_ns=_nanoseconds(span, "endTimeUnixNano"),
        status=_enum(inner(span, "status").get("code")),
        trace_state=text(span.get("traceState")),
        attributes=attributes(span),
        events=tuple(
            Event(text(e.get("name")) or "", attributes(e)) for e in _rows(span, "events")
        ),
        links=tuple(
            Link(_id(k, "traceId", 32), _id(k, "spanId", 16), attributes(k))
            for k in _rows(span, "links")
        ),
    )


def _id(holder: Row, name: str, length: int) -> str:
    value = holder.get(name)
    said = value.lower() if isinstance(value, str) else ""
    if not _ID[length].fullmatch(said):
        raise UnreadableError(
            f"{name} is {length} hexadecimal digits in OTLP, not {str(value)[:40]!r}"
        )
    return said


def _nanoseconds(span: Row, name: str) -> int:
    found = count(span.get(name))
    if found is None or found <= 0:
        raise UnreadableError(f"{name} is absent or zero: the span is not finished")
    return found


def _enum(value: object) -> int | str | None:
    """An integer by the standard; some exporters write the name."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return text(value) if isinstance(value, str) else None


def _key(pair: Row) -> str:
    return text(pair.get("key")) or ""


def _rows(holder: Row, name: str) -> list[Row]:
    return [row(item) for item in _list(holder, name)]


def _list(holder: Row, name: str) -> list[Any]:
    found = holder.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise UnreadableError(f"{name} is a list in OTLP, not {type(found).__name__}")
    return found
