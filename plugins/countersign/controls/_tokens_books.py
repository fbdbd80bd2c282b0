"""From reduced relations to closed books: every token and pico-USD of the window posted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from countersign.controls._tokens_calls import Limits
from countersign.controls._tokens_causes import Explained, Named, explain
from countersign.controls._tokens_cells import (
    SLOT,
    doubtful,
    estimates,
    fit,
    opened,
    shares_table,
    unlogged,
)
from countersign.controls._tokens_lines import (
    Calibration,
    Coverage,
    ProviderDay,
    is_metered,
    log_side,
    stops,
)
from countersign.controls._tokens_money import Charged, compare
from countersign.controls._tokens_prices import PriceBook
from countersign.controls._tokens_relations import BILL, CALL
from countersign.controls._tokens_statement import (
    RENDERED,
    Account,
    Slots,
    Statement,
    post_content,
    post_logged,
    state,
)
from countersign.model import US_PER_DAY, Window
from countersign.records import COUNTERS

_SUMMED: Final = (*COUNTERS, "shown", "rows")


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that observations, tables and the verdict are read from."""

    lines: pa.Table
    stops: pa.Table
    cells: pa.Table
    shares: pa.Table
    explained: Explained
    coverage: Coverage
    left_out: Mapping[ProviderDay, int]
    slots: Slots
    ladder: Account
    statement: Statement
    bridge: Statement
    charged: Charged
    is_metered: bool
    characters_error_ppm: int

    @property
    def billed_by_day(self) -> dict[ProviderDay, int | None]:
        """Pico-USD billed per provider and day; None where a price is missing."""
        return billed_by_day(self.slots)


def close(reduced: Mapping[str, pa.Table], limits: Limits, window: Window) -> Books:
    """Attribute every gap, post every line, and draw the statements."""
    coverage = Coverage.read(reduced["coverage"])
    lines, left_out = coverage.split(reduced["lines"])
    is_call = pc.equal(lines["side"], CALL)
    candidates, lines = lines.filter(is_call), lines.filter(pc.invert(is_call))
    calibration = Calibration.read(lines)
    lines = calibration.apply(lines)
    cells = doubtful(lines)
    shares, explained = _attribute(cells, candidates, (coverage, limits, window))
    billing = lines.filter(pc.equal(lines["side"], BILL))
    slots = Slots.read(billing, PriceBook(reduced["prices"]))
    ladder, bridge = Account(slots), Account(slots)
    _post_lines(lines, ladder, bridge)
    _post_shares(shares, ladder, bridge)
    for named in explained.named:
        if named.cause == "double_logged":
            post_content(ladder, struck(named, calibration), -1)
    metered = is_metered(lines)
    statement = state(ladder, (RENDERED, "rendered to readers"), is_metered=metered)
    return Books(
        lines=lines,
        stops=stops(lines, calibration),
        cells=cells,
        shares=shares,
        explained=explained,
        coverage=coverage,
        left_out=left_out,
        slots=slots,
        ladder=ladder,
        statement=statement,
        bridge=state(bridge, ("logged", "logged by the gateway")),
        charged=compare(reduced["charges"], billed_by_day(slots)),
        is_metered=metered,
        characters_error_ppm=limits.characters_error_ppm,
    )


def billed_by_day(slots: Slots) -> dict[ProviderDay, int | None]:
    """Pico-USD billed per provider and day."""
    days: dict[ProviderDay, int | None] = {}
    for slot in sorted(slots.billed):
        day = (slot[0], slot[2] - slot[2] % US_PER_DAY)
        pico = slots.billed_pico(slot)
        before = days.get(day, 0)
        unknown = slot[0] in slots.unpriced or before is None
        days[day] = None if unknown else (before or 0) + pico
    return {day: None if day[0] in slots.unpriced else pico for day, pico in days.items()}


def struck(named: Named, calibration: Calibration) -> dict[str, Any]:
    """A surplus row in the form of a log line, to be taken out of the ladder again."""
    call = named.call
    characters = call["shown_characters"] or 0
    guessed = calibration.tokens(call["provider"], call["model"], characters)
    content = "unmetered" if characters and guessed is None else call["content"]
    shown = (call["shown_tokens"] or 0) + (guessed or 0 if characters else 0)
    return {**call, "content": content, "shown": shown, "is_by_characters": characters > 0}


def _attribute(
    cells: pa.Table, candidates: pa.Table, setting: tuple[Coverage, Limits, Window]
) -> tuple[pa.Table, Explained]:
    coverage, limits, window = setting
    is_known = cells["known"]
    logged = cells.filter(is_known)
    fits = pa.array(fit(logged, limits))
    rest = opened(logged.filter(pc.invert(fits)), candidates, set(coverage.open))
    explained = explain(rest, limits, window)
    parts = [
        unlogged(cells.filter(pc.invert(is_known))),
        estimates(logged.filter(fits)),
        shares_table(explained.shares),
    ]
    found = pa.concat_tables(parts)
    return found.filter(pc.not_equal(found["tokens"], 0)), explained


def _post_lines(lines: pa.Table, ladder: Account, bridge: Account) -> None:
    keys = [*SLOT, "content", "is_by_characters"]
    for row in _sums(log_side(lines, [*keys, *_SUMMED]), keys, _SUMMED):
        post_content(ladder, row)
        post_logged(bridge, row)


def _post_shares(shares: pa.Table, ladder: Account, bridge: Account) -> None:
    for row in _sums(shares, [*SLOT, "cause", "basis", "family"], ("tokens",)):
        slot = (row["provider"], row["model"], row["hour"])
        entry = (row["cause"], row["basis"], row["family"])
        bridge.post(slot, entry, row["tokens"])
        if row["cause"] != "double_logged":
            ladder.post(slot, entry, row["tokens"])


def _sums(table: pa.Table, keys: Sequence[str], names: Sequence[str]) -> list[dict[str, Any]]:
    sums = table.group_by(list(keys), use_threads=False).aggregate([(n, "sum") for n in names])
    plain = [name.removesuffix("_sum") for name in sums.column_names]
    rows: list[dict[str, Any]] = sums.rename_columns(plain).to_pylist()
    return rows
