"""A table as plain values: what a template prints cell by cell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from countersign.canonical import Json
from countersign.model import State
from countersign.packet.mark import WORDS
from countersign.packet.number import Cell
from countersign.packet.text import plain

_UNBROKEN: Final = 18
"""A name up to this long is never broken at its hyphens."""


@dataclass(frozen=True, slots=True)
class Column:
    """A head with its unit; `align` is left or right; `width` in per cent, 0 lets it be."""

    head: str
    align: str = "left"
    width: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row; the first cell heads it. `kind` is `sum`, `weak` or nothing."""

    cells: tuple[Cell, ...]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, columns and rows; `more` counts rows that stand in an attachment only."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    more: int = 0
    note: str = ""


def columns(*heads: str, widths: tuple[int, ...] = ()) -> tuple[Column, ...]:
    """Columns by their heads; a head that starts with `>` is set to the right."""
    shares = (*widths, *(0 for _ in heads[len(widths) :]))
    return tuple(
        Column(head.lstrip(">"), "right" if head.startswith(">") else "left", share)
        for head, share in zip(heads, shares, strict=True)
    )


def row(*cells: Cell, kind: str = "") -> Row:
    """One row."""
    return Row(cells, kind)


def text_cell(value: object, limit: int = 60, kind: str = "") -> Cell:
    """A cell of text that came from outside."""
    if value is None:
        return Cell("missing", "missing")
    shown = plain(value, limit)
    is_name = len(shown) <= _UNBROKEN and " " not in shown
    return Cell(shown, kind or ("unbroken" if is_name else ""))


def short_id(value: object) -> Cell:
    """An identifier by its first eight characters; the whole stands in the attachment."""
    return text_cell(str(value)[:8], 8, "mono") if value is not None else text_cell(None)


def records(value: Json, limit: int = 10_000) -> list[Mapping[str, Json]]:
    """The objects in a list of a document; anything else in it is left out."""
    items: Iterable[Json] = value if isinstance(value, list) else ()
    found: list[Mapping[str, Json]] = [item for item in items if isinstance(item, dict)]
    return found[:limit]


def integer(document: Mapping[str, Json], name: str) -> int | None:
    """An integer member, or None."""
    value = document.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def state_cell(state: object, shown: str = "") -> Cell:
    """A verdict in a table: mark, word and colour; any other word stays a word."""
    if state is None:
        return text_cell(None)
    known = state in set(State)
    word = shown or (WORDS[State(str(state))] if known else plain(state, 80))
    return Cell(word, f"state {state}" if known else "")
