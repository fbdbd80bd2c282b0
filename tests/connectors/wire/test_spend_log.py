"""Two ways into a LiteLLM page, one reading of it: typed and fast, or lenient and row by row."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from countersign.connectors.litellm import LiteLLM
from countersign.connectors.wire import calls, spend_log
from countersign.connectors.wire.page import Page
from countersign.errors import Fault, SourceError
from countersign.records import GatewayCall

GOLDEN = Path(__file__).parents[1] / "golden" / "litellm"
PAGES = sorted(GOLDEN.glob("*.page.*"))
HALF = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def row(**fields: object) -> dict[str, Any]:
    started = "2026-11-09T10:00:00.120+00:00"
    return {"request_id": "r1", "litellm_call_id": "c1", "startTime": started, **fields}


def call(*rows: dict[str, Any]) -> GatewayCall:
    page = "\n".join(json.dumps(r) for r in rows).encode()
    return next(r for r in LiteLLM().parse(page) if isinstance(r, GatewayCall))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_both_ways_give_the_same_tables(page: Path) -> None:
    body = HALF.sub(b"?", page.read_bytes())
    typed = spend_log._typed(body)
    assert typed is not None
    lenient = spend_log._lenient(Page("litellm", body))
    fast, exact = (calls.read(spend_log._once(rows), {}) for rows in (typed, lenient))
    assert set(fast) == set(exact)
    for kind, (table, numbers) in fast.items():
        assert table.equals(exact[kind][0])
        assert numbers.tolist() == exact[kind][1].tolist()


@pytest.mark.parametrize(
    "fields",
    [
        {"team_id": 17, "end_user": 4},
        {"metadata": {"usage_object": {"prompt_tokens": 5.0, "completion_tokens": "many"}}},
        {"metadata": {"attempted_retries": "often", "error_information": {"error_code": 499}}},
        {"spend": "0.0000015", "stream": "true", "cache_hit": None},
        {"startTime": 1793613600.1200005, "endTime": 1793613600, "completionStartTime": None},
    ],
    ids=str,
)
def test_types_that_are_not_as_documented_are_read_all_the_same(fields: dict[str, Any]) -> None:
    assert call(row(**fields)).call_id == "r1"


def test_numbers_as_text_and_text_as_numbers_mean_the_same() -> None:
    assert call(row(team_id=17, spend="0.0000015")) == call(row(team_id="17", spend=1.5e-06))
    assert call(row(spend=2.5e-06)).cost_logged_usd_micros == 2  # half to even
    assert call(row(startTime=1793613600.12)).started_at == 1793613600120000
    assert call(row(startTime="2026-11-02 10:00:00.12")).started_at == 1793613600120000


def test_usage_is_kept_as_it_was_written() -> None:
    usage = '{"prompt_tokens": 5, "completion_tokens": 1, "cost": 1.50, "é": "\\u00e9"}'
    page = json.dumps(row(metadata={"usage_object": 0})).replace("0}", f"{usage}}}")
    [found] = LiteLLM().parse(page.encode())
    assert isinstance(found, GatewayCall)
    assert found.usage_raw == usage.replace(", ", ",").replace('": ', '":')


def test_zeros_beside_unknown_totals_are_no_usage() -> None:
    zeros = {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    found = call(row(metadata={"usage_object": None, "additional_usage_values": zeros}))
    assert (found.usage_quality, found.in_uncached, found.in_cache_read) == ("missing", None, None)
    told = call(row(metadata={"additional_usage_values": zeros}, prompt_tokens=9))
    assert (told.usage_quality, told.in_uncached, told.in_cache_read) == ("exact", 9, 0)


def test_the_first_unreadable_row_is_named_among_many() -> None:
    rows = [row(request_id=f"r{n}") for n in range(1_000)]
    rows[617]["startTime"] = "soon"
    rows[900]["spend"] = "much"
    with pytest.raises(SourceError) as caught:
        call(*rows)
    assert caught.value.observed.startswith("row 618: a time was expected, not 'soon'")


def test_mutated_pages_are_read_or_refused_and_nothing_else() -> None:
    draw = random.Random(11)
    pages = [page.read_bytes() for page in PAGES]
    faults = set()
    for _ in range(600):
        body = bytearray(draw.choice(pages))
        for _ in range(draw.randrange(1, 4)):
            at = draw.randrange(len(body) + 1)
            body[at : at + draw.randrange(6)] = draw.choice(_MUTATIONS)
        try:
            list(LiteLLM().parse(bytes(body)))
        except SourceError as error:
            faults.add(error.fault)
    assert faults == {Fault.MALFORMED, Fault.TRUNCATED}


_MUTATIONS = (
    *(b"", b"null", b"NaN", b"1e999", b"-0.5", b'"', b"\xff", b"{}", b"[]", b"true"),
    *(b"9" * 40, b"[" * 60, b"\\ud800", b"\x00", b'"data":', b'{"data":[{}]}', b"\n"),
)
