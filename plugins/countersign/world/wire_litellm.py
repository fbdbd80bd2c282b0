"""LiteLLM's two forms of a call: the SpendLogs row of the API, and the exported payload.

The row is `GET /spend/logs/v2` of litellm 1.109 (no text); the payload is StandardLoggingPayload,
with messages and response. Both are written out by hand, as measured on the real proxy.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Final

from countersign.model import US_PER_SECOND, moment
from countersign.world.call import DOUBLE_LOGGED, Call
from countersign.world.installation import FEATURES, PriceList
from countersign.world.litellm_usage import Fields, Spend, additional_values, usage_object

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_USER_AGENTS: Final = ("User-Agent: AsyncOpenAI", "User-Agent: AsyncOpenAI/Python 2.9.0")
_SYSTEM: Final = (
    "You are the assistant of {}. Retrieved context is kept out of this log by the gateway's "
    "logging hook; its tokens are counted."
)


@dataclass(frozen=True, slots=True)
class Forms:
    """A call as LiteLLM keeps it: rows with start and end, and payload lines.

    One of each; two when it was logged twice.
    """

    rows: tuple[tuple[int, int, str], ...]
    payloads: tuple[str, ...]


def forms(call: Call, prices: PriceList) -> Forms:
    """Write a call down."""
    spend, usage = Spend(call, prices), usage_object(call)
    metadata = _metadata(call, usage, spend)
    row, payload = _row(call, usage, metadata, spend), _payload(call, usage, metadata, spend)
    kept = [(row, payload)]
    if call.kind == DOUBLE_LOGGED:
        kept.append((_twin(row, "request_id", call), _twin(payload, "id", call)))
    return Forms(
        tuple((call.started_us, call.ended_us, _encode(fields)) for fields, _ in kept),
        tuple(_encode(fields) for _, fields in kept),
    )


def _row(call: Call, usage: Fields, metadata: Fields, spend: Spend) -> Fields:
    request, deployment = call.request, call.request.deployment
    return {
        "request_id": call.row_id,
        "litellm_call_id": request.call_id,
        "call_type": "acompletion",
        "api_key": _virtual_key(request.tenant.name),
        "spend": spend.total,
        "total_tokens": usage["total_tokens"],
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "startTime": _stamp(call.started_us),
        "endTime": _stamp(call.ended_us),
        "completionStartTime": _stamp(call.first_token_us),
        "request_duration_ms": (call.ended_us - call.started_us) // 1000,
        "model": f"{deployment.model.provider}/{deployment.model.name}",
        "model_id": deployment.id,
        "model_group": deployment.group,
        "custom_llm_provider": deployment.model.provider,
        "api_base": _api_base(call),
        "user": f"svc-{request.tenant.short}",
        "team_id": f"team-{request.tenant.short}",
        "organization_id": None,
        "end_user": request.user,
        "agent_id": None,
        "metadata": metadata,
        "cache_hit": "False" if request.stream else "None",
        "cache_key": "Cache OFF",
        "request_tags": _tags(call),
        "requester_ip_address": None,
        "session_id": request.session,
        "status": "failure" if call.failed else "success",
        "mcp_namespaced_tool_name": None,
    }


def _metadata(call: Call, usage: Fields, spend: Spend) -> Fields:
    request = call.request
    return {
        "usage_object": usage,
        "additional_usage_values": additional_values(usage),
        "cost_breakdown": spend.breakdown,
        "error_information": _error(call),
        "status": "failure" if call.failed else "success",
        "attempted_retries": call.retries,
        "max_retries": 2,
        "attempted_fallbacks": 1 if request.failed_over else 0,
        "original_model_group": request.failed_over_from,
        "user_api_key": _virtual_key(request.tenant.name),
        "user_api_key_alias": f"{request.tenant.short}-production",
        "user_api_key_team_id": f"team-{request.tenant.short}",
        "user_api_key_team_alias": request.tenant.name,
        "user_api_key_end_user_id": request.user,
        "litellm_overhead_time_ms": 4.0,
    }


def _error(call: Call) -> Fields | None:
    if not call.error_code:
        return None
    left = call.error_code == "499"
    return {
        "error_code": call.error_code,
        "error_class": "ClientDisconnected" if left else "APIConnectionError",
        "error_message": "Client disconnected" if left else "peer closed connection",
        "llm_provider": call.request.deployment.model.provider,
    }


def _payload(call: Call, usage: Fields, metadata: Fields, spend: Spend) -> Fields:
    request, deployment = call.request, call.request.deployment
    return {
        "id": call.row_id,
        "trace_id": request.session,
        "session_id": request.session,
        "litellm_call_id": request.call_id,
        "call_type": "acompletion",
        "stream": request.stream,
        "response_cost": spend.total,
        "status": "failure" if call.failed else "success",
        "custom_llm_provider": deployment.model.provider,
        "total_tokens": usage["total_tokens"],
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "startTime": call.started_us / US_PER_SECOND,
        "endTime": call.ended_us / US_PER_SECOND,
        "completionStartTime": call.first_token_us / US_PER_SECOND,
        "response_time": (call.first_token_us - call.started_us) / US_PER_SECOND,
        "model": f"{deployment.model.provider}/{deployment.model.name}",
        "model_id": deployment.id,
        "model_group": deployment.group,
        "api_base": _api_base(call),
        "metadata": metadata,
        "cache_hit": False,
        "request_tags": _tags(call),
        "end_user": request.user,
        "messages": [
            {"role": "system", "content": _SYSTEM.format(request.tenant.name)},
            {"role": "user", "content": request.prompt},
        ],
        "response": _response(call, usage),
        "error_information": _error(call),
        "model_parameters": _parameters(call),
        "hidden_params": {"litellm_model_name": deployment.model.name},
    }


def _response(call: Call, usage: Fields) -> Fields:
    if call.failed or not call.kept.text:
        return {}
    message = {"role": "assistant", "content": call.kept.text}
    return {
        "id": call.request.provider_id,
        "object": "chat.completion",
        "created": call.started_us // US_PER_SECOND,
        "model": call.request.deployment.model.name,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": usage,
    }


def _parameters(call: Call) -> Fields:
    if not call.request.stream:
        return {"stream": False}
    asked = {"stream_options": {"include_usage": True}} if call.request.asks_usage else {}
    return {"stream": True, **asked}


def _twin(fields: Fields, key: str, call: Call) -> Fields:
    """The surplus record: the call id where the provider's id belongs, and a retry's count."""
    metadata = {**fields["metadata"], "attempted_retries": 1}
    return {**fields, key: call.request.call_id, "metadata": metadata}


def _tags(call: Call) -> list[str]:
    request = call.request
    tags = [f"feature:{FEATURES.get(request.intent, 'assistant')}", f"lang:{request.language}"]
    if request.tenant.tags_intent:
        tags.append(f"intent:{request.intent}")
    return [*tags, *_USER_AGENTS]


def _api_base(call: Call) -> str:
    base = call.request.deployment.api_base
    return base if call.request.stream or not base.endswith("/v1") else f"{base}/"


@cache
def _virtual_key(name: str) -> str:
    return hashlib.sha256(f"sk-{name}".encode()).hexdigest()


def _stamp(instant_us: int) -> str:
    """The table's timestamp(3), as the API prints it."""
    return moment(instant_us // 1000 * 1000).isoformat(timespec="microseconds")
