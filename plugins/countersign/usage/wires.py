"""Every wire by name: how its usage block is read, and how a reply's block is found."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from countersign.errors import ConfigError
from countersign.usage import (
    anthropic,
    azure,
    bedrock,
    cohere,
    gemini,
    litellm,
    openai_chat,
    openai_responses,
    openrouter,
    otel,
    report,
)
from countersign.usage.reply import Reply
from countersign.usage.tokens import Block, Counters, Reading

WIRES: Final[Mapping[str, Callable[[Block], Reading]]] = MappingProxyType(
    {
        "openai-chat": openai_chat.read,
        "openai-responses": openai_responses.read,
        "anthropic": anthropic.read,
        "bedrock": bedrock.read,
        "bedrock-log": bedrock.read_log,
        "gemini": gemini.read,
        "cohere": cohere.read,
        "litellm": litellm.read,
        "otel": otel.read,
        "openai-usage-api": report.read_openai,
        "anthropic-usage-report": report.read_anthropic,
        "azure-metrics": azure.read_metrics,
        "azure-request-usage": azure.read_request,
        "openrouter-generation": openrouter.read_generation,
        "openrouter-activity": openrouter.read_activity,
    }
)

REPLIES: Final[Mapping[str, Callable[[Sequence[Block]], Reply]]] = MappingProxyType(
    {
        "openai-chat": openai_chat.reply,
        "openai-responses": openai_responses.reply,
        "anthropic": anthropic.reply,
        "bedrock": bedrock.reply,
        "bedrock-log": bedrock.reply_log,
        "gemini": gemini.reply,
        "cohere": cohere.reply,
    }
)
"""The wires that a single reply can have."""


def reading(wire: str, block: Block) -> Reading:
    """Counters of a usage block, and whether it agrees with itself.

    Raises:
        ConfigError: no wire has that name.
    """
    if wire not in WIRES:
        raise ConfigError("usage wire", expected=" or ".join(WIRES), observed=wire)
    return WIRES[wire](block)


def counters(wire: str, block: Block) -> Counters:
    """Counters of a usage block."""
    return reading(wire, block).counters
