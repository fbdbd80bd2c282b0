"""Rows out of tables for good: no old version, no statistic and no checkpoint remembers them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from countersign.lake.batch import Key
from countersign.lake.purge import Marks, Purge

DAYS = ("2026-11-09", "2026-11-10")
SECRET = "the-words-of-ada"


def is_hers(_table: str, _key: Key, rows: pa.Table) -> Marks:
    return np.asarray(pc.equal(rows["text"], SECRET).fill_null(False))


@pytest.fixture
def told(small: Any) -> Any:
    """Two days of text, the first in two versions; hers in both of them."""
    for day in DAYS:
        small.keep("texts", day, [small.said(1, SECRET, day), small.said(2, "others", day)])
    small.admit()
    small.keep("texts", DAYS[0], [small.said(1, SECRET, DAYS[0]), small.said(3, "more", DAYS[0])])
    small.admit()
    return small


def purge(lake: Any) -> tuple[int, int]:
    purger: Purge = lake.purge
    hits = purger.find("call_text", is_hers, {"text"})
    purger.remove("call_text", hits, is_hers)
    return len(hits), purger.sweep("call_text", hits)


def bytes_of(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())


def texts(lake: Any, version: int, day: str) -> list[str]:
    return sorted(lake.delta.read("call_text", version, [day])["text"].to_pylist())


def test_files_of_every_version_go_and_the_log_forgets_what_they_held(told: Any) -> None:
    tables = told.root / "tables" / "call_text"
    assert SECRET.encode() in bytes_of(tables / "_delta_log")
    assert purge(told.lake) == (3, 3)
    assert SECRET.encode() not in bytes_of(tables)
    version = told.lake.purge.version("call_text")
    assert texts(told.lake, version, DAYS[0]) == ["more"]
    assert texts(told.lake, version, DAYS[1]) == ["others"]
    assert purge(told.lake) == (0, 0)


def test_days_without_such_rows_keep_their_old_versions(told: Any) -> None:
    told.keep("texts", "2026-11-11", [told.said(4, "first", "2026-11-11")])
    told.admit()
    before = told.lake.admitted().tables["call_text"]
    told.keep("texts", "2026-11-11", [told.said(4, "second", "2026-11-11")])
    told.admit()
    purge(told.lake)
    assert texts(told.lake, before, "2026-11-11") == ["first"]
    assert texts(told.lake, told.lake.purge.version("call_text"), "2026-11-11") == ["second"]


def test_checkpoints_forget_too(told: Any) -> None:
    table = DeltaTable(str(told.root / "tables" / "call_text"))
    table.create_checkpoint()
    log = told.root / "tables" / "call_text" / "_delta_log"
    (old,) = log.glob("*.checkpoint.parquet")
    purge(told.lake)
    assert not old.exists()
    (new,) = log.glob("*.checkpoint.parquet")
    assert SECRET.encode() not in new.read_bytes()
    version = told.lake.purge.version("call_text")
    assert texts(told.lake, version, DAYS[0]) == ["more"]


def test_the_table_can_be_written_on(told: Any) -> None:
    purge(told.lake)
    told.keep("texts", DAYS[1], [told.said(5, "later", DAYS[1])])
    told.admit()
    assert texts(told.lake, told.lake.purge.version("call_text"), DAYS[1]) == ["later"]
