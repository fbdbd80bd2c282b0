"""The text of calls at admission: found, joined to its calls, and counted; then left behind."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from countersign.lake import text_columns, vocabulary
from countersign.lake.batch import Key
from countersign.lake.delta import DeltaFolder
from countersign.lake.judge import Verdict
from countersign.lake.rows import Rows
from countersign.lake.salts import Salts
from countersign.lake.state import Admitted
from countersign.lake.store import Store
from countersign.lake.vocabulary import Vocabulary
from countersign.records import CallText, GatewayCall, Record, kind_name, stored_schema

_NAME: Final = kind_name(CallText)
_COLUMNS: Final = ("call_id", "role", "text", "source", "window_day")


@dataclass(frozen=True, slots=True)
class TextRules:
    """Which weeks pin the vocabulary: from a day, or from the first day that has text."""

    vocabulary_from: str | None = None
    vocabulary_weeks: int = 4


@dataclass(frozen=True)
class Texts:
    """Admitted text, of this batch and of the table, and what is read out of it."""

    store: Store
    tables: DeltaFolder
    salts: Salts
    con: duckdb.DuckDBPyConnection
    rules: TextRules

    def enrich(
        self, verdicts: Mapping[type[Record], Verdict], before: Admitted, after: Admitted
    ) -> dict[type[Record], Verdict]:
        """Salt every request, and fill the text columns of the calls whose text is known."""
        fresh = verdicts.get(CallText)
        pinned = self._vocabulary(fresh, before, after)
        calls = verdicts.get(GatewayCall)
        if calls is None or not calls.admitted.num_rows:
            return dict(verdicts)
        salts = self._salt(calls.admitted)
        texts = self._known(fresh, before, after, set(salts))
        if not texts.num_rows:
            return dict(verdicts)
        spoken = text_columns.sides(self.con, texts)

        def enriched(chunk: pa.Table) -> pa.Table:
            return text_columns.enrich(self.con, chunk, spoken, salts, pinned)

        return {**verdicts, GatewayCall: replace(calls, admitted=calls.admitted.then(enriched))}

    def _salt(self, calls: Rows) -> dict[str, pa.Table]:
        """Every admitted request's salt, by day."""
        requests: dict[str, list[pa.Array]] = {}
        for chunk in calls.chunks(["window_day", "request_id"]):
            for day in chunk["window_day"].unique().to_pylist():
                found = chunk.filter(pc.field("window_day") == day)["request_id"]
                requests.setdefault(day, []).append(found.combine_chunks())
        return {
            day: self.salts.salt_requests(day, pa.chunked_array(requests.pop(day)))
            for day in list(requests)
        }

    def _vocabulary(
        self, fresh: Verdict | None, before: Admitted, after: Admitted
    ) -> Vocabulary | None:
        """The pinned vocabulary; pinned now, if its weeks have just become complete."""
        pinned = vocabulary.load(self.store)
        days = {day for _, day in after.keys_of(_NAME)}
        if pinned is not None or not days:
            return pinned
        window = vocabulary.span(
            self.rules.vocabulary_from or min(days), self.rules.vocabulary_weeks
        )
        wanted = {day.isoformat() for day in window.days()}
        if not wanted <= days:
            return None
        known = self._known(fresh, before, after, wanted)
        prompts = known.filter(pc.field("role") == "prompt")
        return vocabulary.pin(self.store, self.con, window, prompts)

    def _known(
        self, fresh: Verdict | None, before: Admitted, after: Admitted, days: set[str]
    ) -> pa.Table:
        """Text of some days: of this batch, and of the table for days that are not in it."""
        parts = [_EMPTY]
        if fresh is not None:
            wanted = {key for key in fresh.counts if key[1] in days}
            parts += [_of(chunk, wanted) for chunk in fresh.admitted.chunks(_COLUMNS)]
        stored = {key for key in after.keys_of(_NAME) if key[1] in days}
        stored -= set(fresh.counts) if fresh is not None else set()
        if stored and _NAME in before.tables:
            table = self.tables.read(_NAME, before.tables[_NAME], {day for _, day in stored})
            if table is not None:
                parts.append(_of(table, stored))
        return pa.concat_tables(parts)


_EMPTY: Final = pa.schema(
    [stored_schema(CallText).field(name).with_nullable(True) for name in _COLUMNS]
).empty_table()


def _of(texts: pa.Table, keys: set[Key]) -> pa.Table:
    wanted = pa.array([f"{source}\n{day}" for source, day in keys], pa.string())
    key = pc.binary_join_element_wise(texts["source"], texts["window_day"], "\n")
    return texts.filter(pc.is_in(key, wanted)).select(_COLUMNS).cast(_EMPTY.schema)
