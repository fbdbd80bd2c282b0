"""Rows cut out of pages: theirs and only theirs, every other byte as it came."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from countersign.connectors.delivery_beacon import DeliveryBeacon
from countersign.connectors.wire.cut import Cut, cut
from countersign.errors import Fault, SourceError
from countersign.records import Delivery, Record


@dataclass(frozen=True)
class Of:
    """Whoever's rows carry an id."""

    request: str

    def may_own(self, row: bytes) -> bool:
        return row.startswith(b"\x1f\x8b") or self.request.encode() in row

    def owns(self, record: Record) -> bool:
        return getattr(record, "request_id", None) == self.request


def beacon(name: str, **more: Any) -> dict[str, Any]:
    return {"request_id": name, "started_at": "2026-11-09T10:00:00Z", "ended": "completed", **more}


def without(page: bytes, name: str) -> Cut:
    return DeliveryBeacon().without(page, Of(name))


def spans(page: bytes) -> Iterator[Record]:
    """A page with rows two lists deep, as an OTLP file has them."""
    try:
        documents = [json.loads(line) for line in gunzipped(page).splitlines() if line.strip()]
    except ValueError as error:
        raise SourceError("spans", Fault.MALFORMED, observed=str(error)) from None
    for document in documents:
        for resource in document["resources"]:
            for span in resource["spans"]:
                yield Delivery(request_id=span["id"], started_at=0, ended=resource["name"])


def gunzipped(page: bytes) -> bytes:
    return gzip.decompress(page) if page.startswith(b"\x1f\x8b") else page


def test_a_line_goes_and_the_others_keep_every_byte() -> None:
    lines = [
        b'{ "request_id":"a", "started_at":"2026-11-09T10:00:00Z","ended":"completed","x":1.10}',
        json.dumps(beacon("b")).encode(),
        b'{"ended":"stop","request_id":"c\\u00e9","started_at":"2026-11-09T10:00:00.000Z"}',
    ]
    page = b"\n".join(lines) + b"\n"
    assert without(page, "b") == Cut(lines[0] + b"\n" + lines[2] + b"\n", 1)
    assert without(page, "a") == Cut(lines[1] + b"\n" + lines[2] + b"\n", 1)


def test_an_item_goes_and_the_envelope_stays() -> None:
    rows = [json.dumps(beacon(name)) for name in "abab"]
    page = ('{"next" : null, "data": [\n ' + " ,\n ".join(rows) + ' ], "total":4.0}').encode()
    left = without(page, "a")
    assert left.page == f'{{"next" : null, "data": [{rows[1]},{rows[3]}], "total":4.0}}'.encode()
    assert left.rows == 2


def test_a_page_without_them_is_the_same_bytes() -> None:
    page = json.dumps({"data": [beacon("a", note="of b")]}).encode()
    assert without(page, "b") == Cut(page, 0)
    assert without(page, "z") == Cut(page, 0)


def test_a_page_that_is_all_theirs_goes_whole() -> None:
    assert without(json.dumps({"data": [beacon("a")]}).encode(), "a").page is None


def test_a_row_goes_with_everything_that_was_read_from_it() -> None:
    served = {"served_by": {"region": "eu"}}
    page = json.dumps({"data": [beacon("a", **served), beacon("b", **served)]}).encode()
    left = without(page, "a")
    assert left.page is not None
    assert [type(r).__name__ for r in DeliveryBeacon().parse(left.page)] == [
        "Delivery",
        "SurfaceAccess",
    ]


@pytest.mark.parametrize("pack", [bytes, lambda page: gzip.compress(page, mtime=0)])
def test_rows_are_found_at_any_depth(pack: Any) -> None:
    def page(first: str, second: str) -> bytes:
        resources = f'[{{"name":"x","spans":[{first}]}},{{"name":"y","spans":[{second}]}}]'
        return f'{{"resources":{resources},"more":[1,2]}}\n'.encode()

    a, b, c = (json.dumps({"id": name, "tags": [{"k": "v"}]}) for name in "abc")
    left = cut(pack(page(f"{a},{b}", f"{c},{a}")), spans, Of("a"))
    assert left.page is not None
    assert gunzipped(left.page) == page(b, c)
    assert left.rows == 2
    assert cut(left.page, spans, Of("a")) == Cut(left.page, 0)


def test_a_page_that_cannot_be_read_goes_whole_if_it_may_name_them() -> None:
    assert without(b'{"data":[{"request_id":"abc"', "abc") == Cut(None, 0)
    assert without(b'{"data":[{"request_id":"abc"', "xyz").page is not None


def test_a_page_whose_rows_depend_on_each_other_goes_whole() -> None:
    def running(page: bytes) -> Iterator[Record]:
        for number, row in enumerate(json.loads(page)):
            yield Delivery(request_id=row["id"], started_at=number, ended="completed")

    page = b'[{"id":"a"},{"id":"b"}]'
    assert cut(page, running, Of("a")) == Cut(None, 1)


def test_a_text_that_only_mentions_them_stays() -> None:
    page = json.dumps({"data": [beacon("b", note="a"), beacon("c")]}).encode()
    assert without(page, "a") == Cut(page, 0)
