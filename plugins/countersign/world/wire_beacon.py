"""Delivery beacons: what the meter beside each reader saw. Its clock runs ahead."""

import json
from datetime import UTC, datetime, timedelta
from typing import Final

from countersign.world.call import Call
from countersign.world.installation import ANTHROPIC, GATEWAY_REGION

SKEW_US: Final = 1_600_000
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SERVED_BY: Final = {"region": GATEWAY_REGION, "header": "x-served-by"}


def row(call: Call) -> tuple[int, int, str]:
    """The beacon of a call: start and end by the meter's clock, and the JSON row."""
    request = call.request
    exact = request.deployment.model.provider != ANTHROPIC
    started_us, ended_us = request.at_us + SKEW_US, call.ended_us + SKEW_US
    fields = {
        "request_id": request.call_id,
        "response_id": request.provider_id if call.headers_seen else None,
        "meter": "browser",
        "tenant": request.tenant.name,
        "started_at": _stamp(started_us),
        "ended_at": _stamp(ended_us),
        "ended": call.ended,
        "rendered_characters": len(call.shown.text),
        "rendered_tokens": call.shown.tokens if exact else None,
        "tokenizer": "o200k_base" if exact else None,
        "served_by": _SERVED_BY if call.headers_seen else None,
    }
    return started_us, ended_us, _encode(fields)


def _stamp(instant_us: int) -> str:
    at = _EPOCH + timedelta(microseconds=instant_us)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
