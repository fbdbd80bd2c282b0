"""What a span touched beside the model, for whom, and which attempt it was."""

from countersign.connectors.wire.genai_span import Meaning
from countersign.connectors.wire.otlp_json import Exported
from countersign.connectors.wire.value import text
from countersign.records import GatewayCall, SurfaceAccess

Failures = dict[tuple[str, str | None, str | None, str | None], int]
"""Failed calls so far, by trace, parent, operation and model: what a retry has in common."""


def access(meaning: Meaning, request_id: str, call: GatewayCall | None) -> SurfaceAccess:
    """The surface that the span touched; `call` is the embedding call that it may be itself."""
    place = meaning.place
    return SurfaceAccess(
        request_id=request_id,
        surface=meaning.surface or "",
        provider=meaning.provider,
        at=meaning.span.started_at,
        call_id=call.call_id if call else None,
        region=place.region if place else None,
        evidence=place.evidence if place else None,
        strength=place.strength if place else None,
    )


def either(span: Exported, name: str) -> str | None:
    """An attribute of the span, else of its resource."""
    return text(span.attributes.get(name)) or text(span.origin.resource.get(name))


def attempt(meaning: Meaning, failures: Failures) -> int | None:
    """One more than the failed siblings before it: spans are exported as they end.

    A call after one that did not fail is another call, of which nothing is known.
    """
    span = meaning.span
    same = (span.trace_id, span.parent_span_id, meaning.operation, meaning.model)
    before = failures.pop(same, 0)
    is_failed = meaning.ending.status == "error"
    if is_failed:
        failures[same] = before + 1
    return before + 1 if before or is_failed else None
