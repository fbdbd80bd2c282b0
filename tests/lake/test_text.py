"""Columns read out of text: lengths, tokens, turns, unseen terms, commitments."""

import hashlib
import hmac
import time
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from rs_bpe.bpe import openai

from countersign.lake import text_columns, vocabulary
from countersign.lake.engine import Limits, arrow, connection
from countersign.lake.text import TextRules
from countersign.model import Window
from countersign.records import GatewayCall

DAY = "2026-11-09"


def day(number: int) -> str:
    return (date.fromisoformat(DAY) + timedelta(days=number)).isoformat()


def test_text_of_another_source_fills_the_call(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1, model_resolved="gpt-5.4-mini"), small.call(2)])
    output = "Your order 4711 has left our house. 東京"
    small.keep("texts", DAY, [small.said(1, "Where is it?"), small.said(1, output, role="output")])
    small.admit()
    first, second = small.rows(GatewayCall)
    assert (first["prompt_characters"], first["output_characters"]) == (12, len(output))
    assert first["output_tokens_counted"] == openai.o200k_base().count(output)
    assert first["tokenizer"] == "o200k_base"
    salt = small.lake.salts.request_salt("r1", DAY)
    expected = hmac.new(salt, b"Where is it?", hashlib.sha256).hexdigest()
    assert first["prompt_commitment"] == expected
    assert second["prompt_characters"] is None
    assert len(small.lake.salts.request_salt("r2", DAY)) == 32


def test_what_the_gateway_said_stays_where_there_is_no_text(small: Any) -> None:
    call = small.call(1, prompt_characters=7, turns=3)
    small.keep("gateway", DAY, [call, small.call(2, turns=4)])
    small.keep("texts", DAY, [small.said(2, '[{"role": "user"}]')])
    small.admit()
    first, second = small.rows(GatewayCall)
    assert (first["prompt_characters"], first["turns"], second["turns"]) == (7, 3, 4)


def test_turns_come_from_a_list_of_messages(small: Any) -> None:
    spoken = '[{"role": "user"}, {"role": "assistant"}, {"role": "user"}]'
    small.keep("gateway", DAY, [small.call(n) for n in range(3)])
    small.keep("texts", DAY, [small.said(0, spoken), small.said(1, "[{ no"), small.said(2, "hi")])
    small.admit()
    assert [row["turns"] for row in small.rows(GatewayCall)] == [2, None, None]


def test_text_that_comes_later_rewrites_its_days_calls(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)])
    small.keep("gateway", day(1), [small.call(2, day(1))])
    small.admit()
    salt = small.lake.salts.request_salt("r1", DAY)
    small.keep("texts", DAY, [small.said(1, "late")])
    admission = small.admit()
    assert admission.days == 2
    assert [row["prompt_characters"] for row in small.rows(GatewayCall)] == [4, None]
    assert small.lake.salts.request_salt("r1", DAY) == salt


def test_calls_that_come_again_find_the_stored_text(small: Any) -> None:
    small.keep("gateway", DAY, [small.call(1)])
    small.keep("texts", DAY, [small.said(1, "early")])
    small.admit()
    small.keep("gateway", DAY, [small.call(1, tenant="t")])
    small.admit()
    [row] = small.rows(GatewayCall)
    assert (row["tenant"], row["prompt_characters"]) == ("t", 5)


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-5.4-mini-2026-03-17", "o200k_base"),
        ("openai", "gpt-4o", "o200k_base"),
        ("openai", "gpt-4", "cl100k_base"),
        ("azure", "gpt-4-turbo", "cl100k_base"),
        ("openai", "gpt-3.5-turbo", "cl100k_base"),
        ("anthropic", "claude-sonnet-5", None),
    ],
)
def test_only_published_tokenizers_count(provider: str, model: str, expected: str | None) -> None:
    assert text_columns.tokenizer(provider, model) == expected


