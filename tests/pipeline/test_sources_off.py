"""A source that is switched off delays nothing and hides nothing: the packet comes and says so."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from countersign.errors import Fault
from countersign.pipeline import admit, assess, render, seal
from countersign.pipeline.collect import close, collect

PDFTOTEXT = shutil.which("pdftotext")
OFF = {
    "litellm": ("down", Fault.UNREACHABLE, ("data-residency", "token-reconciliation")),
    "openai-usage": ("unauthorized", Fault.CREDENTIAL, ("token-reconciliation",)),
    "openai-costs": ("truncated", Fault.TRUNCATED, ()),
    "anthropic-usage": ("malformed", Fault.MALFORMED, ("token-reconciliation",)),
    "anthropic-cost": ("unauthorized", Fault.CREDENTIAL, ()),
    "beacons": ("truncated", Fault.TRUNCATED, ("data-residency", "token-reconciliation")),
}
"""By source: what happens to it, how that is called, and who cannot conclude without it."""


@pytest.fixture(params=sorted(OFF), scope="module")
def off(
    request: pytest.FixtureRequest, calm: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Any]]:
    """A week with nothing planted, collected and assessed while one source was off."""
    source: str = request.param
    site = calm.copy(tmp_path_factory.mktemp("off") / "site")
    ws = site.open()
    with site.serve(faults={source: OFF[source][0]}):
        collect(ws, site.week)
    admit.admit(ws)
    assess.assess(ws, site.week, ("data-residency", "token-reconciliation"))
    seal.seal(ws, site.week)
    render.render(ws, site.week)
    yield source, site
    shutil.rmtree(site.folder)


def finding(site: Any, control: str) -> dict[str, Any]:
    kept = assess.findings(site.open()).latest(site.week, control)
    assert kept is not None
    return dict(kept.finding)


def test_the_gap_is_kept_and_every_other_source_is_whole(off: tuple[str, Any]) -> None:
    source, site = off
    closed = close(site.open(), site.week)
    fault = OFF[source][1]
    assert list(closed.gaps) == [f"{source} {day}: {fault}" for day in site.week.days()]
    assert f"{source} {site.week.start}: {fault}" in closed.sentence


def test_what_needs_the_source_is_inconclusive_and_names_it(off: tuple[str, Any]) -> None:
    source, site = off
    _, fault, blind = OFF[source]
    for control in ("data-residency", "token-reconciliation"):
        found = finding(site, control)
        assert found["state"] == ("inconclusive" if control in blind else "satisfied")
        if control in blind:
            assert f"{source}: {fault}" in found["reason"]
        parts = {(e["source"], e["status"]) for e in found["evidence"]}
        assert parts - {(source, str(fault))} <= {(s, "complete") for s, _ in parts}
    charged = finding(site, "token-reconciliation")["measures"].get("charged_usd_micros")
    if source in {"openai-costs", "anthropic-cost"}:
        assert charged is None, "a bill that is half there is not a bill"
    elif source == "beacons":
        assert charged > 0


def test_the_packet_comes_and_says_what_was_off(off: tuple[str, Any], tmp_path: Path) -> None:
    source, site = off
    packet = render.check(site.open(), site.week)
    with pikepdf.open(packet.file) as pdf:
        given = json.loads(pdf.attachments["packet.json"].get_file().read_bytes())["input"]
    outages = {outage["source"] for outage in given["outages"]}
    assert outages == {source}
    if PDFTOTEXT is None:
        pytest.skip("pdftotext is absent: the attached input says it, the pages were not read")
    text = subprocess.run(
        [PDFTOTEXT, "-layout", str(packet.file), "-"], capture_output=True, text=True, check=True
    ).stdout
    assert source in text
    assert str(OFF[source][1]) in " ".join(text.split())
    if OFF[source][2]:
        assert "inconclusive" in text.lower()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("down", "unreachable"),
        ("unauthorized", "credential refused"),
        ("truncated", "page truncated"),
        ("malformed", "page malformed"),
    ],
)
def test_collect_names_source_page_and_cause_and_exits_3(
    calm: Any, countersign: Callable[..., Any], tmp_path: Path, fault: str, said: str
) -> None:
    site = calm.copy(tmp_path / "site")
    with site.serve(faults={"beacons": fault}):
        ended = countersign(
            "collect", "--window", "2026-11-09/2026-11-10", "--config", str(site.config)
        )
    assert ended.code == 3
    (line,) = [line for line in ended.err.splitlines() if line.startswith("countersign: ")]
    assert line.startswith("countersign: source beacons, page ")
    assert said in line
    assert "bk-world" not in ended.err + ended.out, "a credential was printed"
    assert "Traceback" not in ended.err
    assert "beacons: 1 days" in ended.out
    assert "1 days failed" in ended.out
    lines = [line for line in ended.out.splitlines() if not line.startswith("beacons")]
    assert len(lines) == 8
    assert not any("failed" in line for line in lines)


def test_rate_limits_and_broken_answers_are_survived(calm: Any, tmp_path: Path) -> None:
    site = calm.copy(tmp_path / "site")
    with site.serve(throttle_every=9, truncate_every=11):
        done = collect(site.open(), site.week)
    assert [c.sentence for c in done if c.failed] == []
    with calm.serve():
        undisturbed = calm.copy(tmp_path / "undisturbed")
        collect(undisturbed.open(), site.week)
    assert pages(site) == pages(undisturbed)


def test_a_source_that_fails_later_does_not_take_its_evidence_away(
    calm: Any, tmp_path: Path
) -> None:
    site = calm.copy(tmp_path / "site")
    with site.serve():
        collect(site.open(), site.week)
    before = pages(site)
    with site.serve(faults={"litellm": "malformed"}):
        collect(site.open(), site.week, ("litellm",))
    assert pages(site) == before
    gap = site.open().lake.raw.manifest("litellm", "2026-11-09").gap
    assert gap.status == "page malformed"
    ws = site.open()
    admit.admit(ws)
    (part,) = [
        e
        for e in ws.lake.evidence(ws.controls["input-drift"].needs, site.week, ws.kinds)
        if e.source == "litellm"
    ]
    assert (part.status, part.rows > 0) == ("late", True)


def test_terms_that_are_gone_leave_residency_inconclusive(calm: Any, tmp_path: Path) -> None:
    site = calm.copy(tmp_path / "site")
    shutil.rmtree(site.folder / "terms" / "surfaces")
    ws = site.open()
    with site.serve():
        collect(ws, site.week, ("litellm", "surfaces"))
    admit.admit(ws)
    (done,) = assess.assess(ws, site.week, ("data-residency",))
    assert done.kept is not None
    assert done.kept.finding["state"] == "inconclusive"
    assert "surfaces: unreachable" in done.kept.finding["reason"]


def pages(site: Any) -> dict[tuple[str, str], Any]:
    return {key: (m.status, m.pages) for key, m in site.open().lake.raw.manifests().items()}
