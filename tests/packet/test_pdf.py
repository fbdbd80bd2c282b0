"""The unsigned packet: PDF/A-3a and PDF/UA-1 in structure, the same bytes, nothing fetched."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Name

from countersign.errors import ConfigError
from countersign.packet import html, pdf, view

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def opened(unsigned):
    with pikepdf.open(BytesIO(unsigned)) as document:
        yield document


def elements(document):
    pending, found = [document.Root.StructTreeRoot.K[0]], []
    while pending:
        element = pending.pop()
        if not isinstance(element, pikepdf.Dictionary):
            continue
        found.append(element)
        kids = element.get("/K")
        pending += list(kids) if isinstance(kids, pikepdf.Array) else [kids]
    return found


def test_xmp_names_both_standards(opened):
    xmp = opened.Root.Metadata.read_bytes().decode()
    assert re.search(r'pdfaid:part="3"', xmp)
    assert re.search(r'pdfaid:conformance="A"', xmp)
    assert "<pdfuaid:part>1</pdfuaid:part>" in xmp
    assert "pdfaExtension:schemas" in xmp


def test_colours_have_an_output_intent_with_a_profile(opened):
    intent = opened.Root.OutputIntents[0]
    assert intent.S == Name.GTS_PDFA1
    assert len(intent.DestOutputProfile.read_bytes()) > 1_000


def test_every_font_is_embedded_and_ours(opened):
    fonts = [
        obj
        for obj in opened.objects
        if isinstance(obj, pikepdf.Dictionary) and obj.get("/Type") == Name.FontDescriptor
    ]
    assert len(fonts) == 8
    for font in fonts:
        assert "/FontFile2" in font
        assert "Plex" in str(font.FontName)


def test_it_is_tagged_and_says_its_language_and_title(opened):
    assert opened.Root.MarkInfo.Marked
    assert str(opened.Root.Lang) == "en"
    assert opened.Root.ViewerPreferences.DisplayDocTitle
    assert "Audit packet CS-2026-W46" in str(opened.docinfo.Title)
    tags = {str(e.S) for e in elements(opened) if "/S" in e}
    assert {"/H1", "/H2", "/H3", "/P", "/Table", "/TH", "/TD", "/Figure", "/Link"} <= tags


def test_every_figure_has_a_text_and_a_box_inside_its_page(opened):
    figures = [e for e in elements(opened) if e.get("/S") == Name.Figure]
    assert len(figures) == 3 + 3  # a picture and a strip of weeks for each control
    for figure in figures:
        assert len(str(figure.Alt)) > 20
        left, bottom, right, top = (float(edge) for edge in figure.A.BBox)
        assert 0 <= left < right <= 596
        assert 0 <= bottom < top <= 842


def test_figures_stand_where_they_are_drawn(opened):
    """The ladder begins below the verdict: in the upper half of its page, not the lower."""
    ladder = next(
        e for e in elements(opened) if e.get("/S") == Name.Figure and "tokens billed" in str(e.Alt)
    )
    assert float(ladder.A.BBox[3]) > 842 / 2


def test_table_headers_have_a_scope_and_a_name_that_is_indexed_once(opened):
    heads = [e for e in elements(opened) if e.get("/S") == Name.TH and "/ID" in e]
    names = [bytes(head.ID) for head in heads]
    assert len(names) > 100
    assert len(set(names)) == len(names)
    assert {str(head.A.Scope) for head in heads} == {"/Row", "/Column"}
    indexed = list(opened.Root.StructTreeRoot.IDTree.Kids[0].Names)
    assert [bytes(name) for name in indexed[::2]] == sorted(names)
    used = {
        bytes(h)
        for e in elements(opened)
        if e.get("/S") == Name.TD
        for h in e.A.get("/Headers", [])
    }
    assert used <= set(names)


def test_attachments_are_sorted_dated_and_associated_once(opened, attachments):
    names = opened.Root.Names.EmbeddedFiles.Names
    assert [str(n) for n in names[::2]] == sorted(a.name for a in attachments)
    files = list(names[1::2])
    assert len(opened.Root.AF) == len(files)
    by_name = {a.name: a for a in attachments}
    for file in files:
        attachment = by_name[str(file.UF)]
        assert str(file.AFRelationship) == f"/{attachment.relationship}"
        assert str(file.EF.F.Params.ModDate) == "D:20261116061200Z"
        assert file.EF.F.read_bytes() == attachment.content
        assert str(file.EF.F.Subtype) == f"/{attachment.media_type}"


def test_nothing_runs_and_no_link_leaves_the_file(opened):
    for item in opened.objects:
        if isinstance(item, pikepdf.Dictionary):
            assert item.get("/S") not in {Name.JavaScript, Name.URI, Name.Launch, Name.GoToR}
            assert "/JS" not in item
            assert "/AA" not in item


def test_qpdf_finds_nothing_wrong(unsigned, tmp_path):
    if shutil.which("qpdf") is None:
        pytest.skip("qpdf is not installed")
    file = tmp_path / "packet.pdf"
    file.write_bytes(unsigned)
    checked = subprocess.run(
        ["qpdf", "--check", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_verapdf_agrees_where_it_is_installed(unsigned, tmp_path):
    if shutil.which("verapdf") is None:
        pytest.skip("veraPDF is not installed")
    file = tmp_path / "packet.pdf"
    file.write_bytes(unsigned)
    for flavour in ("3a", "ua1"):
        said = subprocess.run(
            ["verapdf", "--flavour", flavour, "--format", "text", str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.stdout.startswith("PASS"), said.stdout


def test_the_same_input_gives_the_same_bytes_under_any_hash_seed(given, tmp_path):
    page, out = tmp_path / "page.html", []
    page.write_text(html.page(view.build(given)), encoding="utf-8")
    program = (
        "import sys; from countersign.packet import pdf; from pathlib import Path;"
        "text = Path(sys.argv[1]).read_text(encoding='utf-8');"
        "content = pdf.render(text, (), pdf.Meta('X', 1_794_800_000_000_000));"
        "import hashlib; print(hashlib.sha256(content).hexdigest())"
    )
    for seed in ("1", "4242"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(ROOT / "plugins"),
            "SOURCE_DATE_EPOCH": seed,
            "TZ": "Asia/Kathmandu",
        }
        done = subprocess.run(
            [sys.executable, "-c", program, str(page)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        out.append(done.stdout)
    assert out[0] == out[1]
    assert len(out[0].strip()) == 64


def test_page_one_is_one_page_whatever_the_numbers(twelve):
    pages = _texts(pdf.render(html.page(view.build(twelve)), (), pdf.Meta("X", 0)))
    assert "The week in one minute" in pages[1]
    assert "Money, US dollars" in pages[1]
    assert "Contents, and how to read" in pages[2]


def _texts(content):
    done = subprocess.run(
        ["pdftotext", "-layout", "-", "-"], input=content, capture_output=True, check=True
    )
    return done.stdout.decode().split("\f")


def test_digests_copy_as_one_word(unsigned, given):
    if shutil.which("pdftotext") is None:
        pytest.skip("poppler-utils is not installed")
    text = "\n".join(_texts(unsigned))
    for row in given.evidence:
        assert row.digest in text


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:9/x.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "https://packet.invalid/../secret",
        "fonts/../../page.css",
    ],
)
def test_the_page_may_load_nothing_but_our_own_assets(address, given):
    page = html.page(view.build(given)).replace("</body>", f'<img alt="x" src="{address}"></body>')
    with pytest.raises(pdf.RefusedFetchError, match="own fonts and marks"):
        pdf.render(page, (), pdf.Meta("X", 0))


def test_a_character_without_a_glyph_is_printed_by_its_code_point(given):
    if shutil.which("pdftotext") is None:
        pytest.skip("poppler-utils is not installed")
    shown = view.build(replace(given, entity="王小明 Bank"))
    text = _texts(pdf.render(html.page(shown), (), pdf.Meta("X", 0)))[0]
    assert "[U+738B]" in text


def test_a_page_without_a_font_is_refused():
    with pytest.raises(ConfigError, match="@font-face"):
        pdf.render("<html lang='en'><title>x</title><p>x</p></html>", (), pdf.Meta("X", 0))


SMALL = """<html lang='en'><title>x</title><style>@font-face { font-family: 'P';
src: url('fonts/IBMPlexSans-Regular.woff2') } p { font-family: P }</style><p>x</p></html>"""


def test_the_environment_is_put_back(given, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "17")
    monkeypatch.delenv("FONTCONFIG_FILE", raising=False)
    pdf.render(SMALL, (), pdf.Meta("X", 0))
    assert os.environ["SOURCE_DATE_EPOCH"] == "17"
    assert "FONTCONFIG_FILE" not in os.environ
