"""Which attributes of spans hold what people said, or who they are. Data: review it as such."""

from typing import Final

CONTENT: Final = (
    *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"),
    *("gen_ai.prompt", "gen_ai.completion", "gen_ai.tool.definitions", "gen_ai.event.content"),
    *("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),
    *("gen_ai.retrieval.query.text", "gen_ai.retrieval.documents"),
    *("input.value", "output.value", "llm.input_messages", "llm.output_messages", "llm.prompts"),
    *("llm.prompt_template.template", "llm.prompt_template.variables", "llm.function_call"),
    *("embedding.embeddings", "embedding.text"),
    *("retrieval.documents", "reranker.query", "reranker.input_documents"),
    *("reranker.output_documents", "message.content", "document.content", "tool.parameters"),
    *("traceloop.entity.input", "traceloop.entity.output", "llm.content.completion.chunk"),
    *("traceloop.prompt.template", "traceloop.prompt.template_variables", "ai.prompt"),
    *("ai.response.text", "ai.response.object"),
    *("ai.response.toolCalls", "ai.response.reasoning", "ai.toolCall.args", "ai.toolCall.result"),
    *("ai.value", "ai.values", "ai.embedding", "ai.embeddings", "ai.documents"),
    *("db.statement", "db.query.text", "db.query.parameter", "exception.message"),
    *("exception.stacktrace", "mcp.request.argument", "mcp.response.value"),
)
"""Attributes that hold what people or models said, and everything below them (`name.0.text`)."""

FACTS: Final = frozenset({"gen_ai.prompt.name", "gen_ai.prompt.version"})
"""What lies below a name of content and says nothing of it."""

IDENTITY: Final = (
    *("user", "enduser", "client.address", "client.socket.address", "http.client_ip", "llm.user"),
    *("llm.headers", "http.request.header", "ai.request.headers", "session.id"),
    *("traceloop.association.properties.user_id", "traceloop.association.properties.session_id"),
    *("gen_ai.conversation.id", "source.address", "net.sock.peer.addr"),
)
"""Attributes that could identify a person, and everything below them."""
