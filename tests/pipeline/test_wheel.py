"""The wheel by itself: templates, rules and verifier travel in it; no checkout is needed."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from countersign.pipeline.render import packets

ROOT = Path(__file__).resolve().parents[2]
RENDER = """
import sys
from pathlib import Path
import countersign
from countersign.packet import html, pdf, record, view
from countersign.pipeline import resources

site = Path(sys.argv[1])
package = Path(countersign.__file__).resolve().parent
assert package.is_relative_to(site), package
for name in ("reports", "expectations"):
    (folder, *_) = resources.folders(name)
    assert folder == package / "_shipped" / name, folder
given = record.read(Path("packet.json").read_bytes())
page = html.page(view.build(given), None)
Path("packet.html").write_text(page, encoding="utf-8")
content = pdf.render(page, (), pdf.Meta(f"{given.packet_id}-v1", given.prepared_at_us, None))
Path("packet.pdf").write_bytes(content)
print(given.packet_id, len(content))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel; built from a copy, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("plugins", "reports", "expectations"):
        left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "examples")
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=left_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip("wheel", "--no-build-isolation", "-w", str(folder), str(source))
    (built,) = folder.glob("countersign-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel's content and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--target", str(folder), str(wheel))
    return folder


def pip(verb: str, *words: str) -> None:
    common = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    done = subprocess.run(
        [sys.executable, "-m", "pip", verb, *common, *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]


def python(installed: Path, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Python in an empty folder that sees the installed wheel and no checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COUNTERSIGN")}
    environment["PYTHONPATH"] = str(installed)
    return subprocess.run(
        [sys.executable, "-W", "ignore", *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_wheel_holds_templates_rules_fonts_and_the_verifier(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "countersign/_shipped/expectations/gateway_call.json",
        "countersign/attest/offline/countersign-verify.py",
        "countersign/cli/example.toml",
        "countersign/world/scenarios/demo.toml",
    ):
        assert name in names
    shipped = {name for name in names if name.startswith("countersign/_shipped/reports/")}
    checkout = {
        f"countersign/_shipped/reports/{file.relative_to(ROOT / 'reports').as_posix()}"
        for file in (ROOT / "reports").rglob("*.j2")
    }
    assert checkout <= shipped
    assert any(name.endswith((".ttf", ".otf", ".woff2")) for name in shipped)
    assert not any("tests/" in name or name.endswith(".key") for name in names)


def test_a_packet_is_rendered_from_the_wheel_in_an_empty_folder(
    installed: Path, published: Any, tmp_path: Path
) -> None:
    with pikepdf.open(packets(published.open()).existing(published.week).unsigned) as packet:
        given = packet.attachments["packet.json"].get_file().read_bytes()
    (tmp_path / "packet.json").write_bytes(given)
    done = python(installed, tmp_path, "-c", RENDER, str(installed))
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.startswith("CS-2026-W46 ")
    assert (tmp_path / "packet.pdf").read_bytes().startswith(b"%PDF")
    assert "Northern Lights" in (tmp_path / "packet.html").read_text("utf-8")


def test_init_and_doctor_work_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    program = "from countersign.cli import main; main()"
    for command in ("init", "doctor"):
        done = python(installed, tmp_path, "-c", program, command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert f"{installed}/countersign/_shipped/reports" in done.stdout
