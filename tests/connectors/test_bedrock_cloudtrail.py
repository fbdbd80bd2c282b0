"""CloudTrail: which events tell a place, and which files are no log."""

import json
from typing import Any

from countersign.connectors.bedrock_cloudtrail import BedrockCloudtrail
from countersign.model import Window
from countersign.records import InferenceLocation

DAY = Window.parse("2026-11-02/2026-11-03")
PROFILE = {"modelId": "eu.anthropic.claude-sonnet-5-v1:0"}


def event(**fields: Any) -> dict[str, Any]:
    return {
        "eventSource": "bedrock.amazonaws.com",
        "eventName": "Converse",
        "eventType": "AwsApiCall",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-11-02T10:00:00Z",
        "requestID": "r1",
        "requestParameters": {"modelId": "anthropic.claude-haiku-5-v1:0"},
        **fields,
    }


def places(*events: dict[str, Any]) -> list[tuple[str | None, str, str | None]]:
    found = list(BedrockCloudtrail().parse(json.dumps({"Records": events}).encode()))
    assert all(isinstance(one, InferenceLocation) for one in found)
    return [(p.provider_request_id, p.region, p.strength) for p in found]  # type: ignore[attr-defined]  # just asserted


def test_digest_files_are_not_read() -> None:
    class Files:
        def names(self) -> tuple[str, ...]:
            return (
                "AWSLogs/1/CloudTrail-Digest/eu-central-1/2026/11/02/digest.json.gz",
                "AWSLogs/1/CloudTrail/eu-central-1/2026/11/02/log.json.gz",
            )

        def read(self, name: str) -> bytes:
            return name.encode()

    assert [p[-11:] for p in BedrockCloudtrail().export(Files(), DAY)] == [b"log.json.gz"]


def test_a_stated_region_is_asserted_and_silence_about_a_profile_is_silence() -> None:
    stated = {"additionalEventData": {"inferenceRegion": "eu-west-3"}}
    assert places(event(requestParameters=PROFILE, **stated)) == [("r1", "eu-west-3", "R2")]
    assert places(event(requestParameters=PROFILE)) == []
    assert places(event()) == [("r1", "eu-central-1", "R1")]
    assert places(event(requestParameters=None)) == []


def test_a_refused_request_ran_nowhere_unless_a_region_is_stated() -> None:
    stated = {"additionalEventData": {"inferenceRegion": "eu-west-3"}}
    assert places(event(errorCode="AccessDenied")) == []
    assert places(event(errorCode="ModelTimeout", **stated)) == [("r1", "eu-west-3", "R2")]


def test_the_event_of_aws_fills_in_where_the_request_has_no_region() -> None:
    by_aws = event(
        eventType="AwsServiceEvent",
        requestID=None,
        serviceEventDetails={"parentRequestId": "r1", "inferenceRegion": "eu-north-1"},
    )
    own = event(requestParameters=PROFILE, additionalEventData={"inferenceRegion": "eu-north-1"})
    assert places(event(requestParameters=PROFILE), by_aws) == [("r1", "eu-north-1", "R2")]
    assert places(own, by_aws) == [("r1", "eu-north-1", "R2")], "once, not twice"


def test_events_of_other_services_and_other_calls_are_no_places() -> None:
    other = event(eventSource="s3.amazonaws.com", requestID=None, eventTime=None)
    assert places(other, event(eventName="ListFoundationModels")) == []
