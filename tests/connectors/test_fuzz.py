"""Every connector under mutated pages: it parses, or raises `SourceError`, and nothing else.

Mutations are of the structure (a golden page's JSON, one value replaced by what no source should
send, written out again with raw tokens) and of the bytes. The run is the same every time; a
failure names its number, and `page(connector_id, number)` gives the page again. The default run
is short; `-m slow` runs 10,000 pages for each connector.
"""

import gzip
import json
import random
import re
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

import countersign.connectors
from countersign.connectors.interface import Connector
from countersign.errors import SourceError
from countersign.records import Record, kind_name, schema
from countersign.registry import discover

GOLDEN = Path(__file__).parent / "golden"
CONNECTORS = discover(countersign.connectors, Connector)
SEED = 20261102
SHORT, FULL = 300, 10_000
CPU_S = 10.0
MEMORY = 128 * 2**20
_GZIP = b"\x1f\x8b"
_RAW = re.compile(rb'"@raw(\d+)@"')

RAW_TOKENS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e-400", b"1E99999999", b"1e-99999999999",
    b"9" * 25, b"-" + b"9" * 25, b"9" * 5000, b"1." + b"9" * 400, b"9223372036854775808",
    b"-9223372036854775809", b"18446744073709551616", b"-0", b"-0.0", b"01", b"0x10", b"1_000",
    b"0.1e+1000000", b"tru", b"undefined", b"'x'", b'"\\ud800"', b'"\\udfff\\ud800"', b'"\\u0000"',
    b"[" * 500 + b"]" * 500, b'{"a":' * 900 + b"1" + b"}" * 900, b"[" * 50_000, b"1e308",
    b"4.9e-324",
    b'"\xff"', b'{"a":1,"a":2}', b"[[]]", b"[{}]", b"[null]", b'{"":null}',
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 0.5, -1.5, 1e15, 1e300, "",
    " ", "0", "-1", "NaN", "inf", "1e999", "9" * 40, "true", "unknown-of-next-year", "ü€𐍈\u202e",
    "\x00", "a" * 5000, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+14:00", "2026-02-30",
    "2026-11-02T25:00:00Z", "10000-01-01", "file:///etc/passwd", "http://[::1", "{", "[1", "{}",
    '{"a":{"b":NaN}}', [], {}, [1], ["a", None, {}], {"a": 1}, {"data": []}, [[[[]]]], {"": ""},
)  # fmt: skip


def about(connector_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / connector_id / "about.json").read_text())
    return found


@cache
def goldens(connector_id: str) -> tuple[bytes, ...]:
    pages = (GOLDEN / connector_id).glob("*.page.*")
    return tuple(p.read_bytes() for p in sorted(pages) if p.stat().st_size)


