"""A panel of two step lines on one axis of shares: what it is compared with, and what is.

Labels stand at their lines; one that would touch another is left out of the drawing, never moved
onto it (the table below has every number).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from countersign.packet.number import percent
from countersign.packet.pictures.canvas import WIDTH, Canvas
from countersign.packet.pictures.metrics import fit, width

LEFT: Final = 126.0
_TOP, _HEIGHT = 12.0, 128.0
_GAPS_PPM: Final = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 250_000)
_SIZE, _SMALL = 7.8, 7.2

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Level:
    """One step: its name and two shares in parts per million; None is missing."""

    name: str
    reference: int | None
    now: int | None

    @property
    def change(self) -> int:
        """Growth in parts per million; nothing where a share is missing."""
        known = self.reference is not None and self.now is not None
        return (self.now or 0) - (self.reference or 0) if known else 0

    @property
    def words(self) -> str:
        """`card-dispute: 0% → 7.4%`."""
        return f"{self.name}: {share(self.reference)} → {share(self.now)}"


@dataclass(frozen=True, slots=True)
class Frame:
    """Where shares and steps lie on the canvas."""

    step: float
    scale: float

    def y(self, ppm: int | None) -> float:
        """The height of a share."""
        return _TOP + _HEIGHT - (ppm or 0) * self.scale

    def x(self, position: float) -> float:
        """The left edge of a step."""
        return LEFT + self.step * position


def share(ppm: int | None) -> str:
    """A share in words."""
    if ppm is None:
        return "missing"
    return percent(ppm) if ppm else "0%"


def grown_most(levels: Sequence[Level]) -> int | None:
    """The position of the level whose share grew most, if any grew."""
    best = max(range(len(levels)), key=lambda i: levels[i].change, default=None)
    return best if best is not None and levels[best].change > 0 else None


def draw(canvas: Canvas, levels: Sequence[Level], title: str, *, moved: bool) -> float:
    """Draw the panel; `moved` marks the growth as a violation. Returns where it ends."""
    largest = max(max(level.reference or 0, level.now or 0) for level in levels)
    gap = next((step for step in _GAPS_PPM if largest <= 5 * step), 250_000)
    top = max(ceil(largest * 1.15 / gap), 1) * gap
    frame = Frame((WIDTH - LEFT) / len(levels), _HEIGHT / top)
    _grid(canvas, (top, gap), frame)
    for position, level in enumerate(levels):
        _shade(canvas, level, (position, frame), moved=moved)
    palette = canvas.palette
    canvas.path(_outline([e.reference for e in levels], frame), palette.mute, thick=0.9, dash="3 2")
    canvas.path(_outline([e.now for e in levels], frame), palette.data, thick=1.6)
    canvas.line((LEFT, _TOP + _HEIGHT, WIDTH, _TOP + _HEIGHT), palette.ink, thick=0.8)
    taken = _callout(canvas, levels, frame, moved=moved)
    _name_lines(canvas, levels, frame, taken)
    return _names(canvas, levels, frame, title)


def _grid(canvas: Canvas, axis: tuple[int, int], frame: Frame) -> None:
    top, gap = axis
    mute = canvas.palette.mute
    canvas.text((0, _TOP + 2.5), "share of requests", size=7.5, fill=mute)
    for value in range(0, top + 1, gap):
        y = frame.y(value)
        if value:
            canvas.line((LEFT, y, WIDTH, y), canvas.palette.rule, thick=0.5)
        shown = percent(value, 0 if gap % 10_000 == 0 else 1) if value else "0"
        canvas.text((LEFT - 6, y + 2.5), shown, size=_SMALL, anchor="end", fill=mute)


def _shade(canvas: Canvas, level: Level, place: tuple[int, Frame], *, moved: bool) -> None:
    position, frame = place
    if not level.change:
        return
    marked = moved and level.change > 0
    left, right = frame.x(position), frame.x(position + 1)
    low, high = frame.y(level.reference), frame.y(level.now)
    fill = canvas.palette.not_satisfied if marked else canvas.palette.tint
    corners = [(left, low), (left, high), (right, high), (right, low)]
    canvas.area(corners, fill, 0.16 if marked else 1.0)


def _outline(shares: list[int | None], frame: Frame) -> list[tuple[float, float]]:
    points = [(LEFT, _TOP + _HEIGHT)]
    for position, value in enumerate(shares):
        points += [(frame.x(position), frame.y(value)), (frame.x(position + 1), frame.y(value))]
    return [*points, (WIDTH, _TOP + _HEIGHT)]


def _callout(canvas: Canvas, levels: Sequence[Level], frame: Frame, *, moved: bool) -> list[Box]:
    """Name the level that grew most above both lines, with a leader; returns the room taken."""
    grown = grown_most(levels)
    if grown is None:
        return []
    colour = canvas.palette.not_satisfied if moved else canvas.palette.data
    label = fit(levels[grown].words, WIDTH - LEFT - 20, _SIZE, 600)
    wide = width(label, _SIZE, 600)
    x = frame.x(grown + 0.5)
    left = min(max(x - wide / 2, LEFT + 4), WIDTH - wide - 4)
    y = max(frame.y(_highest(levels, (left, left + wide), frame)) - 9, _TOP + 5)
    canvas.line((x, y + 2.5, x, frame.y(levels[grown].now) - 0.8), colour, thick=0.7)
    _label(canvas, (left, y, label), colour, weight=600)
    return [(left, y - 8, left + wide, y + 3)]


def _label(
    canvas: Canvas, label: tuple[float, float, str], fill: str, *, weight: int = 400
) -> None:
    """Words on a patch of paper, so that no line of the grid runs through them."""
    left, y, words = label
    patch = (left - 2, y - 6.6, width(words, _SIZE, weight) + 4, 8.6)
    canvas.rect(patch, canvas.palette.paper)
    canvas.text((left, y), words, size=_SIZE, weight=weight, fill=fill)


def _highest(levels: Sequence[Level], span: tuple[float, float], frame: Frame) -> int:
    first = max(int((span[0] - LEFT) // frame.step), 0)
    last = min(int((span[1] - LEFT) // frame.step), len(levels) - 1)
    return max(max(e.reference or 0, e.now or 0) for e in levels[first : last + 1])


def _name_lines(canvas: Canvas, levels: Sequence[Level], frame: Frame, taken: list[Box]) -> None:
    """`reference` above the lines where it stands out most, `this week` below them."""
    falls = sorted(range(len(levels)), key=lambda i: levels[i].change)
    for name, fill, weight in (
        ("reference", canvas.palette.mute, 400), ("this week", canvas.palette.data, 600),
    ):  # fmt: skip
        wide = width(name, _SIZE, weight)
        for position in falls:
            left = min(max(frame.x(position + 0.5) - wide / 2, LEFT + 3), WIDTH - wide - 3)
            y = _above_or_below(
                levels, (left - 4, left + wide + 4), frame, above=name == "reference"
            )
            box = (left - 2, y - 8, left + wide + 2, y + 3)
            if _TOP + 6 < y < _TOP + _HEIGHT - 5 and not _meets(box, taken):
                canvas.text((left, y), name, size=_SIZE, weight=weight, fill=fill)
                taken.append(box)
                break


def _above_or_below(
    levels: Sequence[Level], span: tuple[float, float], frame: Frame, *, above: bool
) -> float:
    if above:
        return frame.y(_highest(levels, span, frame)) - 3.5
    first = max(int((span[0] - LEFT) // frame.step), 0)
    last = min(int((span[1] - LEFT) // frame.step), len(levels) - 1)
    lowest = min(min(e.reference or 0, e.now or 0) for e in levels[first : last + 1])
    return frame.y(lowest) + 11


def _meets(box: Box, others: list[Box]) -> bool:
    return any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
        for other in others
    )


def _names(canvas: Canvas, levels: Sequence[Level], frame: Frame, title: str) -> float:
    """Names below the axis, in as many rows as keep them from touching."""
    widest = max(width(level.name, _SMALL) for level in levels)
    rows = min(max(ceil((widest + 6) / frame.step), 1), 4)
    base = _TOP + _HEIGHT
    mute = canvas.palette.mute
    for position, level in enumerate(levels):
        x, line = frame.x(position + 0.5), position % rows
        edge = min(x - LEFT + 14, WIDTH - x)
        room = min(rows * frame.step - 4, edge + rows * frame.step / 2 - 2)
        y = base + 10 + 9 * line
        if line:
            canvas.line((x, base, x, y - 6.5), canvas.palette.rule, thick=0.5)
        label = fit(level.name, room, _SMALL)
        half = width(label, _SMALL) / 2
        middle = min(max(x, LEFT - 14 + half), WIDTH - half)
        canvas.text((middle, y), label, size=_SMALL, anchor="middle", fill=mute)
    canvas.text((0, base + 10), fit(title, LEFT - 24, 7.5), size=7.5, fill=mute)
    return base + 10 + 9 * (rows - 1) + 6
