"""Reading `lines`: what was examined at all, and characters turned into tokens.

A meter without a tokenizer reports characters. They become tokens by the ratio of billed visible
tokens to rendered characters over the completed answers of the same model; such figures are
bounded, never exact, and without completed answers to calibrate on they count as not metered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from countersign.controls._tokens_relations import CELL, LOG
from countersign.model import PPM, US_PER_DAY, moment

_SEEN: Final = ("stopped", "broken", "textless", "read")
ProviderDay = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The provider-days that can be compared, those whose buckets are open, and the rest."""

    covered: frozenset[ProviderDay]
    open: frozenset[ProviderDay]
    wide: frozenset[ProviderDay]

    @classmethod
    def read(cls, rows: pa.Table) -> "Coverage":
        """From the reduced relation of the same name."""
        days = {(row["provider"], row["day"]): row for row in rows.to_pylist()}
        return cls(
            frozenset(day for day, row in days.items() if row["rows"] > row["wide"]),
            frozenset(day for day, row in days.items() if row["open"]),
            frozenset(day for day, row in days.items() if row["wide"]),
        )

    def split(self, lines: pa.Table) -> tuple[pa.Table, dict[ProviderDay, int]]:
        """Lines of covered provider-days, and how many calls the others hold."""
        days = pc.subtract(lines["hour"], remainder(lines["hour"], US_PER_DAY))
        lines = lines.append_column("day", days)
        pairs = lines.select(["provider", "day"]).group_by(["provider", "day"]).aggregate([])
        missing = [
            (row["provider"], row["day"])
            for row in pairs.to_pylist()
            if (row["provider"], row["day"]) not in self.covered
        ]
        left_out: dict[ProviderDay, int] = {}
        for provider, day in sorted(missing):
            here = pc.and_(pc.equal(lines["provider"], provider), pc.equal(lines["day"], day))
            calls = log_side(lines.filter(here), ["rows"])["rows"]
            left_out[provider, day] = pc.sum(calls).as_py() or 0
            lines = lines.filter(pc.invert(here))
        return lines, left_out


def remainder(column: Any, divisor: int) -> Any:
    """Column modulo a positive integer, for instants after 1970."""
    return pc.subtract(column, pc.multiply(pc.divide(column, divisor), divisor))


def day_text(day: int) -> str:
    """`2026-11-09` for the day's first instant."""
    return moment(day).date().isoformat()


@dataclass(frozen=True, slots=True)
class Calibration:
    """Tokens per million characters, by provider and model."""

    ppm: Mapping[tuple[str, str], int]

    @classmethod
    def read(cls, lines: pa.Table) -> "Calibration":
        """From completed answers whose meter counted characters only."""
        narrow = lines.select(["provider", "model", "voiced", "shown_characters"])
        rows = narrow.filter(pc.equal(lines["content"], "read"))
        sums = rows.group_by(["provider", "model"], use_threads=False).aggregate(
            [("voiced", "sum"), ("shown_characters", "sum")]
        )
        return cls(
            {
                (row["provider"], row["model"]): row["voiced_sum"] * PPM // characters
                for row in sums.to_pylist()
                if (characters := row["shown_characters_sum"])
            }
        )

    def tokens(self, provider: str, model: str, characters: int) -> int | None:
        """Tokens of so many characters; None without calibration."""
        ratio = self.ppm.get((provider, model))
        return None if ratio is None else (characters * ratio + PPM // 2) // PPM

    def apply(self, lines: pa.Table) -> pa.Table:
        """Add rendered characters to `shown` as tokens, and mark the lines where that was done."""
        by_characters = pc.greater(lines["shown_characters"], 0)
        names = lines.select(["provider", "model"]).group_by(["provider", "model"]).aggregate([])
        ratio: Any = pa.scalar(-1, pa.int64())
        for row in names.to_pylist():
            name = (row["provider"], row["model"])
            here = pc.and_(pc.equal(lines["provider"], name[0]), pc.equal(lines["model"], name[1]))
            ratio = pc.if_else(here, self.ppm.get(name, -1), ratio)
        known = pc.greater_equal(ratio, 0)
        estimated = pc.divide(pc.add(pc.multiply(lines["shown_characters"], ratio), PPM // 2), PPM)
        blind = pc.and_(by_characters, pc.invert(known))
        shown = pc.add(lines["shown"], pc.if_else(pc.and_(by_characters, known), estimated, 0))
        content = pc.if_else(blind, "unmetered", lines["content"])
        shown = pc.if_else(blind, 0, shown)
        changed = {"shown": shown, "content": content}
        for changing, column in changed.items():
            lines = lines.set_column(lines.column_names.index(changing), changing, column)
        return lines.append_column("is_by_characters", by_characters)


def stops(lines: pa.Table, calibration: Calibration) -> pa.Table:
    """The listed stops of the log, one row each with its cell; those without a meter left out."""
    listed = log_side(lines, [*CELL, "stops"]).combine_chunks()
    column = listed["stops"].combine_chunks()
    cells = listed.select(list(CELL)).take(pc.list_parent_indices(column))
    each = pc.list_flatten(column)
    for position, field in enumerate(each.type):
        cells = cells.append_column(field, pc.struct_field(each, [position]))
    contents = pa.repeat(pa.scalar("stopped"), len(cells))
    rows = calibration.apply(cells.append_column("content", contents))
    return rows.filter(pc.equal(rows["content"], "stopped"))


def log_side(lines: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Some columns of what the gateway said; filtering copies, and the lines are wide."""
    return lines.select(list(columns)).filter(pc.equal(lines["side"], LOG))


def is_metered(lines: pa.Table) -> bool:
    """Whether any reader's side was heard at all."""
    seen = pc.is_in(log_side(lines, ["content"])["content"], pa.array(_SEEN))
    return bool(pc.any(seen).as_py())
