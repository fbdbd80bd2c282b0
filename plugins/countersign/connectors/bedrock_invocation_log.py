"""Bedrock's model invocation log: the provider's own record of every request."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from countersign import usage
from countersign.connectors.interface import Connector, Fetch, Folder
from countersign.connectors.wire import bedrock
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.place import location
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    exact,
    inner,
    instant,
    needed,
    row,
    text,
)
from countersign.model import Window
from countersign.records import GatewayCall, InferenceLocation, Record
from countersign.registry import plugin_id

_OPERATIONS: Final = {"Converse": "chat", "ConverseStream": "chat"}
_STREAMS: Final = ("ConverseStream", "InvokeModelWithResponseStream")
_CLOUDWATCH: Final = re.compile(rb"^\d{4}-\d\d-\d\dT[\d:.]+Z (?=\{)", re.MULTILINE)
"""CloudWatch's export to S3 writes the time before each event."""


@dataclass(frozen=True)
class BedrockInvocationLog(Connector):
    """One call per request that reached bedrock-runtime, and where it was processed.

    Reads: the log's objects in a copied folder (`AWSLogs/.../BedrockModelInvocationLogs/`) or a
    CloudWatch Logs export, JSON Lines packed by gzip or not; one row is one request. Bodies that
    AWS keeps in objects of their own (`/data/`) are left out.

    Credential: none for a folder; s3:GetObject on the log's prefix for whoever copies it.

    Late: minutes, not promised: the days are read again for 48 hours.

    Cannot tell: requests by bedrock-mantle are not logged, nor is anything while logging is off.
    Whether the client stayed is not said (a stream that it left is billed and logged whole), nor
    whether the time is a request's first or last: `ended_at` and `ended_by` stay NULL. Cache
    writes come without their lifetime and count as 5 minutes; reasoning is inside the output.
    `errorCode` is read where it stands, its form is not documented. Rows are requests and become
    no usage buckets: sums would hide that AWS states none. Where a gateway logs the same requests,
    take only where they ran (`records = ["inference_location"]`), or they count twice.
    """

    kinds = (GatewayCall, InferenceLocation)
    lag = timedelta(hours=48)

    models: Mapping[str, str] = field(default_factory=dict)
    """Model behind an application inference profile, by its ARN."""
    tenant_tag: str | None = None
    """The key of requestMetadata that names the tenant. Callers write it: a tag, no evidence."""

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:  # noqa: ARG002 - one file
        """The one log file behind the address."""
        yield fetch("")

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the log files of the window's days and one around."""
        return bedrock.files(folder, window, "/data/", "permission-check")

    def parse(self, page: bytes) -> Iterator[Record]:
        """The call of each record, and its place where AWS states one."""
        packed = plain(Page(plugin_id(type(self)), page))
        whole = Page(packed.source, _CLOUDWATCH.sub(b"", packed.body), packed.name)
        return whole.records(_records(whole), self._read)

    def _read(self, fields: Row) -> Iterator[Record]:
        call = self._call(fields)
        yield call
        model_id = call.model_requested or ""
        where = bedrock.place(
            text(fields.get("inferenceRegion")), call.region_configured, model_id, "invocation_log"
        )
        if where is not None and (call.status == "ok" or call.region_observed):
            yield location(call, where)

    def _call(self, fields: Row) -> GatewayCall:
        request_id, model_id = needed(fields, "requestId"), needed(fields, "modelId")
        operation, error = text(fields.get("operation")), text(fields.get("errorCode"))
        block = _usage_block(fields)
        counters = usage.counters("bedrock-log", block)
        tag = inner(fields, "requestMetadata").get(self.tenant_tag) if self.tenant_tag else None
        return GatewayCall(
            call_id=request_id,
            request_id=request_id,
            started_at=instant(fields.get("timestamp")),
            provider=bedrock.PROVIDER,
            tenant=text(tag),
            api_key_commitment=text(inner(fields, "identity").get("arn")),
            operation=_OPERATIONS.get(operation or "", operation),
            model_requested=model_id,
            model_resolved=self.models.get(model_id) or bedrock.model(model_id),
            provider_request_id=request_id,
            region_configured=text(fields.get("region")),
            region_observed=text(fields.get("inferenceRegion")),
            stream=operation in _STREAMS if operation else None,
            status="error" if error else "ok",
            error_type=error,
            ended_by="upstream_error" if error else None,
            usage_quality="missing" if counters.is_empty else "exact",
            usage_raw=None if counters.is_empty else exact(block),
            **counters.columns(),
        )


def _records(page: Page) -> Iterator[Row]:
    """Log records, also as events that CloudWatch wraps."""
    for document in page.documents():
        fields = row(document)
        events = fields.get("logEvents", fields.get("events"))
        if isinstance(events, list):
            yield from (row(_decoded(row(event).get("message"))) for event in events)
        else:
            yield fields


def _decoded(message: object) -> Any:
    try:
        return json.loads(message) if isinstance(message, str) else message
    except (ValueError, RecursionError):
        raise UnreadableError("the event's message is no JSON") from None


def _usage_block(fields: Row) -> dict[str, dict[str, Any]]:
    """The two sides without the bodies, which hold what was said."""
    sides = {side: inner(fields, side) for side in ("input", "output")}
    return {s: {k: v for k, v in of.items() if "Body" not in k} for s, of in sides.items()}
