"""What the pages say: sorted by attention, never stronger than the findings, missing is not 0."""

from dataclasses import replace

import pytest

from countersign.model import State, Status
from countersign.packet import html, view
from countersign.packet.input import ControlCard, Money, NotRun, Previous, Week


def changed(finding, **parts):
    return {**finding, **parts}


def test_rows_are_sorted_by_attention(twelve):
    order = [row.mark.state for row in view.build(twelve).rows]
    ranked = ["not-satisfied", "inconclusive", "not-run", "satisfied"]
    assert order == sorted(order, key=ranked.index)
    assert len(order) == 12


def test_counts_of_cover_table_and_page_one_agree(twelve):
    shown = view.build(twelve)
    for count in shown.counts:
        assert count.number == sum(row.mark == count.mark for row in shown.rows)
    assert sum(count.number for count in shown.counts) == len(shown.controls)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("satisfied", "All but 1,203 ppm of the billed cost is explained."),
        ("not-satisfied", "1,203 ppm of the billed cost is unexplained."),
    ],
)
def test_the_headline_quotes_the_reconciliation(given, state, said):
    first = changed(given.findings[0], state=state)
    shown = view.build(replace(given, findings=(first, *given.findings[1:])))
    assert shown.headline.startswith(said)


def test_an_open_reconciliation_supports_no_sentence_about_money(given):
    first = changed(given.findings[0], state="inconclusive")
    shown = view.build(replace(given, findings=(first, *given.findings[1:])))
    assert "ppm" not in shown.headline
    assert "One could not be concluded: token reconciliation." in shown.headline


def test_the_headline_has_three_sentences_at_most(twelve, given):
    for shown in (view.build(twelve), view.build(given)):
        assert shown.headline.count(". ") <= 2


def test_a_control_that_crashed_has_a_page_and_makes_the_packet_incomplete(given):
    crashed = replace(
        given,
        findings=given.findings[1:],
        not_run={"token-reconciliation": NotRun("KeyError", "conclude, line 3")},
    )
    shown = view.build(crashed)
    assert not shown.is_complete
    page = next(p for p in shown.controls if p.id == "token-reconciliation")
    assert page.mark.state == "not-run"
    assert "KeyError" in page.reason
    assert page.exceptions is None
    assert "No finding exists, so there is nothing to draw." in html.page(shown)
    assert all(row.week.text == "missing" for row in shown.money)


def test_a_registered_control_without_any_finding_is_not_run_never_satisfied(given):
    card = {**given.controls, "plan-deadlock": ControlCard("No plan waits for itself.")}
    shown = view.build(replace(given, controls=card))
    assert next(r for r in shown.rows if r.anchor == "plan-deadlock").mark.state == "not-run"


def test_only_registered_controls_are_listed(given):
    assert {row.anchor for row in view.build(given).rows} == set(given.controls)


def test_changes_are_worse_better_and_new(given):
    before = {"token-reconciliation": State.SATISFIED, "input-drift": State.NOT_SATISFIED}
    shown = view.build(replace(given, previous=Previous(before)))
    assert [item.name for item in shown.changes] == ["Worse", "New"]
    assert "from satisfied to not satisfied" in " ".join(shown.changes[0].lines)
    assert shown.changes[1].lines == ("Data residency",)


def test_missing_money_is_never_zero(given):
    first = changed(given.findings[0], measures={"billed_usd_micros": 0})
    shown = view.build(replace(given, findings=(first,), previous=Previous({}, Money())))
    assert [row.week.text for row in shown.money] == ["0.00", *["missing"] * 4]
    assert {row.before.kind for row in shown.money} == {"missing"}


def test_a_week_without_a_packet_is_a_gap_in_the_strip(given):
    row = view.build(given).rows[0]
    assert row.weeks[:2] == (None, None)
    assert len(row.weeks) == 8
    assert "no packet" in row.weeks_text


def test_this_week_is_not_shown_twice(given):
    week = Week(given.window.label, {"input-drift": State.SATISFIED})
    shown = view.build(replace(given, history=(*given.history, week)))
    assert [row.weeks for row in shown.rows] == [row.weeks for row in view.build(given).rows]


def test_a_final_packet_names_what_it_supersedes(given):
    final = replace(given, status=Status.FINAL, version=2, supersedes="ab" * 32)
    page = html.page(view.build(final))
    assert "FINAL · supersedes v1" in page
    assert "abababababababab…" in page
    assert "PROVISIONAL" not in page


def test_exceptions_on_paper_are_bounded_and_counted(given):
    many = [{**given.findings[2]["exceptions"][1], "subject": f"request {i}"} for i in range(400)]
    flooded = changed(
        given.findings[2],
        exceptions=many,
        observations={"examined": 900, "holding": 500, "not_holding": 400, "undecided": 0},
    )
    shown = view.build(replace(given, findings=(*given.findings[:2], flooded)))
    listed = next(t for t in shown.exceptions if t.caption == "Data residency")
    assert len(listed.rows) == 50
    assert listed.more == 350
    page = next(p for p in shown.controls if p.id == "data-residency")
    assert len(page.exceptions.rows) == 5
    assert page.exceptions.more == 395


def test_a_response_replaces_the_days_that_nobody_answered(given):
    answered = replace(given, responses={("data-residency", "aster-bank"): "remediate by 1 Dec"})
    page = next(p for p in view.build(answered).controls if p.id == "data-residency")
    said = [row.cells[3].text for row in page.exceptions.rows]
    assert said[0] == "remediate by 1 Dec"
    assert said[1] == "no response yet, 3 days"


HOSTILE = "<script>alert(1)</script>{{ 7*7 }}\x07\u202eevil\ud800" + "A" * 1_000_000


def hostile(value):
    """The value with every string in it replaced, shape kept."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    return [hostile(item) for item in value] if isinstance(value, list) else value


def test_hostile_text_in_every_string_neither_breaks_nor_floods_the_page(given):
    findings = tuple(
        {**hostile(f), "control": f["control"], "state": f["state"]} for f in given.findings
    )
    details = {name: hostile(detail) for name, detail in given.details.items()}
    attacked = replace(
        given, findings=findings, details=details, entity=HOSTILE, prepared_by=HOSTILE
    )
    page = html.page(view.build(attacked))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert "[U+0007]" in page
    assert "[U+202E]" in page
    assert not set("\x07\u202e\ud800") & set(page)
    assert len(page) < 400_000


def test_a_view_is_pure(given):
    assert view.build(given) == view.build(given)
