"""Cursors: followed to the end, which always comes."""

import json
from collections.abc import Callable

import pytest

from countersign.connectors.interface import Params
from countersign.connectors.wire import paging
from countersign.connectors.wire.paging import follow, next_page
from countersign.errors import Fault, SourceError


def served(pages: dict[str | None, dict[str, object]]) -> Callable[[Params], bytes]:
    return lambda params: json.dumps(pages[str(params["page"]) if params else None]).encode()


def test_pages_follow_their_cursor() -> None:
    pages: dict[str | None, dict[str, object]] = {
        None: {"has_more": True, "next_page": "b"},
        "b": {"has_more": True, "next_page": "c"},
        "c": {"has_more": False, "next_page": "ignored"},
    }
    found = follow("s", served(pages), "page", next_page("s"))
    assert [json.loads(p)["next_page"] for p in found] == ["b", "c", "ignored"]


def test_promise_without_a_cursor_is_malformed() -> None:
    with pytest.raises(SourceError, match="has_more") as caught:
        list(follow("s", lambda _: b'{"has_more": true}', "page", next_page("s")))
    assert caught.value.fault is Fault.MALFORMED
    assert caught.value.page == "paging"


def test_cursors_that_go_round_are_malformed() -> None:
    pages: dict[str | None, dict[str, object]] = {
        None: {"has_more": True, "next_page": "b"},
        "b": {"has_more": True, "next_page": "c"},
        "c": {"has_more": True, "next_page": "b"},
    }
    with pytest.raises(SourceError, match="second time") as caught:
        list(follow("s", served(pages), "page", next_page("s")))
    assert caught.value.page == "3"


def test_ever_new_cursors_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PAGES", 20)
    numbers = iter(range(10**6))
    with pytest.raises(SourceError, match="within 20 pages"):
        list(
            follow(
                "s",
                lambda _: json.dumps({"next": f"{next(numbers)}"}).encode(),
                "after",
                lambda document: document.get("next"),
            )
        )