def terms(text: str, tmp_path: Any) -> set[str]:
    con = connection(Limits(tmp_path))
    con.register("t", pa.table({"text": [text]}))
    [found] = arrow(con, f"SELECT {vocabulary.terms_sql('text')} AS terms FROM t")["terms"]
    return set(found.as_py())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where, WHERE is order 4711?", {"where", "is", "order", "#"}),
        ("id a3f9-77 and B-52", {"id", "#", "and", "b"}),
        ("Grüße an Łódź", {"grüße", "an", "łódź"}),
        ("東京タワー", {"東", "京", "タ", "ワ", "ー"}),
        ("<b>bold</b>\u202e", {"b", "bold"}),
        ("", set()),
    ],
)
def test_terms(text: str, expected: set[str], tmp_path: Any) -> None:
    assert terms(text, tmp_path) == expected


def feed(small: Any, days: range) -> None:
    for number in days:
        name = day(number)
        small.keep("gateway", name, [small.call(n, name) for n in range(3)])
        new = "refund" if number >= 7 else "shipping"
        said = [small.said(0, f"my order {number}", name), small.said(1, f"order {new} 7", name)]
        small.keep("texts", name, said)


def unseen(small: Any, number: int) -> list[int | None]:
    rows = small.rows(GatewayCall, f"{day(number)}/{day(number + 1)}")
    return [row["unseen_term_ppm"] for row in rows]


def test_unseen_terms_are_counted_after_the_pinned_weeks_only(small: Any) -> None:
    feed(small, range(9))
    small.admit(text=TextRules(vocabulary_weeks=1))
    pinned = vocabulary.load(small.lake.store)
    assert pinned is not None
    assert pinned.window == Window.parse(f"{DAY}/{day(7)}")
    assert pinned.terms == ("#", "my", "order", "shipping")
    assert unseen(small, 6) == [None, None, None]
    assert unseen(small, 7) == [0, 333_333, None]


def test_the_vocabulary_is_pinned_once(small: Any) -> None:
    feed(small, range(7))
    small.admit(text=TextRules(vocabulary_weeks=1))
    manifest = small.lake.store.get(vocabulary.MANIFEST)
    small.keep("texts", DAY, [small.said(n, "something else entirely") for n in range(3)])
    feed(small, range(7, 8))
    small.admit(text=TextRules(vocabulary_weeks=1))
    assert small.lake.store.get(vocabulary.MANIFEST) == manifest
    assert unseen(small, 7) == [0, 333_333, None]


def comparable(small: Any, span: str) -> list[tuple[str, str]]:
    """Rows without what was drawn at random."""
    rows = small.rows(GatewayCall, span)
    return sorted((r["window_day"], str({**r, "prompt_commitment": None})) for r in rows)


def test_day_by_day_gives_what_a_catch_up_gives(small: Any, tmp_path: Any) -> None:
    other = type(small)(tmp_path / "other")
    feed(small, range(9))
    small.admit(text=TextRules(vocabulary_weeks=1))
    for number in range(9):
        feed(other, range(number, number + 1))
        other.admit(text=TextRules(vocabulary_weeks=1))
    span = f"{DAY}/{day(9)}"
    assert comparable(other, span) == comparable(small, span)
    assert other.lake.store.get(vocabulary.MANIFEST) == small.lake.store.get(vocabulary.MANIFEST)


def test_incomplete_weeks_pin_nothing(small: Any) -> None:
    feed(small, range(6))
    feed(small, range(7, 9))
    small.admit(text=TextRules(vocabulary_weeks=1))
    assert vocabulary.load(small.lake.store) is None
    assert unseen(small, 8) == [None, None, None]


def test_a_megabyte_prompt_costs_little(tmp_path: Any) -> None:
    con = connection(Limits(tmp_path))
    con.register("t", pa.table({"text": ["1a " * 350_000, "word " * 200_000, "x" * 1_000_000]}))
    began = time.process_time()
    arrow(con, f"SELECT {vocabulary.terms_sql('text')} AS terms FROM t")
    assert time.process_time() - began < 1
