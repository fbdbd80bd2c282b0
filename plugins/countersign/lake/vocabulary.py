"""The words that prompts used when the installation began, pinned once.

A term counts as known when at least two prompts of the first whole weeks have it. The list stays
in the lake; its digest identifies it. Terms are words in lower case; anything with a digit in it
is one term, so that order numbers are not news; scripts without spaces count by character.
"""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import duckdb
import pyarrow as pa

from countersign.canonical import Json, digest, encode
from countersign.lake.store import Store
from countersign.model import Window

MANIFEST: Final = "vocabulary/manifest.json"
LEAST_ROWS: Final = 2
LONGEST: Final = 65_536
"""Characters of a prompt that are looked at; the share hardly moves after that."""

_NUMBERED: Final = r"[\p{L}\p{M}\p{N}_]*[0-9][\p{L}\p{M}\p{N}_]*"
_TERM: Final = r"#|[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[\p{L}\p{M}]+"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pinned terms, and the weeks they come from."""

    window: Window
    terms: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the sorted terms, one a line."""
        return digest(_lines(self.terms))


def terms_sql(text: str) -> str:
    """SQL: the distinct terms of a text."""
    cleaned = f"regexp_replace(lower(substr({text}, 1, {LONGEST})), '{_NUMBERED}', ' # ', 'g')"
    return f"list_distinct(regexp_extract_all({cleaned}, '{_TERM}'))"


def span(first: str, weeks: int) -> Window:
    """The whole weeks from a day on."""
    start = date.fromisoformat(first)
    return Window(start, start + timedelta(weeks=weeks))


def load(store: Store) -> Vocabulary | None:
    """The pinned vocabulary; None while its weeks are not complete."""
    if not store.exists(MANIFEST):
        return None
    manifest = json.loads(store.get(MANIFEST))
    terms = store.get(f"vocabulary/{manifest['digest']}.txt").decode().split("\n")
    return Vocabulary(Window.parse(manifest["window"]), tuple(filter(None, terms)))


def pin(
    store: Store, con: duckdb.DuckDBPyConnection, window: Window, prompts: pa.Table
) -> Vocabulary:
    """Count the terms of the weeks' prompts (column `text`) and pin those in use, once."""
    con.register("prompts", prompts)
    made = Vocabulary(window, _in_use(con))
    con.unregister("prompts")
    store.put_new(f"vocabulary/{made.digest}.txt", _lines(made.terms), private=True)
    store.put_new(MANIFEST, encode(_manifest(made, prompts.num_rows)))
    return load(store) or made


def forget(store: Store, con: duckdb.DuckDBPyConnection, prompts: pa.Table, gone: int) -> None:
    """Drop the terms that only erased prompts used; `prompts` are all that are left, `gone` went.

    Where the weeks' texts are not all there any more, nobody can say whose a term was, and the
    list stays. Rows that were scored before keep their score.
    """
    held = load(store)
    if held is not None and json.loads(store.get(MANIFEST))["prompts"] == prompts.num_rows + gone:
        con.register("prompts", prompts)
        made = Vocabulary(held.window, tuple(sorted({*held.terms} & {*_in_use(con)})))
        con.unregister("prompts")
        store.put_new(f"vocabulary/{made.digest}.txt", _lines(made.terms), private=True)
        store.replace(MANIFEST, encode(_manifest(made, prompts.num_rows)))
        held = made
    for name in store.names("vocabulary"):
        if held is not None and name not in {MANIFEST, f"vocabulary/{held.digest}.txt"}:
            store.delete(name)


def _in_use(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The terms that enough of the registered prompts have, sorted."""
    found = con.execute(
        f"SELECT term FROM (SELECT unnest({terms_sql('text')}) AS term FROM prompts)"
        f" GROUP BY term HAVING count(*) >= {LEAST_ROWS}"
    ).fetchall()
    return tuple(sorted(term for (term,) in found))


def _manifest(made: Vocabulary, prompts: int) -> dict[str, Json]:
    return {
        "schema": "urn:countersign:vocabulary:v0.1",
        "window": str(made.window),
        "digest": made.digest,
        "terms": len(made.terms),
        "prompts": prompts,
        "least_prompts_per_term": LEAST_ROWS,
    }


def _lines(terms: tuple[str, ...]) -> bytes:
    return "\n".join(terms).encode()
