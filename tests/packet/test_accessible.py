"""What PDF/UA-1 (ISO 14289-1, 7) asks of a reader's path through the packet, as far as a test sees.

A smoke test, no validator: marked content, order of headings, links, tab order, languages.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pikepdf
import pytest
from pikepdf import Name

from countersign.packet import html, view

SHOWING = {"Tj", "TJ", "'", '"', "f", "F", "f*", "S", "s", "B", "B*", "b", "b*", "Do", "sh"}


@pytest.fixture(scope="module")
def opened(unsigned: bytes) -> Iterator[Any]:
    with pikepdf.open(BytesIO(unsigned)) as document:
        yield document


def elements(element: Any) -> Iterator[Any]:
    """The structure tree in reading order."""
    if isinstance(element, pikepdf.Array):
        for kid in element:
            yield from elements(kid)
    elif isinstance(element, pikepdf.Dictionary) and "/S" in element:
        yield element
        yield from elements(element.get("/K"))


def test_the_language_is_the_documents_and_no_passage_has_another(opened: Any) -> None:
    """No prompt text and no foreign passage is printed; one that comes must bring its language."""
    assert str(opened.Root.Lang) == "en"
    assert {str(e.Lang) for e in elements(opened.Root.StructTreeRoot.K) if "/Lang" in e} <= {"en"}


def test_the_page_states_its_language_once(given: Any) -> None:
    page = html.page(view.build(given))
    assert re.findall(r'\blang="([^"]*)"', page) == ["en"]


def test_everything_drawn_is_tagged_or_an_artifact(opened: Any) -> None:
    for number, page in enumerate(opened.pages, 1):
        depth = 0
        for operands, operator in pikepdf.parse_content_stream(page):
            name = str(operator)
            depth += (name in {"BDC", "BMC"}) - (name == "EMC")
            assert depth > 0 or name not in SHOWING, f"page {number}: {name} {operands}"
        assert depth == 0, f"page {number}: marked content does not close"


def test_headings_skip_no_level(opened: Any) -> None:
    before = 0
    found = [str(e.S) for e in elements(opened.Root.StructTreeRoot.K)]
    levels = [int(name[2]) for name in found if re.fullmatch(r"/H[1-6]", name)]
    assert levels[0] == 1
    for level in levels:
        assert level <= before + 1, levels
        before = level


def test_links_are_in_the_tree_and_say_where_they_lead(opened: Any) -> None:
    tagged = [e for e in elements(opened.Root.StructTreeRoot.K) if Name.Link == e.S]
    links = [a for page in opened.pages for a in page.get("/Annots", []) if a.Subtype == Name.Link]
    assert len(links) > 10
    assert len(tagged) == len({link.get("/StructParent") for link in links})
    assert all(str(link.get("/Contents", "")).strip() for link in links)


def test_the_tab_key_follows_the_structure(opened: Any) -> None:
    assert all(page.get("/Tabs") == Name.S for page in opened.pages if "/Annots" in page)
