"""Dated files that a person got wrong."""

import pytest

from countersign.connectors.price_list import PriceList
from countersign.connectors.surface_terms import SurfaceTerms
from countersign.errors import Fault, SourceError
from countersign.records import PriceTerm, SurfaceTerm

PRICE = """[[price]]
provider = "openai"
model = "m"
token_type = "in_uncached"
usd_per_million = "0.75"
valid_from = "2026-01-01"
"""
SURFACE = """[[surface]]
pipeline = "chat"
surface = "gateway"
provider = "litellm"
jurisdiction = "DE"
valid_from = "2026-01-01"
document = "abc"
"""


def test_price_per_million_is_exact_pico_dollars_per_token() -> None:
    (term,) = PriceList().parse(PRICE.encode())
    assert isinstance(term, PriceTerm)
    assert term.unit_usd_pico == 750_000
    assert term.valid_from == 1_767_225_600_000_000


@pytest.mark.parametrize(
    ("change", "observed"),
    [
        (('"0.75"', '"0.0000001"'), "row 1: a whole number"),
        (('"0.75"', '"-1"'), "row 1: usd_per_million -1 is below zero"),
        (('"0.75"', '"free"'), "row 1: a number was expected, not 'free'"),
        (('usd_per_million = "0.75"', ""), "row 1: usd_per_million is absent"),
        (("in_uncached", "input"), "row 1: token_type 'input' is none of in_uncached"),
        (('model = "m"', ""), "row 1: model is absent"),
        (('"2026-01-01"', '"soon"'), "row 1: a time was expected"),
        (("[[price]]", "[[prices]]"), "'prices'"),
        (("[[price]]", "[price]"), "dict"),
    ],
)
def test_price_that_cannot_be_read_is_named(change: tuple[str, str], observed: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(PriceList().parse(PRICE.replace(*change).encode()))
    assert caught.value.fault is Fault.MALFORMED
    assert caught.value.observed.startswith(observed)


def test_table_without_a_needed_column_is_refused_even_when_it_is_empty() -> None:
    with pytest.raises(SourceError, match="no column 'usd_per_million'"):
        list(PriceList().parse(b"provider,model,token_type,valid_from\n"))


def test_line_with_too_few_or_too_many_cells_is_refused() -> None:
    head = b"provider,model,token_type,usd_per_million,valid_from\n"
    for line in (b"openai,m,in_uncached\n", b"openai,m,in_uncached,1,2026-01-01,extra\n"):
        with pytest.raises(SourceError, match="line 2"):
            list(PriceList().parse(head + line))


def test_document_stands_by_its_digest() -> None:
    (term,) = SurfaceTerms().parse(SURFACE.encode())
    assert isinstance(term, SurfaceTerm)
    assert term.document_digest is not None
    assert term.document_digest.startswith("ba7816bf8f01cfea")


def test_surface_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SourceError, match="surface 'gatway' is none of inference"):
        list(SurfaceTerms().parse(SURFACE.replace('"gateway"', '"gatway"').encode()))
