"""An exported span as a record: its facts stay, what people said and who they are does not."""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final

from countersign.connectors.wire.genai_private import CONTENT, FACTS, IDENTITY
from countersign.connectors.wire.genai_span import Meaning
from countersign.connectors.wire.otlp_json import Attributes, Exported
from countersign.connectors.wire.value import text, verbatim
from countersign.records.trace import Span

_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATES: Final = ("unset", "ok", "error")
_THRESHOLD: Final = re.compile(r"(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:;|,|$)")
_MILLION: Final = 1_000_000
_PRIVATE: Final = frozenset((*CONTENT, *IDENTITY))


def span_row(
    meaning: Meaning, request_id: str, tenant: str | None, withheld: Collection[str]
) -> Span:
    """The record of a span; the operator may name more attributes to withhold."""
    span = meaning.span
    return Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        name=span.name,
        started_at=span.started_at,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        parent_span_id=span.parent_span_id,
        links=_links(span, withheld),
        kind=_word(_KINDS, "SPAN_KIND_", span.kind),
        service=text(span.origin.resource.get("service.name")),
        scope=span.origin.scope,
        schema_url=span.origin.schema_url,
        status=_word(_STATES, "STATUS_CODE_", span.status or 0),
        attributes=verbatim(_kept(span.attributes, withheld)),
        resource=verbatim(_kept(span.origin.resource, withheld)),
        inclusion_ppm=inclusion_ppm(span.trace_state),
        kept_by=text(span.origin.scope_attributes.get("tailsampling.policy"))
        or text(span.attributes.get("tailsampling.policy")),
        request_id=request_id,
        tenant=tenant,
        user_commitment=meaning.text("user.id"),
        session_commitment=meaning.text("gen_ai.conversation.id"),
    )


def inclusion_ppm(trace_state: str | None) -> int | None:
    """The probability of being kept that the sampler wrote down: `ot=th:c` is one quarter.

    The threshold's digits are the front of 56 bits, of which the part below is rejected.
    """
    found = _THRESHOLD.search(trace_state or "")
    if found is None:
        return None
    digits: str = found.group(1)
    rejected, whole = int(digits, 16), 1 << (4 * len(digits))
    return (_MILLION * (whole - rejected) + whole // 2) // whole


def _kept(given: Attributes, withheld: Collection[str]) -> Mapping[str, Any]:
    extra = frozenset(withheld)
    return {
        name: _mark(value) if _is_private(name, extra) else value for name, value in given.items()
    }


@lru_cache(maxsize=8192)
def _is_private(name: str, extra: frozenset[str]) -> bool:
    """Whether the attribute, or one that it lies below, is withheld."""
    words = name.split(".")
    return name not in FACTS and any(
        (front := ".".join(words[:length])) in _PRIVATE or front in extra
        for length in range(1, len(words) + 1)
    )


def _mark(value: Any) -> str:
    """What stands for a withheld value: that it was there, and how large it was."""
    if isinstance(value, str):
        return f"withheld: {len(value)} characters"
    if isinstance(value, list | dict):
        return f"withheld: {len(value)} items"
    return "withheld"


def _links(span: Exported, withheld: Collection[str]) -> str | None:
    if not span.links:
        return None
    found = (
        {
            "trace_id": link.trace_id,
            "span_id": link.span_id,
            "attributes": _kept(link.attributes, withheld),
        }
        for link in span.links
    )
    return f"[{','.join(map(verbatim, found))}]"


def _word(words: tuple[str, ...], prefix: str, said: int | str | None) -> str | None:
    """The word of an enum by its number, or by its name in protobuf."""
    if isinstance(said, int):
        return words[said] if 0 <= said < len(words) else str(said)
    return said.removeprefix(prefix).lower() if said else None
