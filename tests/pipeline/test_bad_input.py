"""Rows that are wrong, absent, repeated or hostile: refused and counted, never shown, never a pass.

One week of exported files, spoilt by hand, goes through every verb to a published packet.
"""

import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pyarrow.parquet as pq
import pytest

from countersign.model import Window
from countersign.packet import html, view
from countersign.pipeline import admit, assess, attest, publish, render, seal, sign
from countersign.pipeline.assess import findings
from countersign.pipeline.collect import collect

DAY = "2026-11-10"
CANARY = "zqxCanary7731"
HOSTILE = (
    f'</pre></td><script>{CANARY}()</script><img src="http://127.0.0.1:9/{CANARY}">'
    f"\x00\x07\x1b[31m{CANARY}\u202e\u2066{CANARY}\ufeff\u0085\u2028%00"
)
UNPRICED = "gpt-99-unpriced"
Row = dict[str, Any]


def export_file(site: Any, source: str, day: str = DAY) -> Path:
    folder = site.folder / "export" / source
    (file,) = [f for f in folder.rglob("*.json*") if day in str(f.relative_to(folder))]
    return Path(file)


def change(site: Any, spoil: Callable[[list[Row]], list[Row]]) -> None:
    """Rewrite a day of the gateway's export."""
    file = export_file(site, "litellm")
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    file.write_text("".join(json.dumps(row) + "\n" for row in spoil(rows)), "utf-8")


def spoilt(rows: list[Row]) -> list[Row]:
    """One row of every kind of damage; the rest stays as it is."""
    negative, absent, twice, conflicting, ahead, hostile, giant, named = rows[:8]
    usage = negative["metadata"]["usage_object"]
    usage["completion_tokens"] = negative["completion_tokens"] = -40
    absent["metadata"] |= {"usage_object": None, "additional_usage_values": None}
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        absent[name] = None
    other = json.loads(json.dumps(conflicting))
    other["metadata"]["usage_object"]["completion_tokens"] += 7
    other["completion_tokens"] += 7
    for name in ("startTime", "endTime", "completionStartTime"):
        ahead[name] += 40 * 86_400
    hostile["messages"] = [{"role": "user", "content": HOSTILE}]
    hostile["response"] = {"choices": [{"message": {"role": "assistant", "content": HOSTILE}}]}
    hostile["end_user"] = hostile["metadata"]["user_api_key_end_user_id"] = f"user-{CANARY}"
    hostile["session_id"] = hostile["trace_id"] = f"session-{CANARY}"
    giant["messages"] = [{"role": "user", "content": f"{CANARY} <b>word</b> " * 45_000}]
    named["request_tags"] = ["intent:<script>x</script>\u202e&amp;", *named["request_tags"]]
    return [*rows, json.loads(json.dumps(twice)), other]


