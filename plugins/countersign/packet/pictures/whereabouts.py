"""Where requests went, as tables: hops, tenants, intervals, parties, surfaces."""

from collections.abc import Mapping
from typing import Final

from countersign.canonical import Json
from countersign.packet.number import (
    MISSING,
    NOT_APPLICABLE,
    Cell,
    count_cell,
    duration,
    percent_cell,
    since_text,
)
from countersign.packet.table import Table, columns, integer, records, row, text_cell
from countersign.packet.text import words

_MOST_HOPS: Final = 10


def tables(detail: Mapping[str, Json]) -> tuple[Table, ...]:
    """The hops of the picture, then by tenant, interval, party and surface."""
    numbers = detail.get("tables")
    parts = numbers if isinstance(numbers, dict) else {}
    picture = detail.get("picture")
    hops = records(picture.get("hops"), _MOST_HOPS) if isinstance(picture, dict) else []
    found = (
        _hops(hops), _tenants(parts), _intervals(parts), _parties(parts), _surfaces(parts),
    )  # fmt: skip
    return tuple(table for table in found if table.rows)


def _hops(hops: list[Mapping[str, Json]]) -> Table:
    return Table(
        "The same path",
        columns(">Hop", "Surface", "Jurisdiction", "Region", "Operator", "Parent", "Strength",
                "Status"),
        tuple(
            row(text_cell(hop.get("seq"), 4), text_cell(hop.get("label") or hop.get("surface"), 32),
                text_cell(hop.get("jurisdiction"), 20), text_cell(hop.get("region"), 20),
                text_cell(hop.get("operator"), 24), text_cell(hop.get("operator_parent"), 12),
                text_cell(hop.get("strength"), 4), _status(hop))
            for hop in hops
        ),
    )  # fmt: skip


def _status(hop: Mapping[str, Json]) -> Cell:
    """How the touch ended, or that it was derived; neither is known of every hop."""
    if hop.get("violating") is True:
        return Cell("out of region", "state not-satisfied")
    kept = "derived" if hop.get("derived") is True else hop.get("status")
    return NOT_APPLICABLE if kept is None else text_cell(kept, 20)


def _tenants(parts: Mapping[str, Json]) -> Table:
    return Table(
        "By tenant",
        columns("Tenant", "Promise", ">Requests", ">Compliant", ">Violating", ">Unproven"),
        tuple(
            row(text_cell(e.get("tenant"), 28), text_cell(e.get("promise") or "none", 28),
                count_cell(integer(e, "requests")), *_outcomes(e))
            for e in records(parts.get("tenants"), 20)
        ),
    )  # fmt: skip


def _outcomes(entry: Mapping[str, Json]) -> tuple[Cell, ...]:
    """Compliant, violating, unproven; a tenant without a promise has none of the three."""
    names = ("compliant", "violating", "unproven")
    if entry.get("promise") is None:
        return tuple(NOT_APPLICABLE for _ in names)
    return tuple(count_cell(integer(entry, name)) for name in names)


def _intervals(parts: Mapping[str, Json]) -> Table:
    entries = records(parts.get("intervals"))
    return Table(
        "Intervals out of region",
        columns("Tenant", "From, UTC", ">Lasted", ">Requests", ">Of interval", ">Of week",
                "Cause"),
        tuple(
            row(text_cell(e.get("tenant"), 24), Cell(since_text(e.get("start")), "unbroken"),
                _lasted(e),
                count_cell(integer(e, "requests")),
                percent_cell(integer(e, "interval_share_ppm")),
                percent_cell(integer(e, "week_share_ppm"), 2), text_cell(e.get("cause"), 90))
            for e in entries[:10]
        ),
        more=max(len(entries) - 10, 0),
    )  # fmt: skip


def _surfaces(parts: Mapping[str, Json]) -> Table:
    entries = records(parts.get("surfaces"))
    return Table(
        "By surface",
        columns("Surface", "Provider", "Region", "Jurisdiction", "Strength", ">Requests"),
        tuple(
            row(text_cell(_surface(e), 28), text_cell(e.get("provider"), 24),
                text_cell(e.get("region"), 20), text_cell(e.get("jurisdiction"), 20),
                text_cell(e.get("strength"), 4), count_cell(integer(e, "requests")))
            for e in entries[:24]
        ),
        more=max(len(entries) - 24, 0),
    )  # fmt: skip


def _lasted(entry: Mapping[str, Json]) -> Cell:
    seconds = integer(entry, "duration_s")
    return MISSING if seconds is None else Cell(duration(seconds), "unbroken")


def _parties(parts: Mapping[str, Json]) -> Table:
    entries = records(parts.get("parties"))
    return Table(
        "Who could reach the data",
        columns("Tenant", "Surface", "Operator", "Parent", "Keys held by", "Basis",
                ">Requests"),
        tuple(
            row(text_cell(e.get("tenant"), 24), text_cell(_surface(e), 24),
                text_cell(e.get("operator"), 28), text_cell(e.get("operator_parent"), 12),
                text_cell(e.get("key_custody"), 16), _basis(e),
                count_cell(integer(e, "requests")))
            for e in entries[:16]
        ),
        more=max(len(entries) - 16, 0),
    )  # fmt: skip


def _basis(entry: Mapping[str, Json]) -> Cell:
    basis = entry.get("basis")
    return Cell("needs a basis", "missing") if basis == "needs-basis" else text_cell(basis, 28)


def _surface(entry: Mapping[str, Json]) -> str:
    return words(str(entry.get("surface")))
