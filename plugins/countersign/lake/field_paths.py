"""Which fields a page has: the paths of its keys, whatever the page says under them. Pure.

A path joins key names with `/`; `[]` stands for any element of a list and `*` for any key of a
map, which is an object with more than `MOST_CHILDREN` different keys (`MOST_COLUMNS`, where the
object is a row). A key that looks like
content (an id, a date, an address) is `*` too: no path may name a person. Of long lists and
files of lines an even sample is looked at, since a source that begins to send a field sends it
in most rows.
"""

import csv
import io
import json
import re
import tomllib
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

MOST_CHILDREN: Final = 64
MOST_COLUMNS: Final = 512
MOST_ROWS: Final = 64
MOST_PATHS: Final = 4_096
_DEEPEST: Final = 10
_LARGEST: Final = 1 << 26
"""A JSON document that is larger is not looked at, and of a packed file no more is unpacked."""
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.:\- ]{0,63}")
_DIGITS: Final = 4
_ANY: Final = "*"
_ITEM: Final = "[]"

Path: TypeAlias = tuple[str, ...]


def paths(page: bytes) -> set[Path] | None:
    """The paths of one page; None when it is of no form that is known here, or cannot be read."""
    try:
        body = _unpacked(page)
        if body.startswith(b"PAR1"):
            return {(_named(name),) for name in pq.read_schema(io.BytesIO(body)).names}
        return _of_text(body)
    except (ValueError, RecursionError, zlib.error, pa.ArrowException, csv.Error):
        return None  # admission says what is wrong with the page


def folded(found: Iterable[Path], maps: Iterable[Path]) -> tuple[set[Path], set[Path]]:
    """The paths with `*` for the keys of maps, and which parents are maps, known or by width."""
    held, wide = set(found), set(maps)
    while True:
        held = {_starred(path, wide) for path in held}
        children: defaultdict[Path, set[str]] = defaultdict(set)
        for path in held:
            for depth, name in enumerate(path):
                children[path[:depth]].add(name)
        fresh = {parent for parent, names in children.items() if len(names) > _most(parent)}
        if not fresh - wide:
            return held, wide
        wide |= fresh


def _most(parent: Path) -> int:
    return MOST_COLUMNS if parent[-1:] in {(), (_ITEM,)} else MOST_CHILDREN


def _starred(path: Path, maps: set[Path]) -> Path:
    starred: Path = ()
    for name in path:
        starred += (_ANY if starred in maps and name != _ITEM else name,)
    return starred


def _unpacked(page: bytes) -> bytes:
    if not page.startswith(b"\x1f\x8b"):
        return page
    return zlib.decompressobj(wbits=31).decompress(page, _LARGEST)


def _documents(body: bytes) -> Iterator[Any]:
    """The lines of a file of lines, an even sample of them; else the one document."""
    first, _, rest = body.partition(b"\n")
    if rest.strip() and _is_whole(first):
        yield from (json.loads(line) for line in _lines(body))
    elif len(body) <= _LARGEST:
        yield json.loads(body)


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _lines(body: bytes) -> Iterator[bytes]:
    """Lines at even distances in bytes, so that a large file is not split to find them."""
    at, step = 0, len(body) // MOST_ROWS
    while at < len(body):
        end = body.find(b"\n", at)
        line = body[at:end] if end >= 0 else body[at:]
        if line.strip():
            yield line
        before_next = body.find(b"\n", max(end, at + step - 1)) if end >= 0 else -1
        if before_next < 0:
            return
        at = before_next + 1


def _of_all(documents: Iterable[Any]) -> set[Path]:
    found: set[Path] = set()
    for document in documents:
        _walk(document, (), found)
    return found


def _of_text(body: bytes) -> set[Path] | None:
    """JSON, else TOML (which may begin with a bracket too), else the head of a CSV table."""
    may_be_json = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}
    if may_be_json:
        with suppress(ValueError):
            return _of_all(_documents(body))
    text = body[:_LARGEST].decode("utf-8-sig")
    with suppress(tomllib.TOMLDecodeError):
        return _of_all([tomllib.loads(text)])
    if may_be_json:
        return None
    return {(_named(name),) for name in next(csv.reader(io.StringIO(text)), [])}


def _walk(value: Any, at: Path, found: set[Path]) -> None:
    if len(at) >= _DEEPEST or len(found) >= MOST_PATHS:
        return
    if isinstance(value, dict):
        is_map = len(value) > _most(at)
        for key, inner in islice(value.items(), _most(at)):
            path = (*at, _ANY if is_map else _named(key))
            found.add(path)
            _walk(inner, path, found)
    elif isinstance(value, list):
        for item in _sample(value):
            _walk(item, (*at, _ITEM), found)


def _sample(items: Sequence[Any]) -> Sequence[Any]:
    return items[:: -(-len(items) // MOST_ROWS) or 1]


@lru_cache(maxsize=MOST_PATHS)
def _named(key: str) -> str:
    is_name = _NAME.fullmatch(key) and sum(letter.isdigit() for letter in key) < _DIGITS
    return key if is_name else _ANY
