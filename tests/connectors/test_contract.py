"""What every connector that discovery finds must keep, with its golden pages.

`golden/<id>/<name>.page.<form>` is a page as the source sends it, `<name>.expected.json` its
records, `about.json` the window and the settings, `endless.json` a reply that always promises
another page. `--rewrite-goldens` writes the expected files anew: read the difference.
"""

import dataclasses
import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

import countersign.connectors
from countersign.canonical import Json
from countersign.connectors.interface import Connector, Params
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.records import GatewayCall, Record, kind_name, required_columns, to_table
from countersign.registry import discover, plugin_id

GOLDEN = Path(__file__).parent / "golden"
CONNECTORS = discover(countersign.connectors, Connector)  # type: ignore[type-abstract]
PAGES = sorted(p for p in GOLDEN.glob("*/*.page.*"))
ENDLESS = sorted(GOLDEN.glob("*/endless.json"))
GARBAGE = [
    b"<html><body>502 Bad Gateway</body></html>",
    b"\x89PNG\r\n\x1a\n\x00\x00\x00",
    b'["not", "an", "object"]',
    b'{"data": "not a list", "results": 3}',
    b'{"data": [[1, 2]]}',
    b"[" * 100_000,
    b"true = = false",
]


def about(connector_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / connector_id / "about.json").read_text())
    return found


def build(connector_id: str) -> Connector:
    """The connector with the settings of its goldens, filled in as the configuration does."""
    kind = CONNECTORS[connector_id]
    made: Connector = TypeAdapter(kind).validate_python(about(connector_id)["settings"])
    return made


def window(connector_id: str) -> Window:
    return Window.parse(about(connector_id)["window"])


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def shown(record: Record) -> dict[str, object]:
    told = dataclasses.asdict(record).items()
    filled = {k: list(v) if isinstance(v, tuple) else v for k, v in told if v is not None}
    return {"kind": kind_name(type(record)), **filled}


