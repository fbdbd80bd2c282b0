"""One OpenRouter generation as records: the call, the tries that failed before it, its place."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from countersign import usage
from countersign.connectors.wire.place import Place, location
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    count,
    exact,
    flag,
    instant,
    micros,
    needed,
    text,
)
from countersign.records import GatewayCall, Record

PROVIDER: Final = "openrouter"
_REGIONS: Final[Mapping[str, str]] = {"europe": "EU", "us": "US"}
_OK: Final = range(200, 300)


def records(fields: Row) -> Iterator[Record]:
    """The failed tries in order, the call itself, and OpenRouter's routing region."""
    tries = _tries(fields)
    failed = [n for n, status in enumerate(tries, start=1) if status and status not in _OK]
    served = _call(fields, tries, failed)
    for number in failed:
        if number < len(tries) or served.status != "error":
            yield _failed(served, number, tries[number - 1])
    yield served
    said = text(fields.get("data_region"))
    if said is not None and served.stage is None:
        where = _place(said)
        yield location(served, where)


def _call(fields: Row, tries: list[int | None], failed: list[int]) -> GatewayCall:
    call_id, cancelled = needed(fields, "id"), flag(fields.get("cancelled"))
    reading = usage.reading("openrouter-generation", fields)
    is_failed = bool(tries) and len(tries) in failed
    is_exact = not (cancelled or reading.unaccounted)
    return GatewayCall(
        call_id=call_id,
        request_id=text(fields.get("request_id")) or call_id,
        started_at=instant(fields.get("created_at")),
        provider=PROVIDER,
        attempt=len(tries) or None,
        http_status=tries[-1] if tries else None,
        stage="gateway_cache" if text(fields.get("response_cache_source_id")) else None,
        session_commitment=text(fields.get("session_id")),
        model_resolved=text(fields.get("model")),
        provider_request_id=call_id,
        region_observed=_asserted(text(fields.get("data_region"))),
        service_tier=text(fields.get("service_tier")),
        stream=flag(fields.get("streamed")),
        finish_reason=text(fields.get("finish_reason")),
        cost_logged_usd_micros=micros(fields.get("total_cost")),
        usage_quality="missing"
        if reading.counters.is_empty
        else ("exact" if is_exact else "estimated"),
        usage_raw=exact(fields),
        **_ending(bool(cancelled), is_failed=is_failed),
        **reading.counters.columns(),
    )


def _ending(cancelled: bool, *, is_failed: bool) -> dict[str, Any]:
    if cancelled:
        return {"status": "cancelled", "ended_by": "client_disconnect"}
    if is_failed:
        return {"status": "error", "ended_by": "upstream_error"}
    return {"status": "ok", "ended_by": "completed"}


def _failed(served: GatewayCall, number: int, status: int | None) -> GatewayCall:
    return GatewayCall(
        call_id=f"{served.call_id}#attempt-{number}",
        request_id=served.request_id,
        started_at=served.started_at,
        provider=PROVIDER,
        attempt=number,
        session_commitment=served.session_commitment,
        model_resolved=served.model_resolved,
        status="error",
        http_status=status,
        ended_by="upstream_error",
        usage_quality="missing",
    )


def _tries(fields: Row) -> list[int | None]:
    """The HTTP status of each upstream that was tried, in order."""
    found = fields.get("provider_responses")
    tries = found if isinstance(found, list) else []
    if not all(isinstance(one, dict) for one in tries):
        raise UnreadableError("provider_responses holds something that is no object")
    return [count(one.get("status")) for one in tries]


def _place(said: str) -> Place:
    """What OpenRouter says of its own routing; where the upstream computes is not in it."""
    jurisdiction = _REGIONS.get(said)
    return Place(said, "response_field", "R1" if jurisdiction else "R0", jurisdiction)


def _asserted(said: str | None) -> str | None:
    return said if said in _REGIONS else None
