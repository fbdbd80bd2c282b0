"""The token statement as tables: the ladder's numbers, and what stands behind them."""

from collections.abc import Mapping

from countersign.canonical import Json
from countersign.packet.number import (
    MISSING,
    Cell,
    added,
    count_cell,
    grouped,
    money_cell,
    percent_cell,
    usd,
)  # fmt: skip
from countersign.packet.table import (
    Row,
    Table,
    columns,
    integer,
    records,
    row,
    short_id,
    state_cell,
    text_cell,
)
from countersign.packet.text import words


def tables(detail: Mapping[str, Json]) -> tuple[Table, ...]:
    """The statement to the last micro-dollar, the providers, the tax and the unlogged keys."""
    numbers = detail.get("tables")
    parts = numbers if isinstance(numbers, dict) else {}
    found = (
        _statement(parts), _providers(parts), _counters(parts), _tax(parts), _keys(parts),
        _basis(parts),
    )  # fmt: skip
    return tuple(table for table in found if table.rows)


def _statement(parts: Mapping[str, Json]) -> Table:
    entries = records(parts.get("statement"))
    return Table(
        "The same numbers. Parts foot to the last token and the last micro-dollar.",
        columns("Class", ">Tokens", ">US dollars", "Basis"),
        tuple(_statement_row(entry, position) for position, entry in enumerate(entries)),
    )


def _statement_row(entry: Mapping[str, Json], position: int) -> Row:
    taken = bool(position) and entry.get("role") != "total"
    tokens, cost = integer(entry, "tokens"), integer(entry, "usd_micros")
    return row(
        text_cell(words(str(entry.get("label"))), 60),
        MISSING if tokens is None else _part(grouped(-tokens if taken else tokens), taken=taken),
        MISSING if cost is None else _part(usd(-cost if taken else cost, 6), taken=taken),
        text_cell(entry.get("basis"), 20),
        kind="sum" if position and entry.get("role") == "total" else "",
    )


def _part(figure: str, *, taken: bool) -> Cell:
    return Cell(added(figure) if taken else figure)


def _providers(parts: Mapping[str, Json]) -> Table:
    return Table(
        "By provider",
        columns("Provider", ">Billed tokens", ">Billed, US dollars", ">Charged, US dollars",
                ">Unexplained, ppm", "Verdict"),
        tuple(
            row(text_cell(e.get("provider"), 24), count_cell(e.get("billed_tokens")),
                money_cell(e.get("billed_usd_micros")), money_cell(e.get("charged_usd_micros")),
                count_cell(e.get("unexplained_ppm")), state_cell(e.get("status")))
            for e in records(parts.get("providers"), 24)
        ),
    )  # fmt: skip


def _counters(parts: Mapping[str, Json]) -> Table:
    return Table(
        "Billed against logged, by counter",
        columns("Counter", ">Billed tokens", ">Logged tokens", ">Difference"),
        tuple(
            row(text_cell(e.get("counter"), 32, "mono"), count_cell(e.get("billed_tokens")),
                count_cell(e.get("logged_tokens")), count_cell(e.get("difference_tokens")))
            for e in records(parts.get("counters"), 12)
        ),
    )  # fmt: skip


def _tax(parts: Mapping[str, Json]) -> Table:
    entries = records(parts.get("tax"))
    return Table(
        "Billed after the reader stopped",
        columns("Tenant", "Model", ">Requests", ">Tokens", ">US dollars", "Basis"),
        tuple(
            row(text_cell(e.get("tenant"), 24), text_cell(e.get("model"), 32),
                count_cell(e.get("requests")), count_cell(e.get("tokens")),
                money_cell(e.get("usd_micros")), text_cell(e.get("basis"), 16))
            for e in entries[:12]
        ),
        more=max(len(entries) - 12, 0),
    )  # fmt: skip


def _keys(parts: Mapping[str, Json]) -> Table:
    entries = records(parts.get("keys"))
    return Table(
        "Billed keys that the gateway never logged",
        columns("Key commitment", "Project", "Model", ">Tokens", ">US dollars"),
        tuple(
            row(short_id(e.get("subject")), text_cell(e.get("project"), 24),
                text_cell(e.get("model"), 32), count_cell(e.get("billed_tokens")),
                money_cell(e.get("billed_usd_micros")))
            for e in entries[:12]
        ),
        more=max(len(entries) - 12, 0),
    )  # fmt: skip


def _basis(parts: Mapping[str, Json]) -> Table:
    return Table(
        "How well the money is known",
        columns("Basis", ">US dollars", ">Share of billed"),
        tuple(
            row(text_cell(e.get("basis"), 24), money_cell(e.get("usd_micros")),
                _share(e))
            for e in records(parts.get("basis"), 8)
        ),
    )  # fmt: skip


def _share(entry: Mapping[str, Json]) -> Cell:
    return percent_cell(integer(entry, "share_ppm"), 2)
