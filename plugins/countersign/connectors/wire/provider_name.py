"""What sources call a provider, as the one name that records carry (OpenTelemetry's, if any)."""

from functools import lru_cache
from typing import Final

UNKNOWN: Final = "unknown"

_NAMES: Final = {
    "amazon-bedrock": "aws.bedrock",
    "aws": "aws.bedrock",
    "aws-bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure.ai.inference": "azure.ai.inference",
    "azure-openai": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "google-ai-studio": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "google-vertex-ai": "gcp.vertex_ai",
    "google.vertex": "gcp.vertex_ai",
    "vertex": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google": "gcp.gen_ai",
    "grok": "x_ai",
    "xai": "x_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "perplexity-ai": "perplexity",
    "watsonx": "ibm.watsonx.ai",
}
"""Google without a product stays the name that says neither Gemini API nor Vertex AI."""


@lru_cache(maxsize=1024)
def canonical(said: str) -> str:
    """`aws.bedrock` for `Bedrock`; `openai` for `openai.responses`; an unknown name as it is."""
    name = said.strip().lower()
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        known = _NAMES.get(".".join(parts[:length]))
        if known is not None:
            return known
    return parts[0] if parts[0] in _WITH_API else name


_SPOKEN: Final = frozenset(_NAMES.values()) | {"anthropic", "cohere", "openai", "openrouter"}
_WITH_API: Final = frozenset({"anthropic", "cohere", "deepseek", "groq", "openai", "openrouter"})
"""Providers whose name the Vercel AI SDK follows by an interface: `openai.responses`."""


def written(said: str) -> str:
    """A name that a person wrote: a known provider's canonical one, any other as it stands."""
    name = canonical(said)
    return name if name in _SPOKEN else said


_HOSTS: Final = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "api.anthropic.com": "anthropic",
    "amazonaws.com": "aws.bedrock",
    "api.aws": "aws.bedrock",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "openrouter.ai": "openrouter",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.deepseek.com": "deepseek",
    "api.cohere.com": "cohere",
    "api.x.ai": "x_ai",
    "api.cerebras.ai": "cerebras",
    "api.perplexity.ai": "perplexity",
}


@lru_cache(maxsize=1024)
def of_host(host: str) -> str:
    """The provider whose public host it is, with or without a region before it."""
    name = host.lower().rstrip(".")
    known = (
        said for end, said in _HOSTS.items() if name == end or name.endswith(("." + end, "-" + end))
    )
    return next(known, UNKNOWN)
