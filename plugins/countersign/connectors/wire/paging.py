"""Following a cursor: each page is yielded before it is looked into, and paging always ends."""

from collections.abc import Callable, Iterator
from typing import Final

from countersign.connectors.interface import Params
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, text
from countersign.errors import Fault

MAX_PAGES: Final = 10_000
"""No window has as many: a source that goes on is broken."""


def follow(
    source: str, ask: Callable[[Params], bytes], cursor_name: str, after: Callable[[Row], object]
) -> Iterator[bytes]:
    """Yield pages until `after` finds no cursor in one.

    `ask` takes the paging parameters of the next page, none for the first.

    Raises:
        SourceError: a page cannot be read, a cursor comes twice, or there is no end.
    """
    seen: set[str] = set()
    params: dict[str, str] = {}
    for number in range(1, MAX_PAGES + 1):
        page = Page(source, ask(params), f"{number}")
        yield page.body
        cursor = text(after(page.document()))
        if cursor is None:
            return
        if cursor in seen:
            raise page.fault(
                Fault.MALFORMED,
                "a cursor to a further page",
                f"{cursor[:40]!r} for the second time",
            )
        seen.add(cursor)
        params = {cursor_name: cursor}
    raise page.fault(Fault.MALFORMED, f"an end within {MAX_PAGES} pages", "one more page")


def next_page(source: str) -> Callable[[Row], object]:
    """The cursor of OpenAI's and Anthropic's reports: `has_more` promises a `next_page`."""

    def after(document: Row) -> object:
        if not document.get("has_more"):
            return None
        if not document.get("next_page"):
            raise Page(source, b"", "paging").fault(
                Fault.MALFORMED, "next_page, since has_more is true", "none"
            )
        return document["next_page"]

    return after