class Served:
    """A `Fetch` that always answers the same, and gives up on a client that never stops."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked: list[tuple[str, Params]] = []

    def __call__(
        self,
        path: str,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Json = None,
    ) -> bytes:
        del headers, body
        self.asked.append((path, params or {}))
        assert len(self.asked) < 50, "paging does not end"
        return self.body


def taken(pages: Iterator[bytes]) -> tuple[list[bytes], SourceError | None]:
    kept: list[bytes] = []
    try:
        for page in pages:
            kept.append(page)  # noqa: PERF402 - what came before the error counts
    except SourceError as error:
        return kept, error
    return kept, None


@pytest.mark.parametrize("connector_id", CONNECTORS)
def test_its_docstring_says_what_it_reads_needs_and_cannot_tell(connector_id: str) -> None:
    about_it, *paragraphs = inspect.getdoc(CONNECTORS[connector_id]).split("\n\n")
    labels = [p.partition(": ")[0] for p in paragraphs]
    assert labels == ["Reads", "Credential", "Late", "Cannot tell"]
    assert about_it.endswith(".")
    assert all(len(p.partition(": ")[2]) > 15 for p in paragraphs)


@pytest.mark.parametrize("connector_id", CONNECTORS)
def test_a_day_settles_once_and_not_before_it_is_read_for_the_last_time(connector_id: str) -> None:
    connector = build(connector_id)
    days = list(Window.parse("2026-10-28/2027-03-03").days())
    settled = [connector.settled(day) for day in days]
    assert settled == sorted(settled) == [connector.settled(day) for day in days]
    assert all(at >= Window.day(day).end_us for day, at in zip(days, settled, strict=True))


def test_every_connector_has_goldens_with_content_and_an_empty_one() -> None:
    assert set(CONNECTORS) == {folder.name for folder in GOLDEN.iterdir()}
    for connector_id in CONNECTORS:
        names = {p.name.split(".")[0] for p in PAGES if p.parent.name == connector_id}
        assert "empty" in names
        assert len(names) > 1


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_golden_page_gives_its_expected_records(page: Path, rewrite_goldens: bool) -> None:
    found = [shown(r) for r in build(page.parent.name).parse(page.read_bytes())]
    stem, _, form = page.name.partition(".page.")
    expected = page.with_name(f"{stem}.{form}.expected.json")
    if rewrite_goldens:
        expected.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(expected.read_text())
    assert bool(found) == (stem != "empty")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_parse_is_pure(page: Path) -> None:
    body = page.read_bytes()
    once, again = build(page.parent.name), build(page.parent.name)
    records = list(once.parse(body))
    assert records == list(once.parse(body)) == list(again.parse(body))
    assert {type(r) for r in records} <= set(once.kinds)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_records_fill_required_columns_and_fit_their_table(page: Path) -> None:
    records = list(build(page.parent.name).parse(page.read_bytes()))
    for kind in {type(r) for r in records}:
        own = [r for r in records if type(r) is kind]
        for record in own:
            assert all(
                getattr(record, column) not in (None, "") for column in required_columns(kind)
            )
        assert to_table(kind, own).num_rows == len(own)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_rows_of_a_page_of_the_window_lie_in_it(page: Path) -> None:
    span = window(page.parent.name)
    for record in build(page.parent.name).parse(page.read_bytes()):
        if record.time_column:
            assert span.start_us <= getattr(record, record.time_column) < span.end_us


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_page_cut_in_the_middle_is_refused_and_named(page: Path) -> None:
    body = page.read_bytes()
    if page.name.startswith("empty") or page.suffix in (".csv", ".yaml"):
        pytest.skip("a CSV table or a YAML list cut between two lines is a shorter one")
    for cut in (len(body) // 2, len(body) // 3, len(body) - 2 - len(body) % 7):
        with pytest.raises(SourceError) as caught:
            list(build(page.parent.name).parse(body[:cut].rstrip()))
        assert caught.value.source == page.parent.name
        assert caught.value.page.startswith("sha256:")
        assert caught.value.fault in (Fault.TRUNCATED, Fault.MALFORMED)
        if page.suffix != ".toml":
            assert caught.value.fault is Fault.TRUNCATED


@pytest.mark.parametrize("connector_id", CONNECTORS)
@pytest.mark.parametrize("body", GARBAGE, ids=lambda b: repr(b[:12]))
def test_garbage_is_malformed(connector_id: str, body: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        list(build(connector_id).parse(body))
    assert caught.value.fault is Fault.MALFORMED
    assert caught.value.page.startswith("sha256:")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("endless", ENDLESS, ids=name)
def test_paging_ends_when_the_source_promises_pages_for_ever(endless: Path) -> None:
    served = Served(endless.read_bytes())
    kept, error = taken(build(endless.parent.name).pages(served, window(endless.parent.name)))
    assert error is not None
    assert error.fault is Fault.MALFORMED
    assert error.page
    assert len(kept) == len(served.asked) >= 2


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_are_yielded_before_they_are_looked_into(page: Path) -> None:
    connector_id = page.parent.name
    body = page.read_bytes()[:-4]
    kept, error = taken(build(connector_id).pages(Served(body), window(connector_id)))
    assert kept == [body]
    if page.with_name("endless.json").exists() and len(body) > 0:
        assert error is not None
        assert error.source == connector_id
        assert error.page.startswith("1")


def test_duplicates_unknown_models_and_negative_counts_pass_for_admission_to_judge() -> None:
    body = (GOLDEN / "litellm" / "api.page.json").read_bytes()
    calls = [r for r in build("litellm").parse(body) if isinstance(r, GatewayCall)]
    assert [c.call_id for c in calls].count("chatcmpl-0001") == 2
    assert any(c.model_resolved == "claude-of-next-year" for c in calls)
    assert any(c.in_uncached == -5 for c in calls)
    assert any(c.usage_quality == "missing" and c.in_uncached is None for c in calls)


@pytest.mark.parametrize("connector_id", CONNECTORS)
def test_exported_files_are_all_read_in_order(connector_id: str) -> None:
    class Files:
        def names(self) -> tuple[str, ...]:
            return ("a.json", "b/c.json")

        def read(self, name: str) -> bytes:
            return name.encode()

    connector = build(connector_id)
    assert list(connector.export(Files(), window(connector_id))) == [b"a.json", b"b/c.json"]
    assert plugin_id(type(connector)) == connector_id
