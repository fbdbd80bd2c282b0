"""What hosts promise, and what they do not."""

import pytest

from countersign.connectors.wire.endpoint import by_endpoint, configured


@pytest.mark.parametrize(
    ("host", "model", "region", "strength"),
    [
        ("eu.api.openai.com", "gpt-5.4", "eu", "R2"),
        ("EU.api.openai.com.", None, "eu", "R2"),
        ("bedrock-runtime.eu-central-1.amazonaws.com", "anthropic.claude", "eu-central-1", "R1"),
        ("bedrock-runtime-fips.us-east-1.amazonaws.com", None, "us-east-1", "R1"),
        ("bedrock-runtime.us-gov-west-1.amazonaws.com", "anthropic.claude", "us-gov-west-1", "R1"),
        ("bedrock-runtime.eu-central-1.amazonaws.com", "global.anthropic.claude", "global", "R0"),
        ("europe-west4-aiplatform.googleapis.com", "gemini", "europe-west4", "R1"),
        ("aiplatform.googleapis.com", "gemini", "global", "R0"),
    ],
)
def test_host_is_a_promise_of_known_strength(
    host: str, model: str | None, region: str, strength: str
) -> None:
    place = by_endpoint(host, model)
    assert place is not None
    assert (place.region, place.strength, place.evidence) == (region, strength, "host")


@pytest.mark.parametrize(
    ("host", "model"),
    [
        ("bedrock-runtime.eu-central-1.amazonaws.com", "eu.anthropic.claude-sonnet-5"),
        ("bedrock-runtime.eu-central-1.amazonaws.com.attacker.example", None),
        ("acme.openai.azure.com", "gpt-5.4"),
        ("api.openai.com", "gpt-5.4"),
        ("eu.api.openai.com.attacker.example", "gpt-5.4"),
        ("", None),
    ],
)
def test_host_that_promises_no_place_gives_none(host: str, model: str | None) -> None:
    assert by_endpoint(host, model) is None


@pytest.mark.parametrize(
    ("host", "provider", "strength"),
    [
        ("eu.api.openai.com", "openai", "R1"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai", "R0"),
        ("eu.api.openai.com", "anthropic", None),
        ("bedrock-runtime.eu-central-1.amazonaws.com", "openai", None),
        ("localhost", "openai", None),
    ],
)
def test_host_of_a_setting_is_weaker_and_must_be_the_providers(
    host: str, provider: str, strength: str | None
) -> None:
    place = configured(host, provider)
    assert (place.strength if place else None) == strength
