"""Pictures: labels touch nothing, numbers are the table's, every figure says its conclusion."""

import random
import re
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from fontTools.ttLib import TTFont

from countersign.packet import pictures
from countersign.packet.pictures import marks, metrics
from countersign.packet.pictures.palette import PRINT, WEB

FONTS = Path(__file__).resolve().parents[2] / "reports" / "fonts"
SVG = "{http://www.w3.org/2000/svg}"


def boxes(svg: str) -> list[tuple[float, float, float, float, str]]:
    """The room that each label takes, by the widths of the font."""
    found = []
    for node in ET.fromstring(svg).iter(f"{SVG}text"):
        x, y, size = (float(node.get(name)) for name in ("x", "y", "font-size"))
        wide = metrics.width(node.text or "", size, int(node.get("font-weight")))
        left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[node.get("text-anchor")]
        found.append((left, y - 0.72 * size, left + wide, y + 0.2 * size, node.text or ""))
    return found


def collisions(svg: str) -> list[tuple[str, str]]:
    found = boxes(svg)
    return [
        (a[4], b[4])
        for i, a in enumerate(found)
        for b in found[i + 1 :]
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]


def assert_readable(svg: str) -> None:
    root = ET.fromstring(svg)
    _, _, wide, high = (float(part) for part in root.get("viewBox").split())
    assert collisions(svg) == []
    for left, top, right, bottom, label in boxes(svg):
        assert left >= -0.5, label
        assert right <= wide + 0.5, label
        assert top >= -0.5, label
        assert bottom <= high + 0.5, label
    assert root[0].tag == f"{SVG}title"
    assert len(root[0].text) > 20


@pytest.fixture
def details(make_input):
    return make_input().details


@pytest.mark.parametrize("control", ["token-reconciliation", "input-drift", "data-residency"])
def test_labels_of_the_sample_stand_apart(control, details):
    svg = pictures.of(control).draw(details[control]["picture"], PRINT)
    assert_readable(svg)


@pytest.mark.parametrize("seed", range(40))
def test_labels_stand_apart_whatever_the_shares(seed):
    chance = random.Random(seed)
    count = chance.randrange(2, 15)
    weights = [[chance.random() ** chance.choice((1, 4)) for _ in range(count)] for _ in range(2)]
    shares = [[int(1_000_000 * w / sum(ws)) for w in ws] for ws in weights]
    levels = [
        {"label": f"a {'long ' * chance.randrange(4)}level {i}", "reference_ppm": r, "now_ppm": n}
        for i, (r, n) in enumerate(zip(*shares, strict=True))
    ]
    effects = [
        {
            "feature": f"feature_{i}",
            "effect_microbits": chance.randrange(400_000),
            "low_microbits": 0,
            "high_microbits": 500_000,
            "minimum_microbits": 2_000,
            "state": chance.choice(["moved", "holds", "undecided"]),
        }
        for i in range(8)
    ]
    picture = {"feature": "feature_0", "levels": levels, "effects": effects}
    assert_readable(pictures.of("input-drift").draw(picture, PRINT))


@pytest.mark.parametrize("seed", range(40))
def test_labels_of_the_hop_path_stand_apart(seed):
    chance = random.Random(seed)
    places = ["Germany", "Ireland", "United States of America", None, "FR"]
    names = ["Gateway", "Model, attempt 2", "Vector store", "Abuse monitoring store"]
    hops = [
        {
            "seq": i + 1,
            "label": chance.choice(names),
            "jurisdiction": chance.choice(places),
            "region": None,
            "operator_parent": chance.choice(["US", None, "Germany"]),
            "strength": chance.choice(["R0", "R1", "R2"]),
            "derived": False,
            "status": chance.choice(["ok", "error"]),
            "violating": chance.random() < 0.3,
        }
        for i in range(chance.randrange(1, 11))
    ]
    svg = pictures.of("data-residency").draw({"request": "r", "hops": hops, "weakest": 1}, PRINT)
    assert_readable(svg)


