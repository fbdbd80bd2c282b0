"""The footing ladder: from what was billed down to what was read, class by class.

The billed bar starts at zero; each class hangs at the running total in the control's order; the
rendered bar stands at the foot. Below, the unexplained part against its limit.
"""

from collections.abc import Mapping
from itertools import accumulate
from typing import Final

from countersign.canonical import Json
from countersign.packet.number import MISSING, added, grouped, usd
from countersign.packet.pictures import statement
from countersign.packet.pictures.canvas import WIDTH, Canvas
from countersign.packet.pictures.metrics import fit, width
from countersign.packet.pictures.palette import Palette
from countersign.packet.table import (
    Table,
    integer,
    records,
)  # fmt: skip
from countersign.packet.text import words

HEADING: Final = "From what was billed to what was read"
_LABEL_END, _BAR, _BAR_END, _TOKENS_END = 118.0, 126.0, 336.0, 408.0
_STEP, _THICK, _TOP = 17.0, 11.0, 25.0
_SMALLEST = 0.9


def draw(picture: Mapping[str, Json], palette: Palette) -> str:
    """The ladder; empty when the billed total is unknown."""
    rows = _drawn(records(picture.get("rows")))
    if len(rows) < 2 or integer(rows[0], "tokens") is None:
        return ""
    canvas = Canvas(palette, _title(rows, picture))
    _heads(canvas)
    scale = (_BAR_END - _BAR) / max(1, *_running(rows))
    y = _TOP
    for position, entry in enumerate(rows):
        last = position == len(rows) - 1
        if last:
            y += 2.5
            canvas.line((0, y - 4.5, WIDTH, y - 4.5), palette.ink, thick=0.8)
        _bar(canvas, (rows, position), (scale, y))
        _label(canvas, entry, (position, y))
        y += _STEP
    height = _against_limit(canvas, picture, y + 6)
    return canvas.svg(height)


