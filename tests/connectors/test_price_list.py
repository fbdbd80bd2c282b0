"""LiteLLM's price table: exact prices, variants, and everything that is no price of a token."""

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from countersign.connectors.price_list import PriceList
from countersign.errors import SourceError
from countersign.lake import rules
from countersign.records import COUNTERS, PriceTerm, to_table

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"


def terms(table: object, **settings: Any) -> list[PriceTerm]:
    body = table if isinstance(table, bytes) else json.dumps(table).encode()
    found = list(PriceList(**{"valid_from": date(2026, 11, 1), **settings}).parse(body))
    assert all(isinstance(term, PriceTerm) for term in found)
    return found  # type: ignore[return-value]  # just asserted


def priced(fields: dict[str, Any], name: str = "m") -> dict[Any, Any]:
    """Prices of one entry by counter, tier, region and batch."""
    made = terms({name: {"litellm_provider": "openai", "mode": "chat", **fields}})
    return {(t.token_type, t.tier, t.region, t.batch): t.unit_usd_pico for t in made}


def reasons(found: list[PriceTerm]) -> Counter[str]:
    """How often admission's rules refuse the terms, by rule."""
    suite = rules.load("price_term", [EXPECTATIONS])
    con = duckdb.connect()
    batch = to_table(PriceTerm, found)
    con.register("batch", batch.append_column("occurrence", pa.array([1] * len(found))))
    query = f"SELECT {rules.reasons_sql(suite, {*batch.column_names, 'occurrence'})} FROM batch"
    refused = con.execute(query).fetchall()
    return Counter(suite.row_rules[at].reason for (positions,) in refused for at in positions)


def test_a_price_is_exact_and_the_noise_of_a_double_is_no_price() -> None:
    found = priced({"input_cost_per_token": 1.3499999999999998e-07, "output_cost_per_token": 0})
    assert found["in_uncached", None, None, None] == 135_000
    assert found["out_visible", None, None, None] == 0


def test_a_price_finer_than_a_pico_dollar_is_listed_and_not_rounded() -> None:
    made = terms({"m": {"litellm_provider": "x", "input_cost_per_token": 4.411764705882353e-07}})
    assert [term.unit_usd_pico for term in made] == [None]
    assert reasons(made) == {"unit_usd_pico must be given": 1}


def test_variants_become_terms_of_their_own() -> None:
    found = priced(
        {
            "input_cost_per_token": 2e-06,
            "input_cost_per_token_batches": 1e-06,
            "input_cost_per_token_priority": 4e-06,
            "input_cost_per_token_above_200k_tokens": 3e-06,
            "input_cost_per_token_above_272k_tokens_flex": 5e-07,
            "cache_read_input_token_cost": 2e-07,
            "cache_creation_input_token_cost": 2.5e-06,
            "cache_creation_input_token_cost_above_1hr": 4e-06,
            "cache_creation_input_token_cost_above_12hr_above_272k_tokens_flex": 6e-06,
        }
    )
    assert found == {
        ("in_uncached", None, None, None): 2_000_000,
        ("in_uncached", None, None, True): 1_000_000,
        ("in_uncached", "priority", None, None): 4_000_000,
        ("in_uncached", "above_200k_tokens", None, None): 3_000_000,
        ("in_uncached", "flex,above_272k_tokens", None, None): 500_000,
        ("in_cache_read", None, None, None): 200_000,
        ("in_cache_write_5m", None, None, None): 2_500_000,
        ("in_cache_write_30m", None, None, None): 2_500_000,
        ("in_cache_write_1h", None, None, None): 4_000_000,
        ("in_cache_write_12h", "flex,above_272k_tokens", None, None): 6_000_000,
    }


def test_reasoning_costs_what_output_does_unless_it_has_a_price() -> None:
    same = priced({"output_cost_per_token": 1e-06, "output_cost_per_token_batches": 5e-07})
    own = priced({"output_cost_per_token": 1e-06, "output_cost_per_reasoning_token": 3e-06})
    assert same["out_reasoning", None, None, None] == 1_000_000
    assert same["out_reasoning", None, None, True] == 500_000
    assert own["out_reasoning", None, None, None] == 3_000_000


def test_uplifts_multiply_exactly() -> None:
    found = priced(
        {
            "input_cost_per_token": 1.5e-07,
            "input_cost_per_token_batches": 5e-08,
            "regional_processing_uplift_multiplier_eu": 1.1,
            "provider_specific_entry": {"us": 1.1, "fast": 6, "invocation_schema": "v2"},
        }
    )
    assert found["in_uncached", None, "eu", None] == 165_000
    assert found["in_uncached", None, "us", True] == 55_000
    assert found["in_uncached", "fast", None, None] == 900_000
    assert found["in_uncached", "fast", "us", None] == 990_000