def test_a_hop_outside_its_promise_differs_in_shape_and_in_words(details):
    """Not by colour alone: a filled square with the number in it, and what it means below."""
    picture = details["data-residency"]["picture"]
    inside = [{**hop, "violating": False} for hop in picture["hops"]]
    outside = [{**hop, "violating": hop["seq"] == 3} for hop in picture["hops"]]
    draw = pictures.of("data-residency").draw
    before, after = (draw({**picture, "hops": hops}, PRINT) for hops in (inside, outside))
    shapes = [ET.fromstring(svg) for svg in (before, after)]
    circles, squares = (
        [len(list(s.iter(f"{SVG}{n}"))) for s in shapes] for n in ("circle", "rect")
    )
    assert (circles[0] - circles[1], squares[1] - squares[0]) == (1, 1)
    words = ["".join(node.text or "" for node in s.iter(f"{SVG}text")) for s in shapes]
    assert "out of" not in words[0]
    assert "out of" in words[1]
    assert "out of region" not in shapes[0][0].text
    assert "3 Model, attempt 2 in United States, R2, out of region" in shapes[1][0].text
    assert_readable(after)


@pytest.mark.parametrize("ppm", [None, 0, 1, 4_700, 5_000, 5_001, 999_999])
@pytest.mark.parametrize("scale", [1, 10_000_000])
def test_labels_of_the_ladder_stand_apart(ppm, scale, details):
    picture = details["token-reconciliation"]["picture"]
    rows = [
        {**row, "tokens": row["tokens"] * scale, "usd_micros": row["usd_micros"] * scale}
        for row in picture["rows"]
    ]
    drawn = {"rows": rows, "unexplained_ppm": ppm, "limit_ppm": 5_000}
    assert_readable(pictures.of("token-reconciliation").draw(drawn, PRINT))


def test_the_ladder_foots_on_paper_as_it_does_in_the_numbers(details):
    picture = details["token-reconciliation"]["picture"]
    svg = pictures.of("token-reconciliation").draw(picture, PRINT)
    bars = [
        (float(r.get("x")), float(r.get("width")))
        for r in ET.fromstring(svg).iter(f"{SVG}rect")
        if r.get("fill") in {PRINT.data, PRINT.ref}
    ]
    billed, *classes, rendered = bars
    assert billed[0] == rendered[0] == 126
    for (x, _), (below, wide) in zip(bars[:-2], classes, strict=False):
        assert below + wide == pytest.approx(x + (billed[1] if x == 126 else 0), abs=1.0)
    assert classes[-1][0] == pytest.approx(126 + rendered[1], abs=1.0)


def test_numbers_in_the_picture_are_those_of_the_table(details):
    module = pictures.of("token-reconciliation")
    svg = module.draw(details["token-reconciliation"]["picture"], PRINT)
    table = module.numbers(details["token-reconciliation"])[0]
    for row in table.rows:
        assert row.cells[1].text in svg


def test_a_missing_number_is_named_and_never_a_bar(details):
    picture = details["token-reconciliation"]["picture"]
    rows = [*picture["rows"][:-1], {**picture["rows"][-1], "tokens": None, "usd_micros": None}]
    svg = pictures.of("token-reconciliation").draw({**picture, "rows": rows}, PRINT)
    assert svg.count(">missing<") == 2
    assert_readable(svg)


@pytest.mark.parametrize("control", ["token-reconciliation", "input-drift", "data-residency"])
def test_nothing_to_draw_is_the_empty_string(control):
    assert pictures.of(control).draw({}, PRINT) == ""
    assert pictures.of(control).numbers({}) == ()


def test_a_control_without_a_picture_has_none():
    assert pictures.of("no-such-control") is None
    assert pictures.of("../etc/passwd") is None


def test_the_same_picture_takes_the_webs_palette(details):
    svg = pictures.of("input-drift").draw(details["input-drift"]["picture"], WEB)
    assert 'stroke="var(--data)"' in svg
    assert "#" not in re.sub(r"<title>.*?</title>", "", svg)


def test_hostile_labels_stay_text():
    level = {"label": "<script>\u202e\x07" + "x" * 1_000_000, "reference_ppm": 1, "now_ppm": 2}
    svg = pictures.of("input-drift").draw(
        {"feature": "intent", "levels": [level, level], "effects": []}, PRINT
    )
    assert "<script" not in svg
    assert len(svg) < 20_000
    ET.fromstring(svg)


@pytest.mark.parametrize(("weight", "file"), [(400, "Regular"), (600, "SemiBold")])
def test_label_widths_are_those_of_the_font(weight, file):
    font = TTFont(BytesIO((FONTS / f"IBMPlexSans-{file}.woff2").read_bytes()))
    names = font.getBestCmap()
    for character, wide in metrics.WIDTHS[weight].items():
        assert font["hmtx"][names[ord(character)]][0] == wide, character


def test_strips_show_a_week_without_a_verdict_as_a_gap():
    svg = marks.strip([None, "satisfied"], "one gap, then satisfied", PRINT)
    assert svg.count("<line") == 1
    assert svg.count("<circle") == 1
