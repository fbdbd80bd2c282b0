"""The table of names is sound as data, and knows every name of the published conventions."""

import importlib
import pkgutil
import re

import pytest

from countersign.connectors.wire.genai_names import CALLS, NAMES, OPERATIONS, SURFACES
from countersign.connectors.wire.genai_private import CONTENT, IDENTITY
from countersign.connectors.wire.provider_name import canonical, written

OURS = {name.ours for name in NAMES}


def test_each_of_their_names_means_one_thing() -> None:
    theirs = [name.theirs for name in NAMES]
    assert len(theirs) == len(set(theirs))


def test_the_first_row_of_a_name_is_the_name_itself_where_a_convention_has_it() -> None:
    for ours in OURS - {"cost_usd", "gen_ai.usage.total_tokens"}:
        assert next(n for n in NAMES if n.ours == ours).theirs == ours


def test_rows_say_whose_and_where_they_were_seen() -> None:
    for name in NAMES:
        assert re.fullmatch(r"genai|[0-9a-f]{8}|\d+(\.\d+)*|-", name.seen)
        assert name.divided_by > 0


def test_names_that_carry_words_or_people_are_told_apart_from_figures() -> None:
    assert not {n for n in OURS if n.startswith("gen_ai.usage.")} & {*CONTENT, *IDENTITY}
    assert {"gen_ai.input.messages", "input.value", "ai.prompt", "db.query.text"} <= set(CONTENT)


def test_operations_are_calls_or_touches() -> None:
    assert set(OPERATIONS.values()) == CALLS | set(SURFACES)


def test_released_names_of_the_conventions_are_known() -> None:
    semconv = pytest.importorskip("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    published = {
        value
        for name, value in vars(semconv).items()
        if name.startswith("GEN_AI_USAGE_") and isinstance(value, str)
    }
    assert len(published) >= 7
    assert published <= {name.theirs for name in NAMES}


def test_names_of_released_opentelemetry_are_in_its_package() -> None:
    package = pytest.importorskip("opentelemetry.semconv._incubating.attributes")
    modules = pkgutil.iter_modules(package.__path__, package.__name__ + ".")
    published = {
        v
        for m in modules
        for v in vars(importlib.import_module(m.name)).values()
        if isinstance(v, str)
    }
    released = {n.theirs for n in NAMES if n.convention == "otel" and n.seen != "genai"}
    stable = {"server.address", "error.type", "http.response.status_code", "db.system.name"}
    assert released - stable <= published


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("openai.responses", "openai"),
        ("OpenAI", "openai"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("xai", "x_ai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("aws.bedrock", "aws.bedrock"),
        ("azure.ai.inference", "azure.ai.inference"),
        ("gcp.gen_ai", "gcp.gen_ai"),
        ("Own.Provider", "own.provider"),
    ],
)
def test_providers_have_one_name(said: str, name: str) -> None:
    assert canonical(said) == name


@pytest.mark.parametrize(
    ("said", "name"),
    [("bedrock", "aws.bedrock"), ("OpenAI", "openai"), ("Acme Gateway", "Acme Gateway")],
)
def test_a_name_that_a_person_wrote_changes_only_when_it_is_known(said: str, name: str) -> None:
    assert written(said) == name
