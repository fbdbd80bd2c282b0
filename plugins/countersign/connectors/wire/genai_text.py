"""What was asked and answered, where a span or its events recorded it: every convention's way."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from countersign.connectors.wire.otlp_json import Attributes, Exported
from countersign.connectors.wire.value import text

_MOST: Final = 10_000
"""More numbered messages than any span has."""
_SPOKEN: Final = ("text", "output_text", "input_text", None)

Message = Mapping[str, Any]


def said(span: Exported) -> Iterator[tuple[str, str]]:
    """Yield `prompt` with the last user message, and `output` with the answer."""
    recorded = dict(span.attributes)
    for event in span.events:
        recorded |= {k: v for k, v in _of_event(event.name, event.attributes) if k not in recorded}
    asked = [m for m in _asked(recorded) if m.get("role") in ("user", "human", None)]
    prompt = _words(asked[-1]) if asked else None
    if prompt:
        yield "prompt", prompt
    answers = _answered(recorded)
    answer = "".join(filter(None, map(_words, answers[:1]))) or text(_plain_answer(recorded))
    if answer:
        yield "output", answer


def _asked(recorded: Attributes) -> Sequence[Message]:
    return (
        _messages(recorded.get("gen_ai.input.messages"))
        or _messages(recorded.get("gen_ai.prompt"))
        or _numbered(recorded, "gen_ai.prompt.", "")
        or _numbered(recorded, "llm.input_messages.", "message.")
        or _messages(recorded.get("ai.prompt.messages"))
    )


def _answered(recorded: Attributes) -> Sequence[Message]:
    return (
        _messages(recorded.get("gen_ai.output.messages"))
        or _messages(recorded.get("gen_ai.completion"))
        or _numbered(recorded, "gen_ai.completion.", "")
        or _numbered(recorded, "llm.output_messages.", "message.")
    )


def _plain_answer(recorded: Attributes) -> Any:
    return recorded.get("ai.response.text") or recorded.get("ai.response.object")


def _of_event(name: str, given: Attributes) -> Iterator[tuple[str, Any]]:
    """The deprecated events, one a message, beside those that carry the attributes themselves."""
    if name == "gen_ai.user.message":
        yield "gen_ai.input.messages", [{"role": "user", **given}]
    elif name == "gen_ai.choice":
        answer = given.get("message")
        yield "gen_ai.output.messages", [answer if isinstance(answer, dict) else given]
    else:
        yield from given.items()


def _messages(recorded: Any) -> Sequence[Message]:
    """A list of messages, structured or as JSON text; bare text is one message."""
    if isinstance(recorded, str) and recorded[:1] in ("[", "{"):
        try:
            recorded = json.loads(recorded)
        except (ValueError, RecursionError):
            return ({"content": recorded},)
    if isinstance(recorded, str):
        return ({"content": recorded},) if recorded else ()
    found = recorded if isinstance(recorded, list) else [recorded]
    return [message for message in found if isinstance(message, dict)]


def _numbered(recorded: Attributes, prefix: str, inside: str) -> Sequence[Message]:
    """Messages that were flattened: `llm.input_messages.0.message.role`."""
    found: dict[int, dict[str, Any]] = {}
    for name, value in recorded.items():
        if not name.startswith(prefix):
            continue
        number, _, rest = name.removeprefix(prefix).partition(".")
        if number.isascii() and number.isdigit() and len(number) < 6 and int(number) < _MOST:
            found.setdefault(int(number), {})[rest.removeprefix(inside)] = value
    return [found[number] for number in sorted(found)]


def _words(message: Message) -> str | None:
    """The text of a message: content, parts, or numbered contents."""
    for name in ("parts", "content"):
        value = message.get(name)
        if isinstance(value, str):
            return text(_decoded(value))
        if isinstance(value, list):
            return text("".join(_spoken(value)))
    contents = _numbered(message, "contents.", "message_content.")
    return text("".join(_spoken(contents))) if contents else None


def _decoded(content: str) -> str:
    """Some instrumentations write a list of parts as JSON text."""
    if not content.startswith("[{"):
        return content
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return content
    return "".join(_spoken(found)) or content


def _spoken(parts: Sequence[Any]) -> Iterator[str]:
    """The parts that are text; reasoning, tool calls and pictures are not what was said."""
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict) and part.get("type") in _SPOKEN:
            value = part.get("text", part.get("content"))
            if isinstance(value, str):
                yield value
