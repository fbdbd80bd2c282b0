"""A lake of the first version, built by its own code, goes on with the code of today."""

import re
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from countersign.canonical import Json, digest, encode
from countersign.errors import EvidenceError
from countersign.lake import migration, state
from countersign.lake.page_keys import HEADER
from countersign.lake.tables import conform
from countersign.model import Window
from countersign.pipeline import admit, assess, evidence, migrate, render, seal
from countersign.pipeline.assess import findings
from countersign.pipeline.workspace import Workspace, open_workspace
from countersign.records import KINDS, ProviderCharge, ProviderUsage, kind_name, stored_schema

CASE = Path(__file__).parent.parent / "cases" / "lake-v0.1.tar.xz"
WEEK = Window.parse("2026-11-09/2026-11-16")
CONTROLS = ("data-residency", "input-drift", "token-reconciliation")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    with tarfile.open(CASE) as packed:
        packed.extractall(folder, filter="tar")
    file = folder / "countersign.toml"
    source = re.compile(r'(\[sources\.([a-z-]+)\]\nconnector = "[^"]+"\nurl = )"http[^"]+"')
    text, changed = source.subn(r'\1"file:export/\2"', file.read_text("utf-8"))
    assert changed == 6
    file.write_text(text, "utf-8")
    return folder


@pytest.fixture
def first(unpacked: Path, tmp_path: Path) -> Workspace:
    """The lake as the first version left it."""
    shutil.copytree(unpacked, tmp_path / "site")
    return open_workspace(str(tmp_path / "site" / "countersign.toml"))


def again(ws: Workspace) -> Workspace:
    return open_workspace(str(ws.config.file))


@pytest.fixture
def migrated(first: Workspace) -> Workspace:
    migrate.migrate(first)
    return again(first)


def files(ws: Workspace) -> dict[str, bytes]:
    root = ws.lake_root
    found = (f for f in root.rglob("*") if f.is_file() and "lock" not in f.as_posix())
    return {f.relative_to(root).as_posix(): f.read_bytes() for f in found}


def test_every_reader_of_an_old_lake_is_told_what_to_do_and_nothing_changes(
    first: Workspace,
) -> None:
    before = files(first)
    with pytest.raises(EvidenceError, match="countersign migrate"):
        admit.admit(first)
    with pytest.raises(EvidenceError, match="countersign migrate"):
        assess.assess(again(first), WEEK)
    assert files(first) == before


def test_migration_leaves_rows_findings_and_log_as_they_were(first: Workspace) -> None:
    raw = first.unchecked_lake.raw
    rows = {n: d.kinds for n, d in first.unchecked_lake.admitted().days.items()}
    pages = {
        (m.source, m.day, p.digest): raw.page(m.source, m.day, p.digest)
        for m in raw.manifests().values()
        for p in m.pages
    }
    kept = {c: k.content for c in CONTROLS if (k := findings(first).latest(WEEK, c))}
    head = first.log.head()
    assert len(kept) == 3
    assert migrate.migrate(first).before == 1
    ws = again(first)
    assert {n: d.kinds for n, d in ws.lake.admitted().days.items()} == rows
    assert {place: ws.lake.raw.page(*place) for place in pages} == pages
    after = {c: k.content for c in CONTROLS if (k := findings(ws).latest(WEEK, c))}
    assert after == kept
    assert ws.log.check() == head
    assert evidence.check(ws).pages == {"kept": len(pages)}


def test_no_raw_page_lies_open_after_it_and_its_key_can_be_destroyed(migrated: Workspace) -> None:
    store = migrated.lake.store
    names = store.names("raw")
    assert names
    assert all(store.get(name).startswith(HEADER) for name in names)
    source, day, page = names[0].split("/")[1:]
    migrated.lake.page_keys.destroy(names[0])
    with pytest.raises(EvidenceError, match="its key is gone"):
        migrated.lake.raw.page(source, day, page)


def test_every_table_keeps_its_history(migrated: Workspace) -> None:
    tables = migrated.lake.purge.tables()
    assert len(tables) == 9
    assert not any(migrated.lake.delta.keep_history(table) for table in tables)


def test_a_second_migration_does_nothing(migrated: Workspace) -> None:
    before = files(migrated)
    done = migrate.migrate(migrated)
    assert (done.before, done.steps) == (migration.VERSION, ())
    assert files(migrated) == before


