"""The mail: two bodies that say the same, one picture, the file intact, nothing to fetch."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from io import BytesIO

import pytest
from PIL import Image

from countersign.canonical import digest
from countersign.model import Status
from countersign.packet import mail, strip, view

ENVELOPE = mail.Envelope(
    ("audit@example.org", "dpo@example.org"),
    "countersign@example.org",
    "<cs-2026-w46-v1@example.org>",
    datetime(2026, 11, 16, 8, tzinfo=UTC),
)
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40


@pytest.fixture
def sent(given):
    shown = view.build(given)
    raw = mail.message(shown, PDF, "CS-2026-W46-v1.pdf", ENVELOPE).as_bytes()
    return message_from_bytes(raw, policy=policy.default)


def test_parts_are_where_mail_readers_look_for_them(sent):
    types = [part.get_content_type() for part in sent.walk()]
    assert types == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]


def test_the_packet_arrives_intact(sent):
    file = next(sent.iter_attachments())
    assert file.get_filename() == "CS-2026-W46-v1.pdf"
    assert file.get_content() == PDF


def test_subject_and_headers(sent):
    assert sent["Subject"] == "[Provisional] Example Bank 2026-W46: 3 not satisfied"
    assert sent["Message-ID"] == "<cs-2026-w46-v1@example.org>"
    assert sent["Date"].datetime == ENVELOPE.date
    assert sent["To"] == "audit@example.org, dpo@example.org"


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (("satisfied",) * 3, "[Final] Example Bank 2026-W46: all 3 satisfied"),
        (
            ("satisfied", "inconclusive", "not-satisfied"),
            "[Final] Example Bank 2026-W46: 1 not satisfied, 1 not concluded",
        ),
    ],
)
def test_subject_counts_what_needs_attention(given, states, said):
    findings = tuple({**f, "state": s} for f, s in zip(given.findings, states, strict=True))
    shown = view.build(replace(given, findings=findings, status=Status.FINAL))
    assert mail.subject(shown) == said


def test_both_bodies_say_the_same(sent):
    text = sent.get_body(("plain",)).get_content()
    body = sent.get_body(("html",)).get_content()
    flat = " ".join(text.split())
    for said in (
        "1,203 ppm of the billed cost is unexplained.",
        "Token reconciliation",
        "482.12",
        "CS-2026-W46-v1.pdf",
        digest(PDF),
        "Do not trust this mail: the packet says how to verify it.",
    ):
        assert said in flat, said
        assert said in body, said


def test_plain_text_fits_72_columns(sent):
    lines = sent.get_body(("plain",)).get_content().splitlines()
    assert max(len(line) for line in lines) <= 72


def test_html_is_small_and_loads_nothing_from_outside(sent, twelve):
    body = sent.get_body(("html",)).get_content()
    assert "http" not in body
    assert "<script" not in body
    assert body.count("src=") == body.count("cid:") == 1
    for shown in (body, _html(view.build(twelve))):
        assert len(shown.encode()) <= mail.HTML_LIMIT


def _html(shown):
    built = mail.message(shown, PDF, "x.pdf", ENVELOPE)
    return built.get_body(("html",)).get_content()


def test_the_picture_says_the_counts_when_it_is_not_shown(sent):
    image = next(part for part in sent.walk() if part.get_content_type() == "image/png")
    assert image["Content-ID"] == "<verdicts@countersign>"
    assert 'alt="3 not satisfied"' in sent.get_body(("html",)).get_content()
    with Image.open(BytesIO(image.get_content())) as opened:
        assert opened.format == "PNG"
        assert opened.height == 66


def test_the_same_mail_twice_is_the_same_bytes(given):
    shown = view.build(given)
    first, second = (mail.message(shown, PDF, "x.pdf", ENVELOPE).as_bytes() for _ in range(2))
    assert first == second


def test_a_packet_above_the_limit_is_named_with_its_digest_and_not_attached(given):
    small = replace(ENVELOPE, attach_up_to_bytes=100, link="https://audit.example.org/packets")
    built = mail.message(view.build(given), PDF, "x.pdf", small)
    assert list(built.iter_attachments()) == []
    text = built.get_body(("plain",)).get_content()
    assert "Too large to attach: x.pdf, at https://audit.example.org/packets" in " ".join(
        text.split()
    )
    assert digest(PDF) in text


def test_hostile_text_cannot_add_a_header_or_a_tag(given):
    shown = view.build(replace(given, entity="Bank\r\nBcc: thief@example.org <b>x</b>"))
    built = mail.message(shown, PDF, "x.pdf", ENVELOPE)
    assert built["Bcc"] is None
    assert "<b>x</b>" not in built.get_body(("html",)).get_content()


def test_marks_of_the_strip_differ_in_shape():
    pictures = {
        state: Image.open(BytesIO(strip.png([state]))).convert("1").tobytes()
        for state in mail.SIGNS
    }
    assert len(set(pictures.values())) == 4