@pytest.mark.parametrize(
    ("name", "family", "expected"),
    [
        ("openai/gpt", "openai", ("openai", "gpt", None, None)),
        ("gpt", "text-completion-openai", ("openai", "gpt", None, None)),
        ("bedrock/eu-central-1/a.b-v1:0", "bedrock", ("aws.bedrock", "a.b-v1:0", "eu-central-1")),
        (
            "bedrock/us-east-1/1-month-commitment/a.b",
            "bedrock",
            ("aws.bedrock", "a.b", "us-east-1", "1-month-commitment"),
        ),
        ("azure/eu/gpt", "azure", ("azure.ai.openai", "gpt", "eu")),
        ("azure_ai/grok", "azure_ai", ("azure.ai.inference", "grok")),
        ("vertex_ai/claude", "vertex_ai-anthropic_models", ("gcp.vertex_ai", "claude")),
        ("fireworks_ai/accounts/f/q", "fireworks_ai", ("fireworks_ai", "accounts/f/q")),
        ("us/gpt", "groq", ("groq", "us/gpt")),
    ],
)
def test_the_name_holds_provider_region_and_commitment(
    name: str, family: str, expected: tuple[str | None, ...]
) -> None:
    (term,) = terms({name: {"litellm_provider": family, "input_cost_per_token": 1e-06}})
    found = (term.provider, term.model, term.region, term.tier)
    assert found[: len(expected)] == expected
    assert not any(found[len(expected) :])


def test_a_provider_has_the_name_that_the_settings_give_it() -> None:
    table = {"azure/gpt": {"litellm_provider": "azure", "input_cost_per_token": 1e-06}}
    (term,) = terms(table, providers={"azure": "azure"})
    assert term.provider == "azure"


def test_what_is_no_price_of_a_token_is_listed_under_its_own_name() -> None:
    made = terms(
        {
            "painter": {"litellm_provider": "x", "output_cost_per_image": 0.04},
            "dbu": {"litellm_provider": "x", "input_dbu_cost_per_token": 1.0},
            "search": {"litellm_provider": "x", "mode": "search"},
            "voice": {
                "litellm_provider": "x",
                "output_cost_per_audio_token": 2e-06,
                "output_cost_per_image_token": 3e-06,
            },
            "sample_spec": {"litellm_provider": "one of", "input_cost_per_token": 0.0},
            "broken": ["not", "an", "entry"],
            "untyped": {"litellm_provider": "x", "input_cost_per_token": "cheap"},
        }
    )
    assert {(t.model, t.token_type) for t in made} == {
        ("painter", "output_cost_per_image"),
        ("dbu", "input_dbu_cost_per_token"),
        ("search", None),
        ("voice", "output_cost_per_audio_token"),
        ("voice", "output_cost_per_image_token"),
        ("sample_spec", None),
        ("broken", None),
        ("untyped", "in_uncached"),
    }
    found = reasons(made)
    assert found["token_type is the name of a token counter"] == 4
    assert found["token_type must be given"] == 3


def test_bands_of_prompt_length_and_hours_are_tiers() -> None:
    found = priced(
        {
            "tiered_pricing": [
                {"range": [0, 256000.0], "input_cost_per_token": 5e-08},
                {"range": [256000.0, 1e6], "input_cost_per_token": 2.5e-07},
            ],
            "off_peak_pricing": {"input_cost_per_token": 1e-08, "windows": [{"weekdays": [6]}]},
        }
    )
    assert found == {
        ("in_uncached", None, None, None): 50_000,
        ("in_uncached", "above_256k_tokens", None, None): 250_000,
        ("in_uncached", "off_peak", None, None): 10_000,
    }


def test_a_table_without_dates_needs_one_from_the_settings() -> None:
    table = {"m": {"litellm_provider": "x", "input_cost_per_token": 1e-06}}
    with pytest.raises(SourceError, match="valid_from in the source's settings"):
        terms(table, valid_from=None)
    (term,) = terms(table, valid_to=date(2026, 12, 1))
    assert (term.valid_from, term.valid_to) == (1_793_491_200_000_000, 1_796_083_200_000_000)


@pytest.mark.parametrize(
    "price", [1e300, -(10**30), 10**400, True, None, [1], {"a": 1e-06}, "1e-6"], ids=str
)
def test_an_impossible_price_is_no_price_and_no_crash(price: object) -> None:
    body = b'{"m": {"litellm_provider": "x", "input_cost_per_token": %s}}'
    (term,) = terms(body % json.dumps(price).encode())
    assert term.unit_usd_pico is None


def test_the_public_table_is_read_whole_and_what_is_refused_is_listed(shared_data: Path) -> None:
    body = (shared_data / "model_prices" / "litellm_model_prices.json").read_bytes()
    table, made = json.loads(body), terms(body)
    assert len(table) == 4_553
    stated = {
        (name, field)
        for name, entry in table.items()
        if name != "sample_spec"
        for field, value in entry.items()
        if field == "input_cost_per_token" and value is not None
    }
    base = [t for t in made if t.token_type == "in_uncached" and not t.batch]
    assert len(stated) == 3_706 - ("input_cost_per_token" in table["sample_spec"])
    assert len(base) >= len(stated)
    refused = [t for t in made if t.token_type not in COUNTERS or t.unit_usd_pico is None]
    assert sum(reasons(refused).values()) >= len(refused) > 2_000
    assert not reasons([t for t in made if t not in refused])
    sonnet = {
        (t.token_type, t.tier, t.region, t.batch): t.unit_usd_pico
        for t in made
        if (t.provider, t.model) == ("anthropic", "claude-sonnet-5")
    }
    stated_price = round(table["claude-sonnet-5"]["input_cost_per_token"] * 1e12)
    assert sonnet["in_uncached", None, None, None] == stated_price
    assert sonnet["in_uncached", None, "us", None] * 10 == stated_price * 11