def _drawn(rows: list[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
    """Without the classes in which nothing was found: the table below has these zeros."""
    return [e for e in rows if e.get("role") != "class" or e.get("tokens") or e.get("usd_micros")]


def numbers(detail: Mapping[str, Json]) -> tuple[Table, ...]:
    """The statement to the last micro-dollar, the providers, the tax and the unlogged keys."""
    return statement.tables(detail)


def _title(rows: list[Mapping[str, Json]], picture: Mapping[str, Json]) -> str:
    billed, rendered = integer(rows[0], "tokens"), integer(rows[-1], "tokens")
    ppm, limit = integer(picture, "unexplained_ppm"), integer(picture, "limit_ppm")
    parts = [f"{_count(billed)} tokens billed, {_count(rendered)} rendered to readers."]
    parts += [f"{entry['label']}: {_count(integer(entry, 'tokens'))}." for entry in rows[1:-1]]
    parts.append(f"Unexplained {_count(ppm)} ppm of billed cost, limit {_count(limit)} ppm.")
    return " ".join(parts)


def _count(value: int | None) -> str:
    return "missing" if value is None else grouped(value)


def _heads(canvas: Canvas) -> None:
    mute = canvas.palette.mute
    canvas.text((_LABEL_END, 8), "class", size=7.5, anchor="end", fill=mute)
    canvas.text((_BAR, 8), "tokens, from zero", size=7.5, fill=mute)
    canvas.text((_TOKENS_END, 8), "tokens", size=7.5, anchor="end", fill=mute)
    canvas.text((WIDTH, 8), "US dollars", size=7.5, anchor="end", fill=mute)
    canvas.line((0, 13.5, WIDTH, 13.5), canvas.palette.ink, thick=0.8)


def _running(rows: list[Mapping[str, Json]]) -> list[int]:
    """The total that is left after each row; the last row stands on its own."""
    billed = integer(rows[0], "tokens") or 0
    taken = [integer(entry, "tokens") or 0 for entry in rows[1:-1]]
    return list(accumulate(taken, lambda left, part: left - part, initial=billed))


def _bar(
    canvas: Canvas, place: tuple[list[Mapping[str, Json]], int], frame: tuple[float, float]
) -> None:
    rows, position = place
    scale, y = frame
    tokens = integer(rows[position], "tokens")
    if tokens is None:
        return
    if position in {0, len(rows) - 1}:
        if tokens:
            length = max(tokens * scale, _SMALLEST)
            canvas.rect((_BAR, y - 3, length, _THICK), canvas.palette.data)
        return
    running = _running(rows)
    before, after = running[position - 1] * scale, running[position] * scale
    _drop(canvas, _BAR + before, (y - 3 - (_STEP - _THICK), y - 3))
    if tokens:
        length = max(abs(after - before), _SMALLEST)
        canvas.rect((_BAR + max(before, after) - length, y - 3, length, _THICK), canvas.palette.ref)
    else:
        _drop(canvas, _BAR + before, (y - 3, y - 3 + _THICK))
    if position == len(rows) - 2:
        _drop(canvas, _BAR + after, (y - 3 + _THICK, y + _STEP - 0.5))


def _drop(canvas: Canvas, x: float, span: tuple[float, float]) -> None:
    """The thin line that carries the running total down; a class of zero is only that."""
    canvas.line((x, span[0], x, span[1]), canvas.palette.ink, thick=0.4)


def _label(canvas: Canvas, entry: Mapping[str, Json], place: tuple[int, float]) -> None:
    position, y = place[0], place[1] + 5.5
    role = entry.get("role")
    weight = 400 if role == "class" else 600
    figures = 600 if role == "total" else 400
    taken = position > 0 and role != "total"
    label = fit(words(str(entry.get("label"))), _LABEL_END - 2, 8, weight)
    canvas.text((_LABEL_END, y), label, anchor="end", weight=weight)
    for end, name in ((_TOKENS_END, "tokens"), (WIDTH, "usd_micros")):
        value = integer(entry, name)
        shown = MISSING.text if value is None else _figure(value, name, taken=taken)
        fill = canvas.palette.inconclusive if value is None else canvas.palette.ink
        canvas.text((end, y), shown, anchor="end", weight=figures, fill=fill)


def _figure(value: int, name: str, *, taken: bool) -> str:
    """The number as the table has it: a class with the sign of what it does to the total."""
    shown = -value if taken else value
    figure = grouped(shown) if name == "tokens" else usd(shown)
    return added(figure) if taken else figure


def _against_limit(canvas: Canvas, picture: Mapping[str, Json], y: float) -> float:
    """The unexplained part on its own scale, with the limit as a tick; returns the height."""
    ppm, limit = integer(picture, "unexplained_ppm"), integer(picture, "limit_ppm")
    palette = canvas.palette
    if limit is None:
        return y - 6
    end = _BAR + 175
    canvas.text((_LABEL_END, y + 6), "unexplained, ppm of cost", anchor="end", fill=palette.mute)
    canvas.rect((_BAR, y, end - _BAR, 7), palette.tint)
    if ppm is None:
        canvas.text((_BAR + 4, y + 6.2), "missing", size=7.5, fill=palette.inconclusive)
    else:
        over = abs(ppm) > limit
        length = min(abs(ppm) / max(limit, 1), 1.0) * (end - _BAR)
        fill = palette.not_satisfied if over else palette.ink
        if ppm:
            canvas.rect((_BAR, y, max(length, _SMALLEST), 7), fill)
        _value(canvas, (grouped(ppm), over), (_BAR + length, end, y))
    canvas.line((end, y - 3.5, end, y + 10.5), palette.ink, thick=1)
    name = f"limit {grouped(limit)}"
    canvas.text((end + 4, y + 6.2), name, size=7.5)
    if ppm is not None and abs(ppm) > limit:
        after = end + 4 + width(name, 7.5) + 8
        canvas.text(
            (after, y + 6.2),
            f"observed {grouped(ppm)}, bar cut at the limit",
            size=7.5,
            weight=600,
            fill=palette.not_satisfied,
        )
    return y + 12


def _value(canvas: Canvas, value: tuple[str, bool], place: tuple[float, float, float]) -> None:
    """The number beside its bar, where it does not reach the limit's tick."""
    shown, over = value
    start, end, y = place
    if over:
        return
    if start + 4 + width(shown, 7.5, 600) < end - 3:
        canvas.text((start + 4, y + 6.2), shown, size=7.5, weight=600)
    else:
        canvas.text(
            (start - 4, y + 6.2),
            shown,
            size=7.5,
            weight=600,
            anchor="end",
            fill=canvas.palette.paper,
        )
