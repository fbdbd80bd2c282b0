"""The four verdict marks on a 16-unit box, and the strip of eight weeks.

Shape carries the verdict, colour repeats it: ring with tick, filled square with cross, diamond
with its left half filled, dashed ring with bar.
"""

from collections.abc import Sequence
from html import escape

from countersign.packet.pictures.palette import Palette

STATES = ("not-satisfied", "inconclusive", "not-run", "satisfied")
_STEP = 10.2
_SMALL, _LARGE = 6.4, 8.6


def elements(state: str, palette: Palette) -> str:
    """The shapes of one mark."""
    colour = palette.verdict(state)
    shapes = {
        "satisfied": (
            f'<circle cx="8" cy="8" r="6.6" fill="none" stroke="{colour}" stroke-width="1.7"/>'
            f'<path d="M5 8.3l2.2 2.2L11.2 6" fill="none" stroke="{colour}" stroke-width="1.9"/>'
        ),
        "not-satisfied": (
            f'<rect x="1" y="1" width="14" height="14" fill="{colour}"/>'
            f'<path d="M5 5l6 6M11 5l-6 6" fill="none" stroke="{palette.paper}" stroke-width="2"/>'
        ),
        "inconclusive": (
            f'<path d="M8 .9L15.1 8 8 15.1.9 8z" fill="none" stroke="{colour}" '
            f'stroke-width="1.4"/><path d="M8 .9V15.1L.9 8z" fill="{colour}"/>'
        ),
        "not-run": (
            f'<circle cx="8" cy="8" r="6.7" fill="none" stroke="{colour}" stroke-width="1.5" '
            f'stroke-dasharray="2.8 1.41"/>'
            f'<path d="M5 8h6" fill="none" stroke="{colour}" stroke-width="1.7"/>'
        ),
    }
    return shapes[state]


def svg(state: str, palette: Palette) -> str:
    """One mark as a picture of its own, without words: these stand beside it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
        f"{elements(state, palette)}</svg>"
    )


def strip(states: Sequence[str | None], title: str, palette: Palette) -> str:
    """Marks in a row, the last one larger; a week without a verdict is a short dash."""
    parts = []
    for position, state in enumerate(states):
        last = position == len(states) - 1
        x, size = 5 + _STEP * position, _LARGE if last else _SMALL
        if state is None:
            parts.append(
                f'<line x1="{x - 2:g}" y1="6" x2="{x + 2:g}" y2="6" '
                f'stroke="{palette.rule}" stroke-width="1"/>'
            )
            continue
        scale = size / 16
        parts.append(
            f'<g transform="translate({x - size / 2:g} {6 - size / 2:g}) '
            f'scale({scale:g})">{elements(state, palette)}</g>'
        )
    width = 5 + _STEP * (len(states) - 1) + _LARGE / 2 + 0.5
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="weeks" role="img" '
        f'viewBox="0 0 {width:g} 12"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )
