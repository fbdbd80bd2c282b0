"""The population sheet prints only what can be known: a column that nothing fills is not there."""

from typing import Any

from countersign.packet import population
from countersign.packet.number import MISSING


def test_no_column_of_the_sheet_is_missing_for_every_kind(given: Any) -> None:
    sheet = population.sheet(given.populations)
    heads = [column.head for column in sheet.columns]
    assert heads[:4] == ["Kind", "Received", "Admitted", "Refused"]
    empty = [
        head
        for position, head in enumerate(heads)
        if all(row.cells[position] == MISSING for row in sheet.rows)
    ]
    assert empty == []
