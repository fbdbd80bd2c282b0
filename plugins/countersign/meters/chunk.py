"""The text that a piece of an answer puts before a reader, and the provider's id of the answer.

Counted: what a chat shows. Tool-call arguments are billed output that no one reads, and reasoning
is billed output that most surfaces hide: both are left out. The pieces are LiteLLM's objects,
dictionaries, or raw server-sent events (Chat Completions, Completions, Messages, Responses).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

_DELTAS: Final = ("response.output_text.delta", "response.refusal.delta")
_LONGEST: Final = 1_048_576
"""An event that is longer is let go: a meter must not hold what a broken stream sends."""


class Reader:
    """Reads one answer piece by piece; raw events may be cut anywhere between pieces."""

    __slots__ = ("_rest", "response_id")

    def __init__(self) -> None:
        self.response_id: str | None = None
        self._rest = b""

    def text(self, piece: object) -> str:
        """The text of the next piece; remembers the first id that is seen."""
        return "".join(self._told(item) for item in self._items(piece))

    def _items(self, piece: object) -> Iterator[object]:
        if not isinstance(piece, str | bytes):
            yield piece
            return
        self._rest += piece.encode() if isinstance(piece, str) else piece
        *lines, rest = self._rest.replace(b"\r\n", b"\n").split(b"\n")
        self._rest = rest if len(rest) <= _LONGEST else b""
        for line in lines:
            if line.startswith(b"data:"):
                yield _decoded(line[5:])

    def _told(self, item: object) -> str:
        self.response_id = self.response_id or _identity(item)
        choices = _of(item, "choices")
        if isinstance(choices, list):
            return "".join(_choice(choice) for choice in choices)
        kind, delta = _of(item, "type"), _of(item, "delta")
        if kind in _DELTAS:
            return _string(delta)
        if kind == "content_block_delta":
            return _string(_of(delta, "text"))
        return "".join(_string(_of(part, "text")) for part in _parts(item))


def _choice(choice: object) -> str:
    """A delta of a stream, a whole message, or a plain completion."""
    spoken = _of(choice, "delta") or _of(choice, "message")
    content = _of(spoken, "content") if spoken is not None else _of(choice, "text")
    return _string(content) + _string(_of(spoken, "refusal"))


def _parts(item: object) -> list[object]:
    """The content of a whole Messages answer; other events that have content show none."""
    content = _of(item, "content") if _of(item, "type") == "message" else None
    return content if isinstance(content, list) else []


def _identity(item: object) -> str | None:
    own = _of(item, "id")
    nested = _of(_of(item, "message") or _of(item, "response"), "id")
    return next((name for name in (nested, own) if isinstance(name, str) and name), None)


def _of(item: object, name: str) -> object:
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _decoded(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None  # `[DONE]`, or an event of no known form: nothing that a reader sees
