"""Run again, nothing changes; told otherwise by a source, a new version names the old one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from countersign.canonical import digest
from countersign.ledger import merkle
from countersign.pipeline import admit, assess, publish, render, seal, sign
from countersign.pipeline.assess import findings
from countersign.pipeline.collect import collect
from countersign.pipeline.render import packets
from countersign.pipeline.verify import group, verify

LATER = datetime(2026, 11, 18, 6, tzinfo=UTC)
APPROVAL = sign.Approval("Ada Byron", "2026-11-18T06:30:00Z")
NAME = "CS-2026-W46"


def verbs(site: Any) -> None:
    ws, week = site.open(), site.week
    assert not any(c.failed for c in collect(ws, week))
    admit.admit(ws)
    assess.assess(ws, week)
    seal.seal(ws, week)
    render.render(ws, week)
    sign.sign(ws, week, APPROVAL)
    publish.publish(ws, week)


def kept_files(site: Any) -> dict[str, bytes]:
    """Every file of the installation but scratch space."""
    return {
        str(file.relative_to(site.folder)): file.read_bytes()
        for part in ("lake", "out", "keys")
        for file in (site.folder / part).rglob("*")
        if file.is_file() and "tmp" not in file.relative_to(site.folder).parts
    }


def test_everything_twice_changes_no_file(published: Any, tmp_path: Any) -> None:
    site = published.copy(tmp_path / "site")
    before = kept_files(site)
    with site.serve():
        verbs(site)
    after = kept_files(site)
    assert sorted(set(before) ^ set(after)) == []
    assert [name for name in before if before[name] != after[name]] == []
    assert any("_delta_log" in name for name in before)


def test_the_same_conclusion_from_a_second_assessment_is_no_version(
    published: Any, tmp_path: Any
) -> None:
    site = published.copy(tmp_path / "site")
    ws = site.open()
    before = {n: findings(ws).latest(site.week, n).folder.name for n in ws.controls}
    for done in assess.assess(ws, site.week):
        assert done.kept is not None
        assert before[done.control] == done.kept.folder.name == "v1"


def test_late_usage_makes_a_version_that_names_the_one_it_supersedes(
    published: Any, tmp_path: Any, countersign: Callable[..., Any]
) -> None:
    site = published.copy(tmp_path / "site")
    ws, control = site.open(), "token-reconciliation"
    first = findings(ws).latest(site.week, control)
    packet = packets(ws).existing(site.week)
    old_size, old_root = ws.log.size, ws.log.head().root
    site.edit("now = 2026-11-16T06:00:00Z", "now = 2026-11-18T06:00:00Z")
    with site.serve(now=LATER):
        verbs(site)
    ws = site.open()
    second = findings(ws).latest(site.week, control)
    assert (first.finding["version"], second.finding["version"]) == (1, 2)
    assert second.finding["supersedes"] == digest(first.content)
    assert second.finding["measures"]["late_tokens"] != first.finding["measures"]["late_tokens"]
    assert first.content == (first.folder / "finding.json").read_bytes(), "v1 stays"

    newer = packets(ws).existing(site.week)
    assert (packet.version, newer.version) == (1, 2)
    old_file = digest(packet.signed.read_bytes())
    assert packets(ws).before(newer).note("signed")["sha256"] == old_file
    (files,) = group([site.folder / "out" / f"{NAME}.pdf"])
    entry = verify(files, [(site.folder / "out" / "log.vkey").read_text("utf-8").strip()]).document
    assert (entry["version"], entry["supersedes"]) == (2, old_file)
    given = render.given_input(ws, site.week)
    assert (given.version, given.supersedes) == (2, old_file)

    assert ws.log.size > old_size
    ws.log.check()
    proof = ws.log.prove_consistency(old_size)
    merkle.check_consistency(old_size, ws.log.size, proof, old_root, ws.log.head().root)
