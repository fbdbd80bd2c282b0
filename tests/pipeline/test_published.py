"""A packet as an auditor gets it: signed, logged, proven; every flipped bit refused by name."""

import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from countersign.attest import bundle
from countersign.canonical import digest
from countersign.errors import VerificationError
from countersign.pipeline import attest, render, residency, seal, sign
from countersign.pipeline.assess import findings
from countersign.pipeline.attest import sealed_windows
from countersign.pipeline.render import packets
from countersign.pipeline.verify import Group, group, verify

FLIPS = int(os.environ.get("COUNTERSIGN_TEST_FLIPS", "1000"))
NAME = "CS-2026-W46"
OTHER = "countersign.example/other+3f0c8a1b+AQ=="


@pytest.fixture(scope="module")
def out(published: Any) -> Path:
    return Path(published.folder / "out")


@pytest.fixture(scope="module")
def vkey(out: Path) -> str:
    return (out / "log.vkey").read_text("utf-8").strip()


def packet_of(out: Path) -> Group:
    return Group(out / f"{NAME}.pdf", out / f"{NAME}.tlog-proof")


def checkpoint_of(out: Path) -> Path:
    return out.parent / "lake" / "log" / "checkpoint"


def test_packet_bundle_and_checkpoint_are_valid_under_the_published_key(
    out: Path, vkey: str
) -> None:
    subjects = group([out / f"{NAME}.pdf", out / f"{NAME}-residency.zip", checkpoint_of(out)])
    for files in subjects:
        verdict = verify(files, [vkey])
        assert (verdict.valid, verdict.summary) == (True, "VALID")
        assert verdict.not_checked, "an honest verdict says what it did not check"


def test_the_log_names_the_packet_and_who_approved_it(out: Path, vkey: str) -> None:
    entry = verify(packet_of(out), [vkey]).document
    content = (out / f"{NAME}.pdf").read_bytes()
    assert (entry["sha256"], entry["bytes"]) == (digest(content), len(content))
    assert "approved by Ada Byron" in str(entry)


SUBJECTS = ("packet", "proof", "bundle", "checkpoint")


def flipped(content: bytes, bit: int) -> bytes:
    spoilt = bytearray(content)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


@pytest.mark.parametrize("what", SUBJECTS)
def test_a_flipped_bit_anywhere_is_refused_and_named(
    what: str, out: Path, vkey: str, tmp_path: Path
) -> None:
    packet = packet_of(out)
    originals = {
        "packet": packet.subject,
        "proof": packet.proof,
        "bundle": out / f"{NAME}-residency.zip",
        "checkpoint": checkpoint_of(out),
    }
    original = originals[what]
    assert original is not None
    content, target = original.read_bytes(), tmp_path / original.name
    files = {
        "packet": Group(target, packet.proof),
        "proof": Group(packet.subject, target),
        "bundle": Group(target),
        "checkpoint": Group(target),
    }[what]
    rng = random.Random(f"flips of {what}")
    for bit in rng.sample(range(len(content) * 8), min(FLIPS, len(content) * 8)):
        target.write_bytes(flipped(content, bit))
        with pytest.raises(VerificationError) as refused:
            verify(files, [vkey])
        assert len(refused.value.thing) > 3, f"bit {bit}: nothing is named"
        assert refused.value.expected or refused.value.observed, f"bit {bit}: {refused.value}"