@pytest.mark.parametrize("moment", range(0, 52, 10))
def test_one_that_is_killed_is_completed_by_the_next(
    first: Workspace, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    store = type(first.unchecked_lake.store)
    real, calls = store.replace, iter(range(10_000))

    def dying(self: Any, name: str, content: bytes, *, private: bool = False) -> None:
        if next(calls) == moment:
            raise KeyboardInterrupt
        real(self, name, content, private=private)

    monkeypatch.setattr(store, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        migrate.migrate(first)
    monkeypatch.setattr(store, "replace", real)
    with pytest.raises(EvidenceError, match="countersign migrate"):
        _ = again(first).lake
    migrate.migrate(again(first))
    ws = again(first)
    assert not evidence.check(ws).faults
    assert all(ws.lake.store.get(n).startswith(HEADER) for n in ws.lake.store.names("raw"))


def test_a_page_that_was_altered_stops_it_and_stays(first: Workspace) -> None:
    name = first.unchecked_lake.store.names("raw")[3]
    (first.lake_root / name).write_bytes(b"[]")
    with pytest.raises(EvidenceError, match=name):
        migrate.migrate(first)
    assert (first.lake_root / name).read_bytes() == b"[]"
    with pytest.raises(EvidenceError, match="countersign migrate"):
        _ = again(first).lake


def test_a_lake_of_a_newer_version_is_refused_by_readers_and_by_migrate(
    migrated: Workspace,
) -> None:
    newer: dict[str, Json] = {"schema": migration.SCHEMA, "version": migration.VERSION + 1}
    migrated.lake.store.replace(migration.NAME, encode(newer))
    before = files(migrated)
    for use in (lambda ws: ws.lake, migrate.migrate):
        with pytest.raises(EvidenceError, match="newer version"):
            use(again(migrated))
    assert files(migrated) == before


def test_newer_documents_are_refused_by_name(migrated: Workspace) -> None:
    kept = findings(migrated).latest(WEEK, "input-drift")
    assert kept is not None
    file = kept.folder / "finding.json"
    file.write_bytes(encode({**kept.finding, "schema": "urn:countersign:finding:v9"}))
    with pytest.raises(EvidenceError, match="finding:v9"):
        _ = kept.finding
    store = migrated.lake.store
    changed = store.get(state.NAME).replace(b"admitted:v0.1", b"admitted:v9.1")
    store.replace(state.NAME, changed)
    with pytest.raises(EvidenceError, match="admitted:v9"):
        migrated.lake.admitted()


@pytest.mark.parametrize("kind", [ProviderCharge, ProviderUsage])
def test_columns_that_the_old_rows_lack_are_null(migrated: Workspace, kind: Any) -> None:
    tables = migrated.lake.tables(WEEK)
    rows = tables.run(tables.table(kind))
    assert rows.column_names == stored_schema(kind).names
    assert rows.num_rows > 0
    added = {"provider_charge": "BillingPeriodStart", "provider_usage": "upstream"}[kind_name(kind)]
    assert rows[added].null_count == rows.num_rows
    assert conform(tables.table(kind), stored_schema(kind)).columns == tuple(rows.column_names)


def readmitted(ws: Workspace, day: str) -> None:
    """Admit a day as if it were new, by the code of today."""
    held = ws.lake.admitted()
    days = {key: entry for key, entry in held.days.items() if key[1] != day}
    state.save(ws.lake.store, replace(held, days=days))
    admit.admit(ws)


def test_new_days_are_written_into_old_tables_and_both_are_read(migrated: Workspace) -> None:
    before = {kind: counted(migrated, kind) for kind in (ProviderCharge, ProviderUsage)}
    readmitted(migrated, "2026-11-12")
    assert {kind: counted(migrated, kind) for kind in before} == before
    purge, table = migrated.lake.purge, kind_name(ProviderCharge)
    has = {
        key[1]: "x_line" in pq.read_schema(migrated.lake_root / name).names
        for name, key in purge.files(table)
    }
    assert has.pop("2026-11-12")
    assert has
    assert not any(has.values())
    assert "x_line" in purge.columns(table)


def test_rows_can_be_taken_out_of_old_files_of_a_table_that_grew(migrated: Workspace) -> None:
    readmitted(migrated, "2026-11-12")
    purge, table = migrated.lake.purge, kind_name(ProviderCharge)

    def of_a_day(_table: str, key: Any, rows: Any) -> Any:
        return np.arange(rows.num_rows) == (0 if key[1] == "2026-11-10" else -1)

    hits = purge.find(table, of_a_day, {"source"})
    assert hits
    before = sum(len(purge.rows(n, {"page_digest"})) for n, _ in purge.files(table))
    purge.remove(table, hits, of_a_day)
    after = sum(len(purge.rows(n, {"page_digest"})) for n, _ in purge.files(table))
    assert after == before - sum(h.rows for h in hits if h.is_current)


def test_the_old_week_is_sealed_again_rendered_and_assessed_anew(migrated: Workspace) -> None:
    size = migrated.log.size
    assert seal.seal(migrated, WEEK).size == size, "nothing new was found in old findings"
    done = assess.assess(migrated, WEEK)
    assert all(each.kept is not None for each in done)
    states = {each.control: each.kept.finding["state"] for each in done if each.kept}
    assert states["data-residency"] == "satisfied"
    assert states["token-reconciliation"] == "satisfied"
    assert seal.seal(migrated, WEEK).size >= size
    migrated.log.check()


@pytest.mark.platform
def test_a_packet_is_rendered_from_findings_of_the_first_version(migrated: Workspace) -> None:
    render.render(migrated, WEEK)
    assert render.check(migrated, WEEK).file.read_bytes().startswith(b"%PDF")


def counted(ws: Workspace, kind: Any) -> int:
    tables = ws.lake.tables(WEEK)
    return int(tables.run(tables.table(kind)).num_rows)


def test_the_case_is_what_it_was() -> None:
    assert CASE.stat().st_size <= 300_000
    assert digest(CASE.read_bytes()) == DIGEST
    assert set(KINDS) >= {"provider_charge", "provider_usage"}


DIGEST = "3b1963cd1c7ab6361c43d4b3cf2bcb0f1bf245c4104ef2d7f9c7cd1cf9a666f0"
