"""A field that was never seen before is told, once, and nothing is dropped or refused for it."""

import csv
import gzip
import io
import json
import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from countersign.lake import surprises
from countersign.lake.field_paths import MOST_CHILDREN, folded, paths
from countersign.lake.surprises import shown

DAYS = ("2026-11-09", "2026-11-10", "2026-11-11")


def keys(page: bytes) -> set[str]:
    found = paths(page)
    assert found is not None
    return {shown(path) for path in found}


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"BilledCost": [1], "x_Model": ["m"]}), file)
    return file.getvalue()


def table() -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([["BilledCost", "x_Model"], ["1", "m, with a comma"]])
    return file.getvalue().encode()


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (b'{"data":[{"a":1},{"b":{"c":null}}]}', {"data", "data[].a", "data[].b", "data[].b.c"}),
        (b'{"a":1}\n{"b":2}\n', {"a", "b"}),
        (b'\xef\xbb\xbf[{"a":[[{"b":1}]]}]', {"[].a", "[].a[][].b"}),
        (gzip.compress(b'{"a":1}\n{"b":2}\n'), {"a", "b"}),
        (parquet(), {"BilledCost", "x_Model"}),
        (table(), {"BilledCost", "x_Model"}),
        (b'[[price]]\nprovider = "openai"\n', {"price", "price[].provider"}),
        (b"{}", set()),
    ],
)  # fmt: skip
def test_a_page_has_the_paths_of_its_keys_in_whatever_form_it_comes(
    page: bytes, found: set[str]
) -> None:
    assert keys(page) == found


@pytest.mark.parametrize("page", [b'{"a":', b"[" * 100_000, b"\x1f\x8bnothing", b"PAR1nothing",
                                  b'{"a":"\xff"}', b"\x89PNG\r\n\x1a\n\x00"])  # fmt: skip
def test_what_cannot_be_read_has_no_paths_and_is_no_failure(page: bytes) -> None:
    assert paths(page) is None


def test_no_path_names_a_person_or_holds_an_id() -> None:
    page = json.dumps(
        {"tags": {"ada@example.org": 1, "2026-11-09": 1, "user_48151": 1, "x" * 65: 1, "a/b": 1}}
    )
    assert keys(page.encode()) == {"tags", "tags.*"}


def test_a_map_is_one_path_and_a_wide_row_is_not_a_map() -> None:
    row = {f"c{n}": {"v": 1} for n in range(MOST_CHILDREN + 1)}
    assert keys(json.dumps({"map": row}).encode()) == {"map", "map.*", "map.*.v"}
    assert len(keys(json.dumps([row]).encode())) == 2 * (MOST_CHILDREN + 1)


def test_a_map_that_grows_page_by_page_is_found_out() -> None:
    pages = [paths(json.dumps({"tags": {f"t{n}": {"v": 1}}}).encode()) for n in range(100)]
    every = {path for found in pages for path in found or ()}
    held, maps = folded(every, ())
    assert {shown(p) for p in held} == {"tags", "tags.*", "tags.*.v"}
    assert folded(held | every, maps) == (held, maps)


def test_a_long_file_of_lines_is_sampled_from_end_to_end_and_cheaply() -> None:
    line = json.dumps({"request_id": "r", "metadata": {"usage": 1}, "text": "x" * 1_000})
    old = f"{line}\n" * 50_000
    began = time.process_time()
    new = line.replace('"text"', '"fresh"') + "\n"
    assert keys((old + new * 2_000).encode()) >= {"request_id", "text", "fresh"}
    assert time.process_time() - began < 1.0


def feed(small: Any, day: str, *rows: dict[str, Any]) -> None:
    small.keep("gateway", day, [*rows])
    small.admit()


def looked(small: Any) -> dict[str, list[str]]:
    lake = small.lake
    found = surprises.look(lake.store, lake.raw, lake.admitted())
    return {source: [shown(path) for path in fields] for source, fields in found.items()}


@pytest.fixture
def known(small: Any) -> Any:
    """A lake whose source has a baseline: its first day with rows."""
    feed(small, DAYS[0])
    assert looked(small) == {}
    assert surprises.load(small.lake.store, "gateway").baseline is None
    feed(small, DAYS[1], small.call(1, DAYS[1]))
    assert looked(small) == {}
    assert surprises.load(small.lake.store, "gateway").baseline == DAYS[1]
    return small


def test_a_new_field_is_told_once_with_its_day_and_a_page_that_has_it(known: Any) -> None:
    row = known.call(2, DAYS[2], user_commitment="u")
    feed(known, DAYS[2], row)
    assert looked(known) == {"gateway": ["[].user_commitment"]}
    assert looked(known) == {}
    fields = surprises.load(known.lake.store, "gateway")
    (told,) = fields.surprises.values()
    assert (told.day, told.pages) == (DAYS[2], 1)
    page = known.lake.raw.page("gateway", DAYS[2], told.example)
    assert json.loads(page) == [row], "the raw page keeps it"


def test_it_is_counted_page_by_page_and_a_page_read_again_is_not_counted_again(known: Any) -> None:
    small = known
    rows = [[small.call(n, DAYS[2], user_commitment=f"u{n}")] for n in range(3)]
    small.keep("gateway", DAYS[2], *rows[:2])
    small.admit()
    looked(small)
    small.keep("gateway", DAYS[2], *rows)
    small.admit()
    assert looked(small) == {}
    (told,) = surprises.load(small.lake.store, "gateway").surprises.values()
    assert (told.pages, told.day) == (3, DAYS[2])


def test_what_a_person_accepted_is_known(known: Any) -> None:
    feed(known, DAYS[2], known.call(2, DAYS[2], user_commitment="u"))
    looked(known)
    store = known.lake.store
    surprises.save(store, surprises.load(store, "gateway").accepted())
    feed(known, "2026-11-12", known.call(3, "2026-11-12", user_commitment="u", tenant="t"))
    assert looked(known) == {"gateway": ["[].tenant"]}


def test_a_kill_before_the_look_loses_none(known: Any) -> None:
    feed(known, DAYS[2], known.call(2, DAYS[2], user_commitment="u"))
    feed(known, "2026-11-12", known.call(3, "2026-11-12", tenant="t"))
    assert looked(known) == {"gateway": ["[].user_commitment", "[].tenant"]}


def test_kept_and_read_again_it_is_the_same(known: Any) -> None:
    feed(known, DAYS[2], known.call(2, DAYS[2], user_commitment="u"))
    looked(known)
    store = known.lake.store
    fields = surprises.load(store, "gateway")
    surprises.save(store, fields)
    assert surprises.load(store, "gateway") == fields