def documents(page: bytes) -> list[Any] | None:
    """The page's JSON documents, or None where it is no JSON."""
    try:
        text, at, found = page.decode("utf-8-sig").strip(), 0, []
        while at < len(text):
            document, end = json.JSONDecoder().raw_decode(text, at)
            found.append(document)
            at = end + len(text[end:]) - len(text[end:].lstrip())
    except ValueError:
        return None
    return found or None


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with a key or an index in it."""
    pairs = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, value in pairs:
        yield node, key
        yield from places(value)


def change(rng: random.Random, holder: Any, key: Any, raws: list[bytes]) -> None:
    """Replace, drop, double or retype one value."""

    def raw(token: bytes) -> str:
        raws.append(token)
        return f"@raw{len(raws) - 1}@"

    value = holder[key]
    if isinstance(value, str) and len(value) > 20 and rng.random() < 0.4:
        holder[key] = flip(rng, value.encode()).decode("utf-8", "replace")
        return
    choice = rng.randrange(9)
    if choice <= 2:
        holder[key] = raw(rng.choice(RAW_TOKENS))
    elif choice <= 5:
        holder[key] = deepcopy(rng.choice(VALUES))
    elif choice == 6:
        del holder[key]
    elif choice == 7 and isinstance(holder, dict):
        holder[raw(json.dumps(key).encode())] = deepcopy(rng.choice(VALUES))  # the same key, twice
    elif isinstance(value, dict):
        holder[key] = list(value.values())
    elif isinstance(value, list):
        holder[key] = {str(n): item for n, item in enumerate(value)}
    else:
        holder[key] = [value] if rng.random() < 0.5 else {"value": value}


def structural(rng: random.Random, page: bytes) -> bytes:
    found = documents(page)
    if found is None:
        return flip(rng, page)
    raws: list[bytes] = []
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        everything = list(places(found))
        if everything:
            change(rng, *rng.choice(everything), raws)
    lines = b"\n".join(json.dumps(document).encode() for document in found)
    return _RAW.sub(lambda match: raws[int(match[1])], lines)


def flip(rng: random.Random, page: bytes) -> bytes:
    changed = bytearray(page or b" ")
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        at = rng.randrange(len(changed))
        changed[at] = rng.choice(
            (changed[at] ^ 1 << rng.randrange(8), rng.randrange(256), *b'"{}[],:0\n')
        )
    return bytes(changed)


def cut(rng: random.Random, page: bytes) -> bytes:
    return page[: rng.randrange(len(page) + 1)]


def spliced(rng: random.Random, page: bytes) -> bytes:
    start, end = sorted(rng.choices(range(len(page) + 1), k=2))
    piece = page[start : min(end, start + 2_000)]
    return rng.choice((page[:start] + page[end:], page[:end] + piece * 2 + page[end:]))


def numbers(rng: random.Random, page: bytes) -> bytes:
    figures = list(re.finditer(rb"-?\d+(?:\.\d+)?", page))
    if not figures:
        return flip(rng, page)
    at = rng.choice(figures)
    token = rng.choice((b"9" * 30, b"-1", b"NaN", b"1e400", b"", b"0." + b"3" * 60, b"9" * 6000))
    return page[: at.start()] + token + page[at.end() :]


def recoded(rng: random.Random, page: bytes) -> bytes:
    text = page.decode("utf-8", "replace")
    return rng.choice((
        lambda: b"\xef\xbb\xbf" + page,
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-16-le"),
        lambda: text.replace("e", "é").encode("latin-1", "replace"),
        lambda: text.encode("utf-32"),
        lambda: page.replace(b"a", b"\xed\xa0\x80", 3),
        lambda: page.replace(b'"', b'"\x00', 5),
        lambda: b"\x00" * 9 + page,
        lambda: page.replace(b"\n", b"\r\n").replace(b" ", b"\t"),
    ))()  # fmt: skip


def packed(rng: random.Random, page: bytes) -> bytes:
    """gzip: whole, damaged, doubled, and a bomb."""
    plain = gzip.compress(page, 1, mtime=0)
    made: bytes = rng.choice((
        lambda: plain,
        lambda: plain + plain,
        lambda: plain[:-3],
        lambda: plain + b"tail",
        lambda: gzip.compress(structural(rng, page), 1, mtime=0),
        lambda: gzip.compress(plain, mtime=0),
        bomb,
    ))()  # fmt: skip
    return made


@cache
def bomb() -> bytes:
    """256 MB of spaces in 260 kB."""
    squeezer = zlib.compressobj(9, wbits=31)
    return b"".join(squeezer.compress(b" " * 2**20) for _ in range(256)) + squeezer.flush()


MUTATIONS: Sequence[tuple[int, Callable[[random.Random, bytes], bytes]]] = (
    (10, structural), (3, cut), (4, flip), (2, spliced), (3, numbers), (1, recoded), (1, packed),
)  # fmt: skip


def page(connector_id: str, number: int) -> bytes:
    """The mutated page of that number."""
    rng = random.Random(f"{SEED} {connector_id} {number}")
    original = rng.choice(goldens(connector_id))
    weights, kinds = zip(*MUTATIONS, strict=True)
    [mutate] = rng.choices(kinds, weights)
    if original.startswith(_GZIP) and rng.random() < 0.8:
        return gzip.compress(mutate(rng, gzip.decompress(original)), 1, mtime=0)
    mutated: bytes = mutate(rng, original)
    return mutated


def build(connector_id: str) -> Connector:
    made: Connector = TypeAdapter(CONNECTORS[connector_id]).validate_python(
        about(connector_id)["settings"]
    )
    return made


def read(connector: Connector, body: bytes) -> bool:
    """Whether the page could be read; its rows then fit their tables."""
    try:
        for kind, table in connector.tables(body).items():
            assert table.schema.equals(schema(kind)), kind_name(kind)
        if type(connector).tables is not Connector.tables:
            assert all(isinstance(record, Record) for record in connector.parse(body))
    except SourceError as error:
        assert len(str(error)) < 2_000
        return False
    return True


def fuzz(connector_id: str, numbers: range) -> str:
    connector, slowest, whole = build(connector_id), (0.0, 0), 0
    for number in numbers:
        body = page(connector_id, number)
        before = time.process_time()
        try:
            whole += read(connector, body)
        except BaseException as error:
            error.add_note(f"page({connector_id!r}, {number}), seed {SEED}: {body[:300]!r}")
            raise
        slowest = max(slowest, (time.process_time() - before, number))
    assert slowest[0] < CPU_S, f"page({connector_id!r}, {slowest[1]}) took {slowest[0]:.1f} s"
    return f"{connector_id}: {len(numbers)} pages, {whole} read, slowest {slowest[0] * 1000:.0f} ms"


@pytest.mark.parametrize("connector_id", CONNECTORS)
def test_mutated_page_is_read_or_refused(connector_id: str) -> None:
    print(fuzz(connector_id, range(SHORT)))


@pytest.mark.slow
@pytest.mark.parametrize("connector_id", CONNECTORS)
def test_ten_thousand_mutated_pages_are_read_or_refused(connector_id: str) -> None:
    print(fuzz(connector_id, range(FULL)))


@pytest.mark.parametrize("connector_id", CONNECTORS)
def test_memory_for_a_page_is_bounded(connector_id: str) -> None:
    connector = build(connector_id)
    bodies = [bomb(), b"[" * 2**20, b'{"a":' * 2**18, b'"' + b"a" * 2**20, b"1" * 2**20]
    bodies += [page(connector_id, number) for number in range(FULL, FULL + 20)]
    tracemalloc.start()
    try:
        for body in bodies:
            read(connector, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY, f"{peak / 2**20:.0f} MB"
