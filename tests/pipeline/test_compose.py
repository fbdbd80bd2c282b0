"""What a real week's packet is made from: every printed figure of a population was counted."""

from typing import Any

from countersign.packet import population
from countersign.packet.number import MISSING
from countersign.pipeline.render import given_input


def test_every_cell_of_the_population_sheet_is_filled(published: Any) -> None:
    given = given_input(published.open(), published.week)
    sheet = population.sheet(given.populations)
    assert sheet.rows
    assert not [row for row in sheet.rows if MISSING in row.cells]


def test_received_is_what_was_admitted_refused_or_repeated(published: Any) -> None:
    given = given_input(published.open(), published.week)
    for kind in given.populations:
        assert kind.received is not None
        assert kind.admitted is not None
        assert kind.refused is not None
        assert kind.received >= kind.admitted + kind.refused
