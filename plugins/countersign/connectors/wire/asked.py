"""What a recorded request asked: the model, the last user message, whether to stream."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from countersign.connectors.wire.logged import operation
from countersign.connectors.wire.value import Row, flag, text

_METHOD: Final = re.compile(r":[a-zA-Z]+$")
"""Google's `model:generateContent`; Amazon's versions (`-v1:0`) are no methods."""
_LISTS: Final = ("messages", "input", "contents")
_ALSO: Final = {"compact": "chat", "chat": "chat"}
"""Responses' compaction and Cohere's chat, which cost tokens as any answer does."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for an answer; `prompt` is the last user message, None where no body was kept."""

    operation: str
    model: str | None = None
    prompt: str | None = None
    turns: int | None = None
    stream: bool | None = None


def asked(path: str, body: Row) -> Asked | None:
    """Read a request to a generating path; None for any other path, such as counting tokens."""
    named = operation(path) or _ALSO.get(path.rstrip("/").rpartition("/")[2].lower())
    if named is None:
        return None
    spoken = _spoken(body)
    mine = [m for m in spoken if m.get("role", "user") == "user" and _is_message(m)]
    return Asked(
        operation=named,
        model=text(body.get("model")) or _model(path),
        prompt=_said(mine[-1]) if mine else None,
        turns=len(mine) if spoken else None,
        stream=_streams(path, body),
    )


def polled(path: str) -> bool:
    """Whether a GET asks again for a Responses answer that was made in the background."""
    parent, _, last = path.rstrip("/").rpartition("/")
    return parent.endswith("/responses") and last.startswith("resp_")


def _streams(path: str, body: Row) -> bool | None:
    last = path.rpartition("/")[2].lower()
    if "stream" in last:
        return True
    if ":generatecontent" in last or last in ("converse", "invoke"):
        return False
    return flag(body.get("stream")) or (False if body else None)


def _model(path: str) -> str | None:
    """The model that a path names: `/models/M:generateContent`, `/model/M/converse`."""
    words = path.strip("/").split("/")
    at = next((i for i, word in enumerate(words[:-1]) if word in ("model", "models")), None)
    return None if at is None else text(_METHOD.sub("", unquote(words[at + 1])))


def _spoken(body: Row) -> Sequence[Row]:
    found = next((v for name in _LISTS if (v := body.get(name))), None)
    if isinstance(found, str):
        return [{"role": "user", "content": found}]
    return [m for m in found if isinstance(m, dict)] if isinstance(found, list) else []


def _is_message(item: Row) -> bool:
    """A Responses input also lists tool results and earlier reasoning: no message of a user."""
    return bool(item.get("type", "message") == "message")


def _said(message: Row) -> str | None:
    content = message.get("content", message.get("parts"))
    if isinstance(content, list):
        parts = [p["text"] for p in content if isinstance(p, dict) and _has_text(p)]
        return text("".join(parts))
    return text(content) if isinstance(content, str) else None


def _has_text(part: Row) -> bool:
    return isinstance(part.get("text"), str)
