"""The text of one logged call: what was asked last, and what was answered."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from countersign.connectors.wire.value import Row, inner, text

_CUT_MARK: Final = "litellm_truncated"


@dataclass(frozen=True, slots=True)
class Talk:
    """What a gateway kept of one exchange; all None where it keeps nothing.

    `prompt` is the last user message: the earlier ones were the input of earlier calls.
    """

    prompt: str | None = None
    answer: str | None = None
    finish_reason: str | None = None
    turns: int | None = None


_SILENT: Final = Talk()


def talk(fields: Row) -> Talk:
    """Read `messages` and `response`, in the Chat or the Messages shape."""
    logged, response = fields.get("messages"), fields.get("response")
    if not logged and not response:
        return _SILENT
    spoken = _messages(logged)
    asked = [m for m in spoken if m.get("role") == "user"]
    answer, finish_reason = _answer(_decoded(response))
    return Talk(
        prompt=_joined(asked[-1].get("content")) if asked else None,
        answer=answer,
        finish_reason=finish_reason,
        turns=len(asked) if spoken else None,
    )


def is_cut(said: str) -> bool:
    """Whether LiteLLM shortened the text for its database (2,048 characters)."""
    return _CUT_MARK in said


def _messages(logged: object) -> Sequence[Row]:
    """The logged messages; none when the gateway keeps none (`{}`, null, or absent)."""
    decoded = _decoded(logged)
    if isinstance(decoded, str):
        return ({"role": "user", "content": decoded},)
    return [m for m in decoded if isinstance(m, dict)] if isinstance(decoded, list) else ()


def _answer(response: object) -> tuple[str | None, str | None]:
    if isinstance(response, str):
        return text(response), None
    if not isinstance(response, dict):
        return None, None
    choices = response.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        said = inner(choices[0], "message").get("content")
        return _joined(said), text(choices[0].get("finish_reason"))
    return _joined(response.get("content")), text(response.get("stop_reason"))


def _decoded(value: object) -> object:
    """A JSON column: decoded by the API, text in database exports; plain text stays text."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value or None


def _joined(content: object) -> str | None:
    """The text of a message whose content is text, or a list of parts."""
    if isinstance(content, list):
        return text("".join(_parts(content)))
    return text(content) if isinstance(content, str) else None


def _parts(content: list[object]) -> Iterator[str]:
    for part in content:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]
