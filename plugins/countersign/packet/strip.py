"""The cover's verdict marks as a PNG, for mail readers that show no SVG."""

from collections.abc import Sequence
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

from countersign.packet.pictures.palette import PRINT

_SCALE: Final = 8
"""Pixels per unit while drawing; a mark is 16 units wide."""
_STEP, _GROUP, _PAD = 23, 12, 3
_MOST: Final = 24
_UNIT_PX: Final = 3
"""Pixels per unit in the file: shown at half of that."""


def png(states: Sequence[str]) -> bytes:
    """Marks in the order given, a wider gap between different verdicts; white, opaque."""
    shown = list(states[:_MOST])
    places = _places(shown)
    width = (places[-1] if places else 0) + 16 + 2 * _PAD
    height = 16 + 2 * _PAD
    canvas = Image.new("RGB", (width * _SCALE, height * _SCALE), PRINT.paper)
    draw = ImageDraw.Draw(canvas)
    for state, x in zip(shown, places, strict=True):
        _MARKS[state](draw, (x + _PAD, _PAD))
    size = (width * _UNIT_PX, height * _UNIT_PX)
    out = BytesIO()
    canvas.resize(size, Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


def _places(states: list[str]) -> list[int]:
    places, x = [], 0
    for position, state in enumerate(states):
        if position:
            x += _STEP + (_GROUP if state != states[position - 1] else 0)
        places.append(x)
    return places


def _points(at: tuple[int, int], *points: tuple[float, float]) -> list[tuple[float, float]]:
    return [((at[0] + x) * _SCALE, (at[1] + y) * _SCALE) for x, y in points]


def _line(
    draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], fill: str, thick: float
) -> None:
    draw.line(points, fill=fill, width=round(thick * _SCALE), joint="curve")


def _satisfied(draw: ImageDraw.ImageDraw, at: tuple[int, int]) -> None:
    box = _points(at, (0.55, 0.55), (15.45, 15.45))
    draw.ellipse([*box[0], *box[1]], outline=PRINT.satisfied, width=round(1.7 * _SCALE))
    _line(draw, _points(at, (5, 8.3), (7.2, 10.5), (11.2, 6)), PRINT.satisfied, 1.9)


def _not_satisfied(draw: ImageDraw.ImageDraw, at: tuple[int, int]) -> None:
    box = _points(at, (1, 1), (15, 15))
    draw.rectangle([*box[0], *box[1]], fill=PRINT.not_satisfied)
    for ends in (((5, 5), (11, 11)), ((11, 5), (5, 11))):
        _line(draw, _points(at, *ends), PRINT.paper, 2)


def _inconclusive(draw: ImageDraw.ImageDraw, at: tuple[int, int]) -> None:
    outer = _points(at, (8, 0.2), (15.8, 8), (8, 15.8), (0.2, 8))
    inner = _points(at, (8, 2.2), (13.8, 8), (8, 13.8))
    draw.polygon(outer, fill=PRINT.inconclusive)
    draw.polygon(inner, fill=PRINT.paper)


def _not_run(draw: ImageDraw.ImageDraw, at: tuple[int, int]) -> None:
    box = _points(at, (0.55, 0.55), (15.45, 15.45))
    for start in range(0, 360, 36):
        draw.arc(
            [*box[0], *box[1]], start, start + 24, fill=PRINT.not_run, width=round(1.5 * _SCALE)
        )
    _line(draw, _points(at, (5, 8), (11, 8)), PRINT.not_run, 1.7)


_MARKS: Final = {
    "satisfied": _satisfied,
    "not-satisfied": _not_satisfied,
    "inconclusive": _inconclusive,
    "not-run": _not_run,
}
