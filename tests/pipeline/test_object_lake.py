"""A whole installation whose lake is a bucket: the same rows and findings as in a folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from countersign.lake.bucket import Bucket
from countersign.records import KINDS

pytestmark = pytest.mark.platform


def in_bucket(site: Any, bucket: Bucket) -> Any:
    """The installation with its lake in a bucket."""
    site.edit(
        'lake = "lake"',
        f'lake = "{bucket.url}"',
    )
    text = site.config.read_text("utf-8")
    text += (
        f'\n[storage]\nendpoint_url = "{bucket.endpoint}"\nallow_http = true\n'
        'credential = "env:COUNTERSIGN_TEST_S3"\n'
    )
    site.config.write_text(text, "utf-8")
    return site


def every_row(ws: Any, site: Any) -> dict[str, list[str]]:
    """All admitted rows by kind, as text in order."""
    tables = ws.lake.tables(site.week)
    return {
        name: sorted(map(repr, tables.run(tables.table(kind)).to_pylist()))
        for name, kind in KINDS.items()
    }


def work(site: Any, salts: dict[str, bytes] | None = None) -> Any:
    """Collect, admit, assess and seal the week; with given secrets, where there are any."""
    from countersign.pipeline import admit, assess, collect, seal  # noqa: PLC0415 - one place

    ws = site.open()
    for name, content in (salts or {}).items():
        ws.lake.store.put_new(name, content, private=True)
    with site.serve():
        assert not any(c.failed for c in collect.collect(ws, site.week))
    admit.admit(ws)
    assess.assess(ws, site.week)
    seal.seal(ws, site.week)
    return site.open()


def test_a_week_in_a_bucket_is_the_week_in_a_folder(
    calm: Any,
    new_bucket: Callable[[], Bucket],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COUNTERSIGN_TEST_S3", "test:only-a-test")
    folder = work(calm.copy(tmp_path / "folder"))
    # Commitments can be the same only under the same secrets.
    salts = {name: folder.lake.store.get(name) for name in folder.lake.store.names("salts")}
    bucket = new_bucket()
    site = in_bucket(calm.copy(tmp_path / "bucket", "lake"), bucket)
    remote = work(site, salts)

    rows = every_row(folder, calm)
    assert sum(map(len, rows.values())) > 1_000
    assert every_row(remote, site) == rows
    assert findings(remote, site) == findings(folder, calm)
    assert remote.lake.evidence(KINDS.values(), site.week) == folder.lake.evidence(
        KINDS.values(), calm.week
    )
    assert not (site.folder / "lake").exists()
    below = {path.name for path in (site.folder / "local").iterdir()}
    assert {"log", "findings", "copies"} <= below
    assert not {"raw", "manifests", "salts", "tables", "admitted.json"} & below


def findings(ws: Any, site: Any) -> dict[str, Any]:
    from countersign.pipeline.assess import findings as kept  # noqa: PLC0415 - one place

    found = {name: kept(ws).latest(site.week, name) for name in ws.controls}
    assert all(found.values())
    return {name: json.loads(entry.content) for name, entry in found.items() if entry}


def test_doctor_says_where_everything_lies(
    calm: Any, new_bucket: Callable[[], Bucket], tmp_path: Path, countersign: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("COUNTERSIGN_TEST_S3", "test:only-a-test")
    bucket = new_bucket()
    site = in_bucket(calm.copy(tmp_path / "site"), bucket)
    with site.serve():
        said = countersign("doctor", "--config", str(site.config)).out
    (lake,) = (line for line in said.splitlines() if " lake: " in line)
    assert lake.startswith("ok   lake: s3://")
    assert "creat" in lake
    assert f"stay in {site.folder / 'local'}" in lake


def test_doctor_and_the_first_write_refuse_a_bucket_without_its_secret(
    calm: Any, new_bucket: Callable[[], Bucket], tmp_path: Path, countersign: Any
) -> None:
    site = in_bucket(calm.copy(tmp_path / "site"), new_bucket())
    with site.serve():
        said = countersign("doctor", "--config", str(site.config)).out
    assert "BAD  lake: credential env:COUNTERSIGN_TEST_S3" in said
    assert countersign("admit", "--config", str(site.config)).code == 2