@pytest.fixture(scope="module")
def dirty(calm: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The spoilt week, all the way to published files."""
    site = calm.copy(tmp_path_factory.mktemp("dirty") / "site")
    site.read_files()
    change(site, spoilt)
    ws, week = site.open(), site.week
    assert [c.sentence for c in collect(ws, week) if c.failed] == []
    admit.admit(ws)
    assess.assess(ws, week)
    seal.seal(ws, week)
    render.render(ws, week)
    sign.sign(ws, week, sign.Approval("Ada Byron", "2026-11-16T06:30:00Z"))
    publish.publish(ws, week)
    yield site
    shutil.rmtree(site.folder)


@pytest.fixture(scope="module")
def quarantine(dirty: Any) -> list[Row]:
    ws = dirty.open()
    version = ws.lake.admitted().tables["quarantine"]
    table = ws.lake.delta.read("quarantine", version, [str(day) for day in dirty.week.days()])
    return list(table.to_pylist())


def finding(site: Any, control: str, window: Window | None = None) -> Row:
    kept = findings(site.open()).latest(window or site.week, control)
    assert kept is not None
    return dict(kept.finding)


def test_the_rows_that_are_wrong_are_refused_each_with_its_reason(
    dirty: Any, quarantine: list[Row]
) -> None:
    exported = export_file(dirty, "litellm").read_text("utf-8").splitlines()
    ids = [json.loads(line)["id"] for line in exported]
    refused = {
        json.loads(row["row"])["call_id"]: row["reason"]
        for row in quarantine
        if row["kind"] == "gateway_call"
    }
    assert set(refused) == {ids[0], ids[3], ids[4]}
    assert "out_visible is a count of tokens" in refused[ids[0]]
    assert "a second, different row about the same thing" in refused[ids[3]]
    assert "a clock that runs ahead" in refused[ids[4]]
    assert CANARY not in str(quarantine)


def test_refused_and_repeated_rows_are_counted_in_finding_and_packet(
    dirty: Any, quarantine: list[Row]
) -> None:
    counts = finding(dirty, "token-reconciliation")["population"]["gateway_call"]
    refused = [row for row in quarantine if row["kind"] == "gateway_call"]
    assert counts["refused"] == len(refused) == 3
    assert counts["repeated"] == 1
    given = render.given_input(dirty.open(), dirty.week)
    (sheet,) = [p for p in given.populations if p.kind == "gateway_call"]
    assert (sheet.refused, sheet.admitted) == (counts["refused"], counts["rows"])
    assert sheet.received == sheet.admitted + sheet.refused + counts["repeated"]


def test_absent_counters_stay_missing_and_are_no_zero(dirty: Any) -> None:
    ws = dirty.open()
    version = ws.lake.admitted().tables["gateway_call"]
    rows = ws.lake.delta.read("gateway_call", version, [DAY]).to_pylist()
    (silent,) = [row for row in rows if row["usage_quality"] == "missing"]
    assert silent["out_visible"] is None
    assert silent["in_uncached"] is None


def test_refused_calls_never_make_a_pass(dirty: Any) -> None:
    tokens = finding(dirty, "token-reconciliation")
    assert tokens["state"] != "satisfied"
    assert tokens["measures"]["unexplained_tokens"] != 0


def test_no_prompt_user_or_session_reaches_anything_that_leaves(dirty: Any, tmp_path: Path) -> None:
    ws, week = dirty.open(), dirty.week
    for name, tenant in (("window", None), ("tenant", "aster-bank")):
        made = attest.attest(ws, tenant=tenant, window=week)
        (dirty.folder / "out" / f"{name}.zip").write_bytes(made.bundle)
    outgoing = [dirty.folder / "out", ws.lake_root / "log", ws.lake_root / "findings"]
    outgoing += [ws.lake_root / "packets", ws.lake_root / "manifests", ws.lake_root / "suites"]
    files = [f for folder in outgoing for f in folder.rglob("*") if f.is_file()]
    assert len(files) > 50
    needle = CANARY.encode()
    for file in files:
        for where, content in unpacked(file):
            assert needle not in content, where
    kept = ws.lake.raw
    days = kept.manifests().items()
    pages = (kept.page(*key, page.digest) for key, day in days for page in day.pages)
    assert any(needle in page for page in pages), "the search would find it where it is"


def unpacked(file: Path) -> Iterator[tuple[str, bytes]]:
    """A file's bytes, and those of everything packed into it."""
    content = file.read_bytes()
    yield str(file), content
    if file.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield f"{file}!{name}", archive.read(name)
    elif file.suffix == ".parquet":
        yield f"{file}!rows", str(pq.read_table(file).to_pylist()).encode()
    elif file.suffix == ".pdf":
        with pikepdf.open(file) as pdf:
            for number, thing in enumerate(pdf.objects):
                if isinstance(thing, pikepdf.Stream):
                    try:
                        yield f"{file}!object {number}", thing.read_bytes()
                    except pikepdf.PdfError:  # an image or a font in a form of its own
                        yield f"{file}!raw object {number}", thing.read_raw_bytes()
        if shutil.which("pdftotext"):
            text = subprocess.run(["pdftotext", str(file), "-"], capture_output=True, check=True)
            yield f"{file}!text", text.stdout


def test_names_that_hold_markup_are_printed_as_text(dirty: Any) -> None:
    given = render.given_input(dirty.open(), dirty.week)
    page = html.page(view.build(given), None)
    assert "<script" not in page
    assert "http://127.0.0.1" not in page
    assert "\u202e" not in page


def test_a_model_without_a_price_leaves_the_money_undecided_and_is_named(
    calm: Any, tmp_path: Path
) -> None:
    site = calm.copy(tmp_path / "site")
    site.read_files()
    for file in (site.folder / "export").rglob("*.json*"):
        text = file.read_text("utf-8")
        file.write_text(text.replace("gpt-5.4-mini-2026-03-17", UNPRICED), "utf-8")
    ws = site.open()
    collect(ws, site.week)
    admit.admit(ws)
    assess.assess(ws, site.week, ("token-reconciliation",))
    found = finding(site, "token-reconciliation")
    assert found["state"] == "inconclusive"
    assert UNPRICED in json.dumps(found), found["reason"]
    assert found["measures"]["billed_usd_micros"] is None
    assert found["measures"]["billed_tokens"] > 0


def test_an_empty_window_gives_a_packet_that_concludes_nothing(calm: Any, tmp_path: Path) -> None:
    site = calm.copy(tmp_path / "site")
    site.read_files()
    before = Window.parse("2026-11-02/2026-11-09")
    ws = site.open()
    collect(ws, before)
    admit.admit(ws)
    assess.assess(ws, before)
    for control in ws.controls:
        found = finding(site, control, before)
        assert (found["state"], found["grade"]["value"]) == ("inconclusive", "missing")
        assert "No gateway_call" in found["reason"]
    seal.seal(ws, before)
    rendered = render.render(ws, before)
    assert rendered.packet_id == "CS-2026-W45"
    assert rendered.file.stat().st_size > 50_000
