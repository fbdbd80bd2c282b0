"""CloudTrail's record of Bedrock requests: which region inference really ran in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from countersign.connectors.interface import Connector, Fetch, Folder
from countersign.connectors.wire import bedrock
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, inner, instant, needed, text
from countersign.errors import Fault
from countersign.model import Window
from countersign.records import InferenceLocation, Record
from countersign.registry import plugin_id

_SOURCE: Final = "bedrock.amazonaws.com"
_CALLS: Final = ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream")
_BY_AWS: Final = "AwsServiceEvent"
_EVIDENCE: Final = "audit_log"


@dataclass(frozen=True)
class BedrockCloudtrail(Connector):
    """The place of each Bedrock request, by AWS's audit log.

    Reads: CloudTrail's log files in a copied folder (`AWSLogs/.../CloudTrail/REGION/`), JSON packed
    by gzip or not; of their events those of Bedrock inference, one row each; refused requests have
    none. Digest files beside them are left out.

    Credential: none for a folder; s3:GetObject on the trail's prefix for whoever copies it.

    Late: about a quarter of an hour as a rule, not promised: the days are read again for 48 hours.

    Cannot tell: tokens, and anything while the trail does not log data events of Bedrock. An
    absent inferenceRegion may mean that a call was not routed or that nothing is said: a plain
    model then counts as run where it was called, by AWS's documents only (R1), and a profile has
    no row at all. AwsServiceEvents that name a parent request are read for their region where the
    request's own event has none; their form is known second-hand.
    """

    kinds = (InferenceLocation,)
    lag = timedelta(hours=48)

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:  # noqa: ARG002 - one file
        """The one log file behind the address."""
        yield fetch("")

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the log files of the window's days and one around."""
        return bedrock.files(folder, window, "CloudTrail-Digest")

    def parse(self, page: bytes) -> Iterator[Record]:
        """One record per inference event that tells a place."""
        whole = plain(Page(plugin_id(type(self)), page))
        events = [e for e in _events(whole) if e.get("eventSource") == _SOURCE]
        by_aws = [e for e in events if e.get("eventType") == _BY_AWS]
        own = [e for e in events if _is_call(e)]
        stated = {text(e.get("requestID")) for e in own if _stated(e)}
        yield from whole.records(own, _located)
        further = (e for e in by_aws if _parent(e) not in stated)
        yield from whole.records(further, _located_by_aws)


def _events(page: Page) -> Iterator[Row]:
    """The events of a file, of several behind each other, or of one."""
    found = False
    for document in page.documents():
        found = True
        if not isinstance(document, dict):
            raise page.fault(Fault.MALFORMED, "CloudTrail records", type(document).__name__)
        is_event = "eventName" in document and "Records" not in document
        yield from [document] if is_event else page.rows(document, "Records")
    if not found:
        raise page.fault(Fault.TRUNCATED, "CloudTrail records", "no content")


def _is_call(event: Row) -> bool:
    """Whether a caller's inference request ran: it succeeded, or failed in a stated region."""
    is_own = event.get("eventName") in _CALLS and event.get("eventType") != _BY_AWS
    return is_own and (not event.get("errorCode") or _stated(event) is not None)


def _located(event: Row) -> Iterator[InferenceLocation]:
    model_id = text(inner(event, "requestParameters").get("modelId")) or ""
    where = bedrock.place(_stated(event), text(event.get("awsRegion")), model_id, _EVIDENCE)
    if where is None or not (model_id or _stated(event)):
        return
    yield InferenceLocation(
        provider=bedrock.PROVIDER,
        region=where.region,
        evidence=where.evidence,
        observed_at=instant(event.get("eventTime")),
        provider_request_id=needed(event, "requestID"),
        jurisdiction=where.jurisdiction,
        strength=where.strength,
    )


def _located_by_aws(event: Row) -> Iterator[InferenceLocation]:
    parent = _parent(event)
    where = bedrock.place(_stated(event), None, "", _EVIDENCE)
    if parent is None or where is None:
        return
    yield InferenceLocation(
        provider=bedrock.PROVIDER,
        region=where.region,
        evidence=where.evidence,
        observed_at=instant(event.get("eventTime")),
        provider_request_id=parent,
        jurisdiction=where.jurisdiction,
        strength=where.strength,
    )


def _parent(event: Row) -> str | None:
    details = inner(event, "serviceEventDetails")
    return text(event.get("parentRequestId")) or text(details.get("parentRequestId"))


def _stated(event: Row) -> str | None:
    """The region that an event states, in either of its two places."""
    parts = (inner(event, name) for name in ("additionalEventData", "serviceEventDetails"))
    return next((said for part in parts if (said := text(part.get("inferenceRegion")))), None)
