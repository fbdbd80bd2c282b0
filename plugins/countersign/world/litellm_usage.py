"""LiteLLM's numbers of one call: its usage object, and what it says that this cost.

A complete row repeats the provider's usage. A 499 or failure row is the proxy's own count, with
no cache split, unless the stream's first event brought the input side.
"""

from datetime import date
from typing import Any, Final

from countersign.model import moment
from countersign.world.call import Call
from countersign.world.installation import ANTHROPIC, PriceList

_PICO: Final = 10**12
Fields = dict[str, Any]


class Spend:
    """What LiteLLM says the logged tokens of a call cost: list price, as floats of dollars."""

    def __init__(self, call: Call, prices: PriceList) -> None:
        day: date = moment(call.started_us).date()
        unit = prices.of(call.request.deployment.model.name, day)
        parts = [price * n for price, n in zip(unit, call.logged, strict=True)]
        self.total = sum(parts) / _PICO
        self.breakdown: Fields = {
            "input_cost": parts[0] / _PICO,
            "cache_read_cost": parts[1] / _PICO,
            "cache_creation_cost": (parts[2] + parts[3]) / _PICO,
            "output_cost": parts[4] / _PICO,
            "tool_usage_cost": 0.0,
            "original_cost": self.total,
        }


def usage_object(call: Call) -> Fields:
    """`metadata.usage_object`."""
    uncached, read, write_5m, write_1h, output = call.logged
    prompt = uncached + read + write_5m + write_1h
    usage: Fields = {
        "completion_tokens": output,
        "prompt_tokens": prompt,
        "total_tokens": prompt + output,
        "completion_tokens_details": _output_details(call),
        "prompt_tokens_details": {"cached_tokens": read},
    }
    is_blind = call.estimated and not call.shown.tokens
    if call.request.deployment.model.provider != ANTHROPIC or is_blind:
        return usage
    usage["prompt_tokens_details"] = {
        "cached_tokens": read,
        "cache_creation_tokens": write_5m + write_1h,
        "cache_creation_token_details": {
            "ephemeral_5m_input_tokens": write_5m,
            "ephemeral_1h_input_tokens": write_1h,
        },
        "text_tokens": uncached,
    }
    usage["cache_read_input_tokens"] = read
    usage["cache_creation_input_tokens"] = write_5m + write_1h
    usage["inference_geo"] = "global"
    usage["service_tier"] = "standard"
    return usage


def _output_details(call: Call) -> Fields:
    if call.estimated:
        return {"text_tokens": call.logged[4]}
    return {
        "accepted_prediction_tokens": 0,
        "audio_tokens": 0,
        "reasoning_tokens": call.reasoning_logged,
        "rejected_prediction_tokens": 0,
    }


def additional_values(usage: Fields) -> Fields:
    """`metadata.additional_usage_values`."""
    names = ("cache_read_input_tokens", "cache_creation_input_tokens")
    return {name: usage[name] for name in names if name in usage}
