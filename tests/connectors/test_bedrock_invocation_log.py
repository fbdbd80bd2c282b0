"""Bedrock's invocation log: which files are read, which model and place a record states."""

import json
from typing import Any

import pytest

from countersign.connectors.bedrock_invocation_log import BedrockInvocationLog
from countersign.errors import SourceError
from countersign.model import Window
from countersign.records import GatewayCall, InferenceLocation, Record

DAY = Window.parse("2026-11-02/2026-11-03")
PREFIX = "AWSLogs/111122223333/BedrockModelInvocationLogs/eu-central-1"


def record(**fields: Any) -> dict[str, Any]:
    return {
        "schemaType": "ModelInvocationLog",
        "timestamp": "2026-11-02T10:00:03Z",
        "region": "eu-central-1",
        "requestId": "r1",
        "operation": "Converse",
        "modelId": "anthropic.claude-haiku-5-v1:0",
        "input": {"inputTokenCount": 3, "inputBodyJson": {"said": "a secret"}},
        "output": {"outputTokenCount": 12, "outputBodyJson": {"said": "another"}},
        **fields,
    }


def read(**fields: Any) -> list[Record]:
    return list(BedrockInvocationLog().parse(json.dumps(record(**fields)).encode()))


def call(**fields: Any) -> GatewayCall:
    found = read(**fields)[0]
    assert isinstance(found, GatewayCall)
    return found


def places(**fields: Any) -> list[tuple[str, str | None, str | None]]:
    found = (r for r in read(**fields) if isinstance(r, InferenceLocation))
    return [(place.region, place.strength, place.jurisdiction) for place in found]


class Files:
    """An exported bucket."""

    def __init__(self, *names: str) -> None:
        self.files = names

    def names(self) -> tuple[str, ...]:
        return self.files

    def read(self, name: str) -> bytes:
        return name.encode()


def test_only_log_files_around_the_window_are_read_and_no_bodies() -> None:
    files = Files(
        f"{PREFIX}/2026/10/31/23/a.json.gz",
        f"{PREFIX}/2026/11/01/23/b.json.gz",
        f"{PREFIX}/2026/11/02/10/c.json.gz",
        f"{PREFIX}/2026/11/02/10/data/r1_input.json.gz",
        f"{PREFIX}/amazon-bedrock-logs-permission-check",
        f"{PREFIX}/2026/11/03/00/d.json.gz",
        f"{PREFIX}/2026/11/04/00/e.json.gz",
        f"{PREFIX}/2026/13/99/00/no-day.json.gz",
    )
    read_names = [page.decode()[-13:] for page in BedrockInvocationLog().export(files, DAY)]
    assert [name[-9] for name in read_names] == ["b", "c", "d", "y"]


@pytest.mark.parametrize(
    ("model_id", "model"),
    [
        ("anthropic.claude-haiku-5-v1:0", "anthropic.claude-haiku-5-v1:0"),
        ("us-gov.anthropic.claude-haiku-5-v1:0", "anthropic.claude-haiku-5-v1:0"),
        ("arn:aws:bedrock:eu-west-1::foundation-model/meta.llama4", "meta.llama4"),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.meta.llama4-1.2", "meta.llama4-1.2"),
        ("arn:aws:bedrock:eu-west-1:1:application-inference-profile/x1", None),
        ("meta.llama3.1-70b", "meta.llama3.1-70b"),
    ],
)
def test_the_model_is_what_the_id_says_and_an_application_profile_hides_it(
    model_id: str, model: str | None
) -> None:
    found = call(modelId=model_id)
    assert (found.model_requested, found.model_resolved) == (model_id, model)


def test_the_inference_region_is_asserted_by_aws() -> None:
    found = places(modelId="eu.anthropic.claude-haiku-5-v1:0", inferenceRegion="eu-central-2")
    assert found == [("eu-central-2", "R2", "CH")], "eu-central-2 is Zürich, not in the EU"


def test_without_one_a_plain_model_is_declared_and_a_profile_unknown() -> None:
    assert places() == [("eu-central-1", "R1", "DE")]
    assert places(modelId="eu.anthropic.claude-haiku-5-v1:0") == []
    assert places(modelId="global.anthropic.claude-haiku-5-v1:0") == []
    assert places(errorCode="ThrottlingException") == []


def test_a_region_of_next_year_lies_nowhere_yet() -> None:
    assert places(inferenceRegion="eu-moon-1") == [("eu-moon-1", "R2", None)]


def test_no_text_is_kept() -> None:
    assert "secret" not in str(read())
    assert "another" not in str(read())


def test_absent_counts_are_missing_and_zero_is_reported() -> None:
    silent = call(input={}, output={})
    assert (silent.usage_quality, silent.in_uncached, silent.out_visible) == ("missing", None, None)
    zero = call(input={"inputTokenCount": 0}, output={"outputTokenCount": 0})
    assert (zero.usage_quality, zero.in_uncached, zero.out_visible) == ("exact", 0, 0)


def test_the_tenant_is_a_tag_only_where_the_settings_name_it() -> None:
    body = json.dumps(record(requestMetadata={"team": "aster-bank"})).encode()
    (first, _) = BedrockInvocationLog().parse(body)
    (second, _) = BedrockInvocationLog(tenant_tag="team").parse(body)
    assert isinstance(first, GatewayCall)
    assert isinstance(second, GatewayCall)
    assert (first.tenant, second.tenant) == (None, "aster-bank")


@pytest.mark.parametrize(
    "fields",
    [
        {"requestId": None},
        {"modelId": ""},
        {"timestamp": "yesterday"},
        {"input": {"inputTokenCount": 1.5}},
        {"input": {"inputTokenCount": 2**70}},
    ],
    ids=str,
)
def test_a_record_that_cannot_be_read_is_named(fields: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="row 2"):
        lines = "\n".join(json.dumps(r) for r in (record(), record(**fields)))
        list(BedrockInvocationLog().parse(lines.encode()))
