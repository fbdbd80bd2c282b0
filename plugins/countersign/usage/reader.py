"""One raw reply of a provider, whole or streamed, as canonical counters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from countersign.errors import ConfigError, Fault, SourceError
from countersign.usage.reply import Reply, events
from countersign.usage.tokens import Block, Counters, Reading, part
from countersign.usage.wires import REPLIES, WIRES

Quality = Literal["exact", "estimated", "missing"]
_CHAT = ("openai-chat",)
PROVIDERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "auto": tuple(REPLIES),
        "openai": ("openai-chat", "openai-responses"),
        "openai-chat": _CHAT,
        "openai-responses": ("openai-responses",),
        "azure": ("openai-chat", "openai-responses"),
        "anthropic": ("anthropic",),
        "bedrock": ("bedrock", "bedrock-log", "anthropic", "openai-chat"),
        "gemini": ("gemini", "openai-chat"),
        "vertex": ("gemini", "anthropic", "openai-chat"),
        "cohere": ("cohere", "openai-chat"),
        "openrouter": ("openai-chat", "openai-responses", "anthropic"),
        **dict.fromkeys(
            ("cerebras", "deepseek", "groq", "huggingface", "mistral", "together", "xai"), _CHAT
        ),
    }
)
"""Names that `read` takes, and the wires that each provider's replies may have."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one reply says it cost. `raw` is its usage block as JSON text; `reason` says why the
    quality is not exact, or why the block disagrees with itself."""

    counters: Counters
    raw: str | None
    quality: Quality
    wire: str
    model: str | None
    response_id: str | None
    identity_holds: bool | None
    unaccounted: int
    reason: str


def read(provider: str, body: bytes) -> Usage:
    """Read a reply's usage: JSON, server-sent events, or Amazon's binary event stream.

    Raises:
        ConfigError: the provider is unknown, or the reply has another provider's shape.
        SourceError: the body cannot be read, or the provider answered with an error.
    """
    if provider not in PROVIDERS:
        raise ConfigError("provider", expected=" or ".join(PROVIDERS), observed=provider)
    chunks = events(provider, body)
    wire = _wire(provider, chunks)
    reply = REPLIES[wire](chunks)
    if reply.block is None:
        return _without_usage(wire, reply)
    reading = WIRES[wire](reply.block)
    quality, reason = _judge(reply, reading)
    return Usage(
        counters=reading.counters,
        raw=json.dumps(reply.block, ensure_ascii=False, separators=(",", ":")),
        quality=quality,
        wire=wire,
        model=reply.model,
        response_id=reply.response_id,
        identity_holds=reading.identity_holds,
        unaccounted=reading.unaccounted,
        reason=reason,
    )


def _judge(reply: Reply, reading: Reading) -> tuple[Quality, str]:
    if reading.counters.is_empty:
        return "missing", reading.reason
    if not reply.is_complete:
        if reading.counters.out_visible is None:
            return "missing", "the stream was cut: the input is known, the output never came"
        return "estimated", "the stream was cut: running values, not final ones"
    if reading.unaccounted:
        return "estimated", reading.reason
    return "exact", reading.reason


def _without_usage(wire: str, reply: Reply) -> Usage:
    said = "the reply carries no usage; a stream does only if it was asked for and not cut"
    return Usage(Counters(), None, "missing", wire, reply.model, reply.response_id, None, 0, said)


def _wire(provider: str, chunks: Sequence[Block]) -> str:
    allowed = PROVIDERS[provider]
    found = next((wire for chunk in chunks if (wire := _shape(chunk))), None)
    if found in allowed:
        return found
    if found is None:
        _refuse_error(provider, chunks)
        if len(allowed) == 1:
            return allowed[0]
    raise ConfigError(
        f"reply of {provider}",
        expected=f"the shape of {' or '.join(allowed)}",
        observed=f"the shape of {found}" if found else "a shape that no wire has",
        remedy="Name the provider that sent it, or use auto.",
    )


def _refuse_error(provider: str, chunks: Sequence[Block]) -> None:
    said = next((said for chunk in chunks if (said := _error(chunk))), None)
    if said:
        raise SourceError(
            provider,
            Fault.REFUSED,
            page="reply",
            expected="a reply with usage",
            observed=f"an error: {said[:200]}",
        )


def _error(chunk: Block) -> str | None:
    """The message of an error body; Amazon's is the bare `message`."""
    if chunk.get("error") or chunk.get("type") == "error":
        return str(part(chunk, "error").get("message") or chunk.get("error"))
    return str(chunk["message"]) if set(chunk) == {"message"} else None


def _shape(event: Block) -> str | None:
    """Which wire an event belongs to, by the fields that only that wire has."""
    kind = str(event.get("object") or "")
    spoken = str(event.get("type") or "")
    usage = part(event, "usage")
    marks = {
        "bedrock-log": event.get("schemaType") == "ModelInvocationLog",
        "openai-responses": kind.startswith("response") or spoken.startswith("response."),
        "cohere": "billed_units" in usage or spoken == "message-end",
        "anthropic": spoken in _ANTHROPIC or "cache_creation" in usage,
        "gemini": any(k in event for k in ("usageMetadata", "candidates", "promptFeedback")),
        "bedrock": "inputTokens" in usage or any(k in event for k in _CONVERSE),
        "openai-chat": kind.startswith("chat.completion")
        or "prompt_tokens" in usage
        or "choices" in event,
    }
    return next((wire for wire, has in marks.items() if has), None)


_ANTHROPIC = ("message", "message_start", "message_delta", "content_block_start")
_CONVERSE = ("messageStart", "contentBlockDelta", "contentBlockStart", "messageStop", "metadata")
