"""A recorded exchange and its answer as the records of one call."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from countersign.canonical import digest
from countersign.connectors.wire.answer import Answer
from countersign.connectors.wire.asked import Asked
from countersign.connectors.wire.capture import Exchange
from countersign.connectors.wire.endpoint import by_endpoint
from countersign.connectors.wire.logged import Ending, Quality, by_status
from countersign.connectors.wire.place import Place, by_response, location
from countersign.connectors.wire.provider_name import canonical, of_host
from countersign.connectors.wire.value import UnreadableError
from countersign.records import GatewayCall, InferenceLocation
from countersign.usage import Counters

_REQUEST_IDS: Final = ("x-amzn-requestid", "request-id", "x-request-id", "apim-request-id")
_STREAMS: Final = ("text/event-stream", "application/vnd.amazon.eventstream")
_LEFT: Final = Ending("cancelled", "client_disconnect", "client")
_STATED: Final[Mapping[str, Ending]] = {
    "completed": Ending("ok", "completed"),
    "client_disconnect": _LEFT,
    "user_stop": Ending("cancelled", "user_stop", "client"),
    "upstream_error": Ending("error", "upstream_error"),
    "timeout": Ending("error", "timeout"),
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One call, what was said in it, and the places that its reply and its host stand for."""

    call: GatewayCall
    asked: Asked
    answer: Answer
    is_poll: bool = False

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the reply says that it ran, and where the host promises; a failure ran nowhere."""
        said = by_response({"inference_geo": self.answer.geo})
        host = by_endpoint(self.call.endpoint_host or "", self.call.model_requested)
        at_host = host if self.call.status != "error" else None
        return tuple(place for place in (said, at_host) if place is not None)


def call(
    exchange: Exchange, asked: Asked, answer: Answer, position: int, request_header: str
) -> Recorded:
    """The call of an exchange; `position` on its page tells two alike without a time apart."""
    if exchange.started_at is None:
        raise UnreadableError("an exchange without a time; set recorded_at for this recording")
    call_id = _call_id(exchange, answer, position)
    ending = _ending(exchange, asked, answer)
    counters, quality = _counted(exchange, asked, answer, ending)
    made = GatewayCall(
        call_id=call_id,
        request_id=_asked_as(exchange, request_header.lower()) or call_id,
        started_at=exchange.started_at,
        ended_at=exchange.ended_at,
        provider=canonical(exchange.provider)
        if exchange.provider
        else of_host(exchange.host or ""),
        operation=asked.operation,
        model_requested=asked.model,
        model_resolved=answer.usage.model if answer.usage else None,
        provider_request_id=_request_id(exchange, answer),
        endpoint_host=exchange.host,
        region_configured=exchange.headers.get("x-ms-region"),
        service_tier=answer.service_tier,
        stream=True if _is_streamed(exchange) else asked.stream,
        status=ending.status,
        http_status=exchange.status,
        error_type=answer.error,
        finish_reason=answer.finish_reason,
        ended_by=ending.ended_by,
        cancel_boundary=ending.boundary,
        turns=asked.turns,
        prompt_characters=None if asked.prompt is None else len(asked.prompt),
        output_characters=_shown(answer),
        usage_quality=quality,
        usage_raw=answer.usage.raw if answer.usage else None,
        **counters.columns(),
    )
    recorded = Recorded(made, asked, answer)
    observed = next((p.region for p in recorded.places if p.strength == "R2"), None)
    return replace(recorded, call=replace(made, region_observed=observed))


def merged(calls: Iterable[Recorded]) -> Iterator[Recorded]:
    """The calls; a poll of a background answer replaces what its request was first told."""
    found: dict[object, Recorded] = {}
    for number, each in enumerate(calls):
        first = found.get(each.call.call_id)
        if each.is_poll and first is not None:
            found[each.call.call_id] = _polled(first, each)
        else:
            key = each.call.call_id if first is None else (number, each.call.call_id)
            found[key] = each
    return iter(found.values())


def places(recorded: Recorded) -> Iterator[InferenceLocation]:
    """Each place as a record."""
    for place in recorded.places:
        yield location(recorded.call, place)


def _polled(first: Recorded, later: Recorded) -> Recorded:
    if later.call.usage_quality == "missing":
        return first
    asked = first.call
    completed = replace(
        later.call,
        request_id=asked.request_id,
        started_at=asked.started_at,
        operation=asked.operation,
        model_requested=asked.model_requested,
        turns=asked.turns,
        prompt_characters=asked.prompt_characters,
    )
    return replace(later, call=completed, asked=first.asked, is_poll=False)


def _ending(exchange: Exchange, asked: Asked, answer: Answer) -> Ending:
    stated = _STATED.get(exchange.ended_by or "")
    if stated is not None:
        return stated
    if exchange.is_aborted:
        return _LEFT
    if answer.error and (exchange.status or 0) < 400:
        return Ending("error", "upstream_error")
    by_code = by_status(exchange.status)
    is_whole = answer.usage is not None and not _is_cut(exchange, asked, answer)
    return by_code if is_whole or by_code.status == "error" else Ending(None)


def _counted(
    exchange: Exchange, asked: Asked, answer: Answer, ending: Ending
) -> tuple[Counters, Quality]:
    """Counters with their worth: exact only if the reply came to its end."""
    if answer.usage is None or answer.usage.counters.is_empty:
        return Counters(), "missing"
    is_final = ending.status == "ok" or not _is_cut(exchange, asked, answer)
    quality = answer.usage.quality
    if quality == "exact" and (not is_final or ending.status in ("cancelled", "error")):
        quality = "estimated"
    return answer.usage.counters, quality


def _is_cut(exchange: Exchange, asked: Asked, answer: Answer) -> bool:
    return (_is_streamed(exchange) or asked.stream is True) and not answer.has_ended


def _is_streamed(exchange: Exchange) -> bool:
    return exchange.headers.get("content-type", "").partition(";")[0].strip() in _STREAMS


def _shown(answer: Answer) -> int | None:
    """Characters that a client could show: none of them is zero only where a reply was read."""
    if answer.text is not None:
        return len(answer.text)
    return 0 if answer.usage is not None and answer.error is None else None


def _asked_as(exchange: Exchange, name: str) -> str | None:
    """The client's own id; a provider's reply uses some of these names for ids of its own."""
    echoed = None if name in _REQUEST_IDS else exchange.headers.get(name)
    return exchange.request_headers.get(name) or echoed


def _request_id(exchange: Exchange, answer: Answer) -> str | None:
    named = (exchange.headers.get(name) for name in _REQUEST_IDS)
    return next(filter(None, named), None) or (answer.usage.response_id if answer.usage else None)


def _call_id(exchange: Exchange, answer: Answer, position: int) -> str:
    said = (answer.usage.response_id if answer.usage else None) or _request_id(exchange, answer)
    if said is not None:
        return said
    when = exchange.started_at if exchange.is_timed else position
    told = f"{when} {exchange.method} {exchange.url}".encode("utf-8", "replace")
    return "capture-" + digest(b"\n".join((told, exchange.sent, exchange.body)))[:32]
