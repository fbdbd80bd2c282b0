"""Reference and now: two step lines on one axis of shares, what grew shaded; below, the effects."""

from collections.abc import Mapping
from typing import Final

from countersign.canonical import Json
from countersign.packet.number import (
    NOT_APPLICABLE,
    UNSEEN,
    Cell,
    bits,
    cell,
    count_cell,
    percent_cell,
    since_text,
)  # fmt: skip
from countersign.packet.pictures import effects, steps
from countersign.packet.pictures.canvas import Canvas
from countersign.packet.pictures.effects import Effect
from countersign.packet.pictures.palette import Palette
from countersign.packet.pictures.steps import Level
from countersign.packet.table import (
    Table,
    columns,
    integer,
    records,
    row,
    state_cell,
    text_cell,
)  # fmt: skip
from countersign.packet.text import plain, words

HEADING: Final = "Where this week differs from the reference"
_MOVED: Final = frozenset({"moved", "not-satisfied"})
_STATES: Final = {"moved": "not-satisfied", "holds": "satisfied", "undecided": "inconclusive"}
_MOST: Final = 12


def draw(picture: Mapping[str, Json], palette: Palette) -> str:
    """The two lines and the effects; empty when there is neither."""
    levels = [_level(entry) for entry in records(picture.get("levels"), 40)]
    found = [_effect(entry) for entry in _by_size(records(picture.get("effects")))][:_MOST]
    if not levels and not found:
        return ""
    feature = words(str(picture.get("feature") or ""))
    canvas = Canvas(palette, _title(levels, found, feature))
    moved = any(effect.name == feature and effect.moved for effect in found)
    y = steps.draw(canvas, levels, feature, moved=moved) if levels else 0.0
    return canvas.svg(effects.draw(canvas, found, y + 8) if found else y)


def numbers(detail: Mapping[str, Json]) -> tuple[Table, ...]:
    """Every feature with its test, and the levels that changed most."""
    tables = detail.get("tables")
    parts = tables if isinstance(tables, dict) else {}
    found = (_features(parts), _levels(parts))
    return tuple(table for table in found if table.rows)


def _level(entry: Mapping[str, Json]) -> Level:
    return Level(
        plain(entry.get("label"), 40), integer(entry, "reference_ppm"), integer(entry, "now_ppm")
    )


def _effect(entry: Mapping[str, Json]) -> Effect:
    value, low, high, least = (
        integer(entry, f"{name}_microbits") for name in ("effect", "low", "high", "minimum")
    )
    name = words(str(entry.get("feature")))
    return Effect(name, value, low, high, least, entry.get("state") in _MOVED)


def _by_size(entries: list[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
    """What moved first, then by effect; the not concluded last."""
    return sorted(
        entries,
        key=lambda e: (e.get("state") not in _MOVED, -(integer(e, "effect_microbits") or -1)),
    )


def _title(levels: list[Level], found: list[Effect], feature: str) -> str:
    grown = steps.grown_most(levels)
    parts = [f"{feature}, from reference to this week: {levels[grown].words}."] if grown else []
    return " ".join([*parts, *(f"{effect.name}: {effect.words}." for effect in found)])


def _features(parts: Mapping[str, Json]) -> Table:
    entries = _by_size(records(parts.get("features")))
    return Table(
        "The same numbers: effects in bits",
        columns("Feature", ">Reference rows", ">Rows now", ">Effect", ">Interval", ">Minimum",
                ">Chance", "Outcome"),
        tuple(
            row(text_cell(words(str(e.get("feature"))), 28), count_cell(e.get("reference_rows")),
                count_cell(e.get("now_rows")), _bits(e, "effect"), _interval(e),
                _bits(e, "minimum"), percent_cell(integer(e, "p_bootstrap_ppm"), 2), _state(e))
            for e in entries[:20]
        ),
        more=max(len(entries) - 20, 0),
    )  # fmt: skip


def _bits(entry: Mapping[str, Json], name: str) -> Cell:
    value = integer(entry, f"{name}_microbits")
    return cell(value, bits(value) if value is not None else "")


def _interval(entry: Mapping[str, Json]) -> Cell:
    low, high = integer(entry, "low_microbits"), integer(entry, "high_microbits")
    if low is None or high is None:
        return cell(None)
    return Cell(f"{bits(low)} to {bits(high)}")


def _state(entry: Mapping[str, Json]) -> Cell:
    state = str(entry.get("state"))
    return state_cell(_STATES.get(state, state), words(state))


def _levels(parts: Mapping[str, Json]) -> Table:
    entries = sorted(
        records(parts.get("levels")), key=lambda e: -abs(integer(e, "change_ppm") or 0)
    )
    return Table(
        "Levels that changed most",
        columns("Feature", "Level", ">Reference", ">This week", ">Users", "First seen"),
        tuple(
            row(text_cell(words(str(e.get("feature"))), 24), text_cell(e.get("level"), 40),
                percent_cell(integer(e, "reference_ppm")), percent_cell(integer(e, "now_ppm")),
                _users(e), _first_seen(e))
            for e in entries[:6]
        ),
        more=max(len(entries) - 6, 0),
    )  # fmt: skip


def _first_seen(entry: Mapping[str, Json]) -> Cell:
    stamp = entry.get("first_seen")
    return Cell(since_text(stamp)) if isinstance(stamp, str) else NOT_APPLICABLE


def _users(entry: Mapping[str, Json]) -> Cell:
    users = entry.get("users")
    return UNSEEN if users is None else count_cell(users)
