"""What a reply says and why it stopped, wire by wire.

Arguments of tool calls and reasoning are billed as output, but no client is shown them as the
answer: they are no part of the text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from countersign.connectors.wire.value import text
from countersign.usage.tokens import Block, part


def written(wire: str, chunks: Sequence[Block]) -> str | None:
    """The text of a reply, all of its pieces; None where it has none."""
    read = _WIRES.get(wire)
    return text("".join(said for chunk in chunks for said in read(chunk))) if read else None


def finish_reason(chunks: Sequence[Block]) -> str | None:
    """Why the reply stopped, in the wire's own word; None for one that was cut."""
    return next((said for chunk in reversed(chunks) if (said := _stop(chunk))), None)


def _stop(chunk: Block) -> str | None:
    own = (*_items(chunk, "choices"), *_items(chunk, "candidates"))
    places = (
        *((c, n) for c in own for n in ("finish_reason", "finishReason")),
        (chunk, "stop_reason"),
        (chunk, "stopReason"),
        (part(chunk, "delta"), "stop_reason"),
        (part(chunk, "delta"), "finish_reason"),
        (part(chunk, "messageStop"), "stopReason"),
        (chunk, "finish_reason"),
    )
    said = next((v for block, name in places if (v := text(block.get(name)))), None)
    return said or _status(part(chunk, "response") or chunk)


def _status(response: Block) -> str | None:
    """Responses have no finish reason but a status, which is also that of a running one."""
    said = text(response.get("status")) if response.get("object") == "response" else None
    return said if said in ("completed", "incomplete", "failed", "cancelled") else None


def _chat(chunk: Block) -> Iterator[str]:
    for choice in _items(chunk, "choices"):
        said = part(choice, "message") or part(choice, "delta")
        yield from _content(said.get("content"))


def _responses(chunk: Block) -> Iterator[str]:
    if chunk.get("type") == "response.output_text.delta":
        yield from _text(chunk.get("delta"))
    for item in _items(chunk, "output"):
        if item.get("type") == "message":
            yield from _content(item.get("content"))


def _messages(chunk: Block) -> Iterator[str]:
    yield from _blocks(_items(chunk, "content"))
    yield from _text(part(chunk, "delta").get("text"))


def _converse(chunk: Block) -> Iterator[str]:
    yield from _blocks(_items(part(part(chunk, "output"), "message"), "content"))
    yield from _text(part(part(chunk, "contentBlockDelta"), "delta").get("text"))


def _gemini(chunk: Block) -> Iterator[str]:
    for candidate in _items(chunk, "candidates"):
        for item in _items(part(candidate, "content"), "parts"):
            if not item.get("thought"):
                yield from _text(item.get("text"))


def _cohere(chunk: Block) -> Iterator[str]:
    for said in (part(chunk, "message"), part(part(chunk, "delta"), "message")):
        yield from _content(said.get("content"))
        yield from _text(part(said, "content").get("text"))


def _blocks(items: Sequence[Block]) -> Iterator[str]:
    """Content blocks of Anthropic and of Converse."""
    for item in items:
        yield from _text(item.get("text"))


def _content(content: object) -> Iterator[str]:
    yield from _text(content)
    for item in content if isinstance(content, list) else ():
        if isinstance(item, Mapping):
            yield from _text(item.get("text"))


def _text(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value


def _items(block: Block, name: str) -> list[Block]:
    found = block.get(name)
    return [i for i in found if isinstance(i, Mapping)] if isinstance(found, list) else []


_WIRES: Final[Mapping[str, Callable[[Block], Iterator[str]]]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic": _messages,
    "bedrock": _converse,
    "gemini": _gemini,
    "cohere": _cohere,
}
