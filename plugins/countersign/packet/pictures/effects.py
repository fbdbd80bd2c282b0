"""A panel of effects: a row per feature on one scale, with interval and minimum as a tick."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from countersign.packet.number import bits
from countersign.packet.pictures.canvas import WIDTH, Canvas
from countersign.packet.pictures.metrics import fit

_LEFT, _END, _STEP = 126.0, 366.0, 11.5
NOT_CONCLUDED: Final = "not concluded"


@dataclass(frozen=True, slots=True)
class Effect:
    """One feature's change in millionths of its unit; None is not concluded."""

    name: str
    value: int | None
    low: int | None
    high: int | None
    minimum: int | None
    moved: bool

    @property
    def words(self) -> str:
        """`effect 0.094 [0.081, 0.107]`."""
        if self.value is None:
            return NOT_CONCLUDED
        if self.low is None or self.high is None:
            return f"effect {bits(self.value)}"
        return f"effect {bits(self.value)} [{bits(self.low)}, {bits(self.high)}]"


def draw(canvas: Canvas, effects: Sequence[Effect], y: float) -> float:
    """Draw the panel below `y`; returns where it ends."""
    palette = canvas.palette
    canvas.line((0, y, WIDTH, y), palette.rule, thick=0.6)
    canvas.text((0, y + 9.5), "size of change, with its interval", size=7.2, fill=palette.mute)
    canvas.text((WIDTH, y + 9.5), "tick: minimum effect", size=7.2, anchor="end", fill=palette.mute)
    reached = [part or 0 for e in effects for part in (e.value, e.high, e.minimum)]
    scale = (_END - _LEFT) / max(max(reached, default=0) * 1.05, 1)
    for position, effect in enumerate(effects):
        _row(canvas, effect, (y + 21 + _STEP * position, scale))
    return y + 21 + _STEP * len(effects) - 4


def _row(canvas: Canvas, effect: Effect, frame: tuple[float, float]) -> None:
    y, scale = frame
    palette = canvas.palette
    name = fit(effect.name, _LEFT - 14, 7.5, 600)
    weight = 600 if effect.moved else 400
    canvas.text((_LEFT - 6, y + 2.6), name, size=7.5, anchor="end", weight=weight)
    canvas.line((_LEFT, y, _END, y), palette.rule, thick=0.6)
    if effect.minimum is not None:
        least = effect.minimum * scale
        canvas.rect((_LEFT, y - 3, max(least, 0.9), 6), palette.tint)
        canvas.line((_LEFT + least, y - 4.4, _LEFT + least, y + 4.4), palette.ink, thick=1)
    colour = palette.not_satisfied if effect.moved else palette.data
    if effect.low is not None and effect.high is not None:
        ends = (_LEFT + max(effect.low, 0) * scale, y, _LEFT + max(effect.high, 0) * scale, y)
        canvas.line(ends, colour, thick=1.4)
    if effect.value is not None:
        canvas.disc((_LEFT + max(effect.value, 0) * scale, y), 2.1, colour)
    fill = palette.inconclusive if effect.value is None else palette.ink
    canvas.text((WIDTH, y + 2.6), effect.words, size=7.5, anchor="end", fill=fill)
