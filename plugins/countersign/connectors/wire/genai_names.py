"""The one table of what conventions call a thing on a span. Data: review it as such.

A row says, under our name: their name, whose convention, in which version of it the name was
looked up, and by how much a number is divided. Our names are the newest of OpenTelemetry GenAI
where it has one. Rows stand in order of trust: the first that a span has is read.

Conventions and versions: `otel` is OpenTelemetry's, 1.44 the release of its Python package (old
names are in it as deprecated ones), `genai` the repository without a release; `openinference`
and `openllmetry` are Arize's and Traceloop's, by commit (0.0 its first releases); `vercel-ai`
is what the AI SDK writes itself; `openlit` is OpenLIT's; `-` is a name that others read and that
was not found in a source of its own.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Name(NamedTuple):
    """One row."""

    ours: str
    theirs: str
    convention: str
    seen: str
    divided_by: int = 1


OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
USAGE: Final = "gen_ai.usage."

_TABLE: Final[Mapping[str, tuple[tuple[str, str, str] | tuple[str, str, str, int], ...]]] = {
    OPERATION: (
        ("gen_ai.operation.name", "otel", "1.44"),
        ("ai.operationId", "vercel-ai", "6"),
        ("openinference.span.kind", "openinference", "00e2b515"),
        ("llm.request.type", "openllmetry", "0129a0a5"),
    ),
    PROVIDER: (
        ("gen_ai.provider.name", "otel", "1.44"),
        ("gen_ai.system", "otel", "1.44"),
        ("llm.provider", "openinference", "00e2b515"),
        ("llm.system", "openinference", "00e2b515"),
        ("ai.model.provider", "vercel-ai", "6"),
        ("llm.vendor", "openllmetry", "0.0"),
    ),
    "gen_ai.request.model": (
        ("gen_ai.request.model", "otel", "1.44"),
        ("llm.request.model_name", "openinference", "00e2b515"),
        ("embedding.model_name", "openinference", "00e2b515"),
        ("reranker.model_name", "openinference", "00e2b515"),
        ("llm.request.model", "openllmetry", "0.0"),
        ("ai.model.id", "vercel-ai", "6"),
    ),
    "gen_ai.response.model": (
        ("gen_ai.response.model", "otel", "1.44"),
        ("llm.response.model_name", "openinference", "00e2b515"),
        ("llm.model_name", "openinference", "00e2b515"),
        ("llm.response.model", "openllmetry", "0.0"),
        ("ai.response.model", "vercel-ai", "6"),
    ),
    "gen_ai.response.id": (
        ("gen_ai.response.id", "otel", "1.44"),
        ("ai.response.id", "vercel-ai", "6"),
    ),
    "gen_ai.response.finish_reasons": (
        ("gen_ai.response.finish_reasons", "otel", "1.44"),
        ("llm.finish_reason", "openinference", "00e2b515"),
        ("llm.response.finish_reason", "openllmetry", "0129a0a5"),
        ("llm.response.stop_reason", "openllmetry", "0129a0a5"),
        ("ai.response.finishReason", "vercel-ai", "6"),
    ),
    "gen_ai.request.stream": (
        ("gen_ai.request.stream", "otel", "1.44"),
        ("llm.is_streaming", "openllmetry", "0129a0a5"),
    ),
    "gen_ai.response.time_to_first_chunk": (
        ("gen_ai.response.time_to_first_chunk", "otel", "1.44"),
        ("ai.response.msToFirstChunk", "vercel-ai", "6", 1000),
    ),
    "gen_ai.conversation.id": (
        ("gen_ai.conversation.id", "otel", "1.44"),
        ("session.id", "openinference", "00e2b515"),
        ("traceloop.association.properties.session_id", "openllmetry", "0129a0a5"),
    ),
    "gen_ai.workflow.name": (
        ("gen_ai.workflow.name", "otel", "1.44"),
        ("traceloop.workflow.name", "openllmetry", "0129a0a5"),
        ("ai.telemetry.functionId", "vercel-ai", "6"),
    ),
    "openai.response.service_tier": (
        ("openai.response.service_tier", "otel", "1.44"),
        ("gen_ai.openai.response.service_tier", "otel", "1.44"),
        ("openai.request.service_tier", "otel", "1.44"),
        ("gen_ai.openai.request.service_tier", "otel", "1.44"),
    ),
    "user.id": (
        ("user.id", "otel", "1.44"),
        ("enduser.id", "otel", "1.44"),
        ("llm.user", "openllmetry", "0129a0a5"),
        ("traceloop.association.properties.user_id", "openllmetry", "0129a0a5"),
    ),
    "server.address": (
        ("server.address", "otel", "1.44"),
        ("gen_ai.openai.api_base", "openllmetry", "0129a0a5"),
        ("net.peer.name", "otel", "1.44"),
    ),
    "error.type": (("error.type", "otel", "1.44"),),
    "http.response.status_code": (
        ("http.response.status_code", "otel", "1.44"),
        ("http.status_code", "otel", "1.44"),
    ),
    "db.system.name": (
        ("db.system.name", "otel", "1.44"),
        ("db.system", "otel", "1.44"),
    ),
    "gen_ai.usage.input_tokens": (
        ("gen_ai.usage.input_tokens", "otel", "1.44"),
        ("gen_ai.usage.prompt_tokens", "otel", "1.44"),
        ("llm.token_count.prompt", "openinference", "00e2b515"),
        ("llm.usage.prompt_tokens", "openllmetry", "0.0"),
        ("ai.usage.inputTokens", "vercel-ai", "6"),
        ("ai.usage.promptTokens", "vercel-ai", "6"),
        ("ai.usage.tokens", "vercel-ai", "6"),
    ),
    "gen_ai.usage.output_tokens": (
        ("gen_ai.usage.output_tokens", "otel", "1.44"),
        ("gen_ai.usage.completion_tokens", "otel", "1.44"),
        ("llm.token_count.completion", "openinference", "00e2b515"),
        ("llm.usage.completion_tokens", "openllmetry", "0.0"),
        ("ai.usage.outputTokens", "vercel-ai", "6"),
        ("ai.usage.completionTokens", "vercel-ai", "6"),
    ),
    "gen_ai.usage.total_tokens": (
        ("gen_ai.usage.total_tokens", "openllmetry", "-"),
        ("llm.usage.total_tokens", "openllmetry", "0129a0a5"),
        ("llm.token_count.total", "openinference", "00e2b515"),
        ("ai.usage.totalTokens", "vercel-ai", "6"),
    ),
    "gen_ai.usage.cache_read.input_tokens": (
        ("gen_ai.usage.cache_read.input_tokens", "otel", "1.44"),
        ("gen_ai.usage.cache_read_input_tokens", "openllmetry", "-"),
        ("llm.token_count.prompt_details.cache_read", "openinference", "00e2b515"),
        ("llm.token_count.prompt_details.cache_input", "openinference", "-"),
        ("ai.usage.inputTokenDetails.cacheReadTokens", "vercel-ai", "6"),
        ("ai.usage.cachedInputTokens", "vercel-ai", "6"),
    ),
    "gen_ai.usage.cache_write.input_tokens": (
        ("gen_ai.usage.cache_write.input_tokens", "otel", "genai"),
        ("gen_ai.usage.cache_creation.input_tokens", "otel", "1.44"),
        ("gen_ai.usage.cache_creation_input_tokens", "openllmetry", "-"),
        ("llm.token_count.prompt_details.cache_write", "openinference", "00e2b515"),
        ("ai.usage.inputTokenDetails.cacheWriteTokens", "vercel-ai", "6"),
    ),
    "gen_ai.usage.reasoning.output_tokens": (
        ("gen_ai.usage.reasoning.output_tokens", "otel", "1.44"),
        ("gen_ai.usage.reasoning_tokens", "openllmetry", "-"),
        ("llm.token_count.completion_details.reasoning", "openinference", "00e2b515"),
        ("ai.usage.outputTokenDetails.reasoningTokens", "vercel-ai", "6"),
        ("ai.usage.reasoningTokens", "vercel-ai", "6"),
    ),
    "gen_ai.usage.audio.output_tokens": (
        ("gen_ai.usage.audio.output_tokens", "otel", "genai"),
        ("llm.token_count.completion_details.audio", "openinference", "00e2b515"),
    ),
    "gen_ai.usage.image.output_tokens": (("gen_ai.usage.image.output_tokens", "otel", "genai"),),
    "cost_usd": (
        ("llm.cost.total", "openinference", "00e2b515"),
        ("gen_ai.usage.cost", "openlit", "-"),
    ),
}

NAMES: Final = tuple(Name(ours, *row) for ours, rows in _TABLE.items() for row in rows)

OPERATIONS: Final = {
    "chat": "chat",
    "LLM": "chat",
    "ai.generateText.doGenerate": "chat",
    "ai.streamText.doStream": "chat",
    "ai.generateObject.doGenerate": "chat",
    "ai.streamObject.doStream": "chat",
    "generate_content": "generate_content",
    "text_completion": "text_completion",
    "completion": "text_completion",
    "embeddings": "embeddings",
    "embedding": "embeddings",
    "EMBEDDING": "embeddings",
    "ai.embed.doEmbed": "embeddings",
    "ai.embedMany.doEmbed": "embeddings",
    "retrieval": "retrieval",
    "RETRIEVER": "retrieval",
    "rerank": "rerank",
    "RERANKER": "rerank",
    "ai.rerank.doRerank": "rerank",
}
"""Their operation values as ours. Others (agents, tools, chains, and the AI SDK's outer spans,
which repeat the totals of their inner ones) are no operation of a model."""

CALLS: Final = frozenset({"chat", "generate_content", "text_completion", "embeddings"})
SURFACES: Final = {
    "embeddings": "query_embedding",
    "retrieval": "vector_store",
    "rerank": "reranker",
}
VECTOR_STORES: Final = frozenset(
    {
        *("chroma", "chromadb", "lancedb", "marqo", "milvus", "pgvector", "pinecone", "qdrant"),
        *("turbopuffer", "vespa", "weaviate"),
    }
)
"""Database systems that hold vectors and little else."""
