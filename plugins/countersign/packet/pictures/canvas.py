"""Primitives that every picture is drawn with: one string per element, literal attributes.

The style sheet of the page does not reach into an SVG in print, so nothing relies on it. The
viewBox is 482 units wide, which are points on paper.
"""

from html import escape
from typing import Final

from countersign.packet.pictures.palette import Palette
from countersign.packet.text import plain

WIDTH: Final = 482.0
_FACE: Final = "Plex Sans, sans-serif"


class Canvas:
    """Collects the elements of one picture, back to front."""

    def __init__(self, palette: Palette, title: str) -> None:
        self.palette = palette
        self._title = plain(title, 900)
        self._parts: list[str] = []

    def rect(self, box: tuple[float, float, float, float], fill: str, stroke: str = "") -> None:
        """A box of x, y, width and height."""
        x, y, w, h = box
        edge = f' stroke="{stroke}" stroke-width="0.8"' if stroke else ""
        self._add(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" fill="{fill}"{edge}/>'
        )

    def line(
        self,
        ends: tuple[float, float, float, float],
        stroke: str,
        *,
        thick: float = 0.6,
        dash: str = "",
    ) -> None:
        """A straight line between two points."""
        x1, y1, x2, y2 = ends
        self._add(
            f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" '
            f'stroke="{stroke}" stroke-width="{_n(thick)}"{_dashed(dash)}/>'
        )

    def path(
        self, points: list[tuple[float, float]], stroke: str, *, thick: float = 1.0, dash: str = ""
    ) -> None:
        """An open line through points."""
        self._add(
            f'<path d="{_polyline(points)}" fill="none" stroke="{stroke}" '
            f'stroke-width="{_n(thick)}"{_dashed(dash)}/>'
        )

    def area(self, points: list[tuple[float, float]], fill: str, opacity: float = 1.0) -> None:
        """A filled shape."""
        seen = "" if opacity == 1 else f' fill-opacity="{_n(opacity)}"'
        self._add(f'<path d="{_polyline(points)}Z" fill="{fill}"{seen}/>')

    def disc(
        self, at: tuple[float, float], radius: float, fill: str, stroke: str = "", *, dash: str = ""
    ) -> None:
        """A disc, or a ring when it has a stroke."""
        edge = f' stroke="{stroke}" stroke-width="1.3"{_dashed(dash)}' if stroke else ""
        self._add(
            f'<circle cx="{_n(at[0])}" cy="{_n(at[1])}" r="{_n(radius)}" fill="{fill}"{edge}/>'
        )

    def text(
        self,
        at: tuple[float, float],
        words: str,
        *,
        size: float = 8,
        anchor: str = "start",
        weight: int = 400,
        fill: str = "",
    ) -> None:
        """A label whose baseline starts, ends or is centred (`middle`) at the point."""
        self._add(
            f'<text x="{_n(at[0])}" y="{_n(at[1])}" font-family="{_FACE}" '
            f'font-size="{_n(size)}" font-weight="{weight}" text-anchor="{anchor}" '
            f'fill="{fill or self.palette.ink}">{escape(plain(words, 160))}</text>'
        )

    def arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        stroke: str,
        *,
        short: float,
        dash: str = "",
    ) -> None:
        """An arrow that stops `short` of both points, so that it touches no disc."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = max((dx * dx + dy * dy) ** 0.5, 0.001)
        ux, uy = dx / length, dy / length
        tip = (end[0] - ux * (short + 1), end[1] - uy * (short + 1))
        base = (tip[0] - ux * 5, tip[1] - uy * 5)
        self.line(
            (start[0] + ux * (short + 1), start[1] + uy * (short + 1), *base),
            stroke,
            thick=0.8,
            dash=dash,
        )
        wing = 1.9
        self.area(
            [
                tip,
                (base[0] - uy * wing, base[1] + ux * wing),
                (base[0] + uy * wing, base[1] - ux * wing),
            ],
            stroke,
        )

    def hatch(self, box: tuple[float, float, float, float], stroke: str, gap: float = 4) -> None:
        """Diagonal lines inside a box, drawn one by one: no pattern, no clip."""
        x, y, w, h = box
        offset = -h + gap
        while offset < w:
            left, right = max(offset, 0.0), min(offset + h, w)
            self.line(
                (x + left, y + h - (left - offset), x + right, y + h - (right - offset)),
                stroke,
                thick=0.35,
            )
            offset += gap

    def svg(self, height: float) -> str:
        """The finished picture; its direct child `title` becomes the figure's alternative text."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" '
            f'viewBox="0 0 {_n(WIDTH)} {_n(height)}"><title>{escape(self._title)}</title>'
            f"{''.join(self._parts)}</svg>"
        )

    def _add(self, element: str) -> None:
        self._parts.append(element)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""


def _polyline(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