def test_without_a_key_nobody_is_identified(
    out: Path, countersign: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COUNTERSIGN_TRUST", raising=False)
    said = countersign("verify", str(out / f"{NAME}.pdf"), str(out / f"{NAME}-residency.zip"))
    assert said.code == 1
    assert said.out.count("CONSISTENT, signer NOT identified") == 2


def test_trust_comes_from_the_option_the_variable_or_the_configuration(
    out: Path, countersign: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packet, key = str(out / f"{NAME}.pdf"), out / "log.vkey"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COUNTERSIGN_TRUST", raising=False)
    assert countersign("verify", packet, "--key", str(key)).code == 0
    monkeypatch.setenv("COUNTERSIGN_TRUST", key.read_text("utf-8").strip())
    assert countersign("verify", packet).code == 0
    monkeypatch.setenv("COUNTERSIGN_TRUST", str(key))
    assert countersign("verify", packet).code == 0
    monkeypatch.delenv("COUNTERSIGN_TRUST")
    (tmp_path / "log.vkey").write_bytes(key.read_bytes())
    (tmp_path / "countersign.toml").write_text(
        '[countersign]\nentity = "An auditor"\n[trust]\nkeys = ["log.vkey"]\n', "utf-8"
    )
    assert countersign("verify", packet).code == 0


def test_another_logs_key_is_refused(
    out: Path, countersign: Callable[..., Any], tmp_path: Path
) -> None:
    assert countersign("init", str(tmp_path)).code == 0
    said = countersign("verify", str(out / f"{NAME}.pdf"), "--key", str(tmp_path / "keys/log.vkey"))
    assert said.code == 1
    assert "REFUSED" in said.out
    assert "signature" in said.err or "signed" in said.err


def test_a_packet_without_its_proof_is_refused_and_the_proof_is_named(
    out: Path, vkey: str, tmp_path: Path
) -> None:
    lonely = tmp_path / "lonely.pdf"
    lonely.write_bytes((out / f"{NAME}.pdf").read_bytes())
    (files,) = group([lonely])
    with pytest.raises(VerificationError, match=r"lonely\.tlog-proof"):
        verify(files, [vkey])


def test_the_verifier_in_the_packet_verifies_the_packet(out: Path, tmp_path: Path) -> None:
    with pikepdf.open(out / f"{NAME}.pdf") as pdf:
        script = pdf.attachments["countersign-verify.py"].get_file().read_bytes()
    (tmp_path / "countersign-verify.py").write_bytes(script)

    def standalone(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-I", "-S", str(tmp_path / "countersign-verify.py"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    packet, key = str(out / f"{NAME}.pdf"), str(out / "log.vkey")
    good = standalone(packet, "--key", key)
    assert good.returncode == 0, good.stdout + good.stderr
    assert standalone(packet).returncode == 1
    spoilt = tmp_path / f"{NAME}.pdf"
    spoilt.write_bytes(flipped(Path(packet).read_bytes(), 4_711))
    (tmp_path / f"{NAME}.tlog-proof").write_bytes((out / f"{NAME}.tlog-proof").read_bytes())
    bad = standalone(str(spoilt), "--key", key)
    assert bad.returncode == 1
    assert "sha256" in bad.stdout + bad.stderr


def test_the_same_seal_renders_to_the_same_bytes(published: Any, tmp_path: Path) -> None:
    site = published.copy(tmp_path / "again", "packets", "out", "tmp")
    again = render.render(site.open(), site.week)
    first = render.check(published.open(), published.week)
    assert (again.digest, again.packet_id) == (first.digest, NAME)


def test_a_signed_packet_is_neither_rendered_nor_signed_again(published: Any) -> None:
    ws, week = published.open(), published.week
    packet = packets(ws).existing(week)
    before = {f.name: f.read_bytes() for f in packet.folder.iterdir()}
    size = ws.log.size
    render.render(ws, week)
    sign.sign(ws, week, sign.Approval("Somebody Else", "2026-11-17T00:00:00Z"))
    assert {f.name: f.read_bytes() for f in packet.folder.iterdir()} == before
    assert (published.open().log.size, packets(ws).existing(week).version) == (size, 1)


def test_attachments_of_the_signed_packet_are_the_sealed_documents(
    published: Any, out: Path
) -> None:
    ws = published.open()
    with pikepdf.open(out / f"{NAME}.pdf") as pdf:
        attached = {n: s.get_file().read_bytes() for n, s in pdf.attachments.items()}
    for control in ws.controls:
        kept = findings(ws).latest(published.week, control)
        assert attached[f"{control}.finding.json"] == kept.content
        finding = json.loads(kept.content)
        observations = attached[f"{control}.observations.jsonl"]
        assert digest(observations) == finding["observations_table"]["digest"]
        assert digest(attached[f"{control}.detail.json"]) == finding["detail"]["digest"]
        assert ws.log.entry(dict(seal.sealed(ws, published.week).findings)[control])


@pytest.mark.parametrize("scope", ["tenant", "window"])
def test_tenant_and_window_attestations_verify(
    published: Any, out: Path, vkey: str, tmp_path: Path, scope: str
) -> None:
    ws, week = published.open(), published.week
    tenant = "aster-bank" if scope == "tenant" else None
    made = attest.attest(ws, tenant=tenant, window=week)
    file = tmp_path / f"{scope}.zip"
    file.write_bytes(made.bundle)
    verdict = verify(Group(file), [vkey])
    assert verdict.valid
    relation = residency.finding(ws, week).relation("requests").to_pylist()  # type: ignore[union-attr]
    rows = [row for row in relation if tenant in {None, row["tenant"]}]
    assert f"{sum(row['verdict'] == 'violating' for row in rows)} violating" in made.sentence
    assert sealed_windows(ws) == [week]


def test_an_attestation_of_a_violating_request_says_so(
    published: Any, vkey: str, tmp_path: Path, countersign: Callable[..., Any]
) -> None:
    ws, week = published.open(), published.week
    kept = residency.finding(ws, week)
    assert kept is not None
    rows = kept.relation("requests").to_pylist()
    request = next(row["request_id"] for row in rows if row["verdict"] == "violating")
    file = tmp_path / "one.zip"
    said = countersign(
        "attest", "--request", request, "-o", str(file), "--config", str(published.config)
    )
    assert (said.code, "violating" in said.out) == (0, True)
    verdict = verify(Group(file), [vkey])
    assert verdict.valid
    assert "violating" in json.dumps(verdict.document)
    members = bundle.decode(file.read_bytes())
    assert not any(request.encode() in content for content in members.values())


def test_a_request_that_nobody_made_cannot_be_attested(
    published: Any, countersign: Callable[..., Any], tmp_path: Path
) -> None:
    said = countersign(
        "attest", "--request", "never", "-o", str(tmp_path / "x.zip"),
        "--config", str(published.config),
    )  # fmt: skip
    assert said.code == 3
    assert "request never" in said.err
    assert not (tmp_path / "x.zip").exists()


def test_the_log_checks_and_a_changed_entry_is_named(
    published: Any, countersign: Callable[..., Any], tmp_path: Path
) -> None:
    site = published.copy(tmp_path / "site", "export", "traffic", "out")
    said = countersign("log", "check", "--config", str(site.config))
    assert said.code == 0
    assert "every hash derives again" in said.out
    bundles = [f for f in (site.folder / "lake/log/tile/entries").rglob("*") if f.is_file()]
    entries = max(bundles, key=lambda file: file.stat().st_size)
    content = entries.read_bytes()
    assert b"2026-11-09" in content
    entries.write_bytes(content.replace(b"2026-11-09", b"2026-11-08", 1))
    said = countersign("log", "check", "--config", str(site.config))
    assert said.code == 1
    assert "entry" in said.err


def test_the_unsigned_pdf_carries_no_metadata_of_the_machine(published: Any) -> None:
    packet = packets(published.open()).existing(published.week)
    with pikepdf.open(io.BytesIO(packet.unsigned.read_bytes())) as pdf:
        said = str(pdf.docinfo) + pdf.Root.Metadata.read_bytes().decode()
    assert str(published.folder) not in said
    assert "2026-11-16T06:00:00" in said
