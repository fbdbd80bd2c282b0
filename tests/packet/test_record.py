"""The input travels with the packet, and comes back as it was."""

import pytest

from countersign.errors import EvidenceError
from countersign.packet import html, record, view


def test_what_was_written_is_read(make_input):
    given = make_input(responses={("data-residency", "aster-bank"): "accept"})
    again = record.read(record.write(given))
    assert again == given
    assert record.write(again) == record.write(given)


def test_a_packet_can_be_made_from_its_own_record(given):
    again = record.read(record.write(given))
    assert html.page(view.build(again)) == html.page(view.build(given))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"schema":"urn:countersign:packet-input:v9","input":{}}',
        b'{"schema":"urn:countersign:packet-input:v0.1","input":{"entity":"x"}}',
    ],
)
def test_anything_else_is_refused(content):
    with pytest.raises(EvidenceError, match=r"packet\.json"):
        record.read(content)
