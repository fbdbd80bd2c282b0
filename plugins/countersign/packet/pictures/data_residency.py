"""The hop path of one request: where each copy of it was touched, and how well that is known.

Lanes are jurisdictions in the order of first touch; the last one, hatched, is "no evidence".
Numbered discs go left to right in time; what was derived from the request follows it. A hop
outside of the promise is a filled square, in the colour of violations, and says "out of region".
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from countersign.canonical import Json
from countersign.packet.pictures import whereabouts
from countersign.packet.pictures.canvas import WIDTH, Canvas
from countersign.packet.pictures.metrics import balanced, fit
from countersign.packet.pictures.palette import Palette
from countersign.packet.table import Table, records
from countersign.packet.text import plain

HEADING: Final = "The path of the worst request, hop by hop"
_LEFT, _LANE, _TOP, _RADIUS = 70.0, 23.0, 30.0, 7.0
_NOWHERE: Final = "no evidence"
_MOST: Final = 10
_OUTSIDE: Final = "out of region"
_FAILED: Final = frozenset({"error", "failed", "cancelled", "timeout"})


def draw(picture: Mapping[str, Json], palette: Palette) -> str:
    """The path; empty when no request has a hop."""
    hops = records(picture.get("hops"), _MOST)
    if not hops:
        return ""
    canvas = Canvas(palette, _title(hops, picture))
    lanes = _lanes(hops)
    _draw_lanes(canvas, lanes)
    step = (WIDTH - _LEFT) / len(hops)
    at = [
        (_LEFT + step * (i + 0.5), _TOP + _LANE * lanes.index(_lane(hop)))
        for i, hop in enumerate(hops)
    ]
    for start, end in pairwise(at):
        canvas.arrow(start, end, palette.mute, short=_RADIUS)
    below = _TOP + _LANE * (len(lanes) - 1) + 21
    depth = 0.0
    for hop, place in zip(hops, at, strict=True):
        colour = _colour(hop, picture, palette)
        _disc(canvas, hop, place, colour)
        depth = max(depth, _under(canvas, hop, (place[0], below, step), colour))
    return canvas.svg(below + depth)


def numbers(detail: Mapping[str, Json]) -> tuple[Table, ...]:
    """The hops of the picture, then by tenant, interval, party and surface."""
    return whereabouts.tables(detail)


def _title(hops: list[Mapping[str, Json]], picture: Mapping[str, Json]) -> str:
    steps = [
        f"{hop.get('seq')} {hop.get('label') or hop.get('surface')} in {_lane(hop)}, "
        f"{hop.get('strength')}{f', {_OUTSIDE}' if _is_outside(hop) else ''}"
        for hop in hops
    ]
    request = plain(picture.get("request"), 40)
    return f"Request {request}: {'; '.join(steps)}. Weakest hop: {picture.get('weakest')}."


def _lane(hop: Mapping[str, Json]) -> str:
    known = hop.get("jurisdiction") or hop.get("region")
    return plain(known, 24) if known else _NOWHERE


def _lanes(hops: list[Mapping[str, Json]]) -> list[str]:
    seen = dict.fromkeys(_lane(hop) for hop in hops)
    lanes = [name for name in seen if name != _NOWHERE]
    return [*lanes, _NOWHERE] if _NOWHERE in seen else lanes


def _draw_lanes(canvas: Canvas, lanes: list[str]) -> None:
    palette = canvas.palette
    canvas.text((0, 8), "jurisdiction", size=7.5, fill=palette.mute)
    canvas.line((0, 13.5, WIDTH, 13.5), palette.ink, thick=0.8)
    for position, name in enumerate(lanes):
        y = _TOP + _LANE * position
        if name == _NOWHERE:
            canvas.hatch((_LEFT, y - 9, WIDTH - _LEFT, 18), palette.rule)
        canvas.line((_LEFT, y, WIDTH, y), palette.rule, thick=0.6)
        canvas.text(
            (0, y + 2.8),
            fit(name, _LEFT - 8, 8, 600),
            weight=600 if name == _NOWHERE else 400,
            fill=palette.inconclusive if name == _NOWHERE else palette.ink,
        )


def _colour(hop: Mapping[str, Json], picture: Mapping[str, Json], palette: Palette) -> str:
    if _is_outside(hop):
        return palette.not_satisfied
    if _lane(hop) == _NOWHERE or (hop.get("seq") == picture.get("weakest") and _is_weak(hop)):
        return palette.inconclusive
    return palette.data


def _is_outside(hop: Mapping[str, Json]) -> bool:
    return hop.get("violating") is True


def _is_weak(hop: Mapping[str, Json]) -> bool:
    return hop.get("strength") in {"R0", None}


def _disc(canvas: Canvas, hop: Mapping[str, Json], at: tuple[float, float], colour: str) -> None:
    unknown = _lane(hop) == _NOWHERE
    fill = colour
    if _is_outside(hop):
        side = 2 * _RADIUS - 1
        canvas.rect((at[0] - side / 2, at[1] - side / 2, side, side), colour)
        fill = canvas.palette.paper
    else:
        dash = "2.2 1.6" if unknown or _is_weak(hop) else ""
        canvas.disc(at, _RADIUS, canvas.palette.paper, colour, dash=dash)
    shown = "?" if unknown else plain(hop.get("seq"), 3)
    canvas.text((at[0], at[1] + 2.8), shown, size=8, anchor="middle", weight=600, fill=fill)


def _under(
    canvas: Canvas, hop: Mapping[str, Json], place: tuple[float, float, float], colour: str
) -> float:
    """Name, strength, violation and parent below a disc; returns how deep the words reach."""
    x, y, step = place
    marked = colour != canvas.palette.data
    fill = colour if marked else canvas.palette.ink
    name = f"{hop.get('seq')} {hop.get('label') or hop.get('surface')}"
    rows = balanced(plain(name, 60), step - 5, 7.5, 2)
    for position, line in enumerate(rows):
        canvas.text((x, y + 9.5 * position), line, size=7.5, anchor="middle", fill=fill)
    y += 9.5 * len(rows)
    strength = plain(hop.get("strength") or "R0", 4)
    state = " · failed" if hop.get("status") in _FAILED else ""
    canvas.text(
        (x, y),
        fit(strength + state, step - 4, 7.5, 600),
        size=7.5,
        anchor="middle",
        weight=600 if marked else 400,
        fill=fill,
    )
    for line in balanced(_OUTSIDE, step - 5, 7.5, 2) if _is_outside(hop) else ():
        y += 9.5
        canvas.text((x, y), line, size=7.5, anchor="middle", weight=600, fill=colour)
    parent = hop.get("operator_parent")
    words = f"parent {plain(parent, 16)}" if parent else "parent unknown"
    canvas.text(
        (x, y + 9.5), fit(words, step - 4, 7.2), size=7.2, anchor="middle", fill=canvas.palette.mute
    )
    return y + 14 - place[1]
