"""Lines of Azure's resource logs, as blobs, Event Hubs and Log Analytics write them.

Names differ by destination (`time` or `TimeGenerated`, `properties` or `properties_s`) and are
not published as a whole: they are looked for in any case of letters.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from countersign import usage
from countersign.connectors.wire import azure
from countersign.connectors.wire.cloud_region import azure_name
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.place import location
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    count,
    exact,
    instant,
    row,
    text,
)
from countersign.records import GatewayCall, Record

REQUEST_RESPONSE: Final = "RequestResponse"
REQUEST_USAGE: Final = "AzureOpenAIRequestUsage"
_OPERATIONS: Final = {
    "ChatCompletions_Create": "chat",
    "Responses_Create": "chat",
    "Completions_Create": "text_completion",
    "Embeddings_Create": "embeddings",
}
_CLIENT_CLOSED: Final = 499
_FAILED: Final = 400
_TIMEOUTS: Final = (408, 504)


def lines(page: Page) -> Iterator[Row]:
    """Every log line, its names in lower case."""
    for document in page.documents():
        found = row(document)
        records = found.get("records")
        if isinstance(records, list):
            yield from (_lowered(row(record)) for record in records)
        else:
            yield _lowered(found)


def records(line: Row, category: str, deployments: azure.Deployments) -> Iterator[Record]:
    """The call of a line of the category, and where its deployment's SKU lets it run."""
    said = text(line.get("category"))
    if said is None:
        raise UnreadableError("category is absent")
    if said != category:
        return
    call = _call(line, _properties(line), deployments)
    yield call
    sku = azure.sku_at(deployments, call.model_requested, call.started_at)
    if sku is not None:
        where = sku.place
        yield location(call, where)


def _call(line: Row, stated: Row, deployments: azure.Deployments) -> GatewayCall:
    properties = _lowered(stated)
    at_us = instant(_first(line, "timegenerated", "time"))
    request_id = text(line.get("correlationid"))
    if request_id is None:
        raise UnreadableError("CorrelationId is absent or empty")
    status = _status(line)
    deployment = text(properties.get("modeldeploymentname"))
    sku = azure.sku_at(deployments, deployment, at_us)
    operation, stream = text(line.get("operationname")), text(properties.get("streamtype"))
    reading = usage.reading("azure-request-usage", properties)
    quality = "estimated" if reading.unaccounted else "exact"
    return GatewayCall(
        call_id=request_id,
        request_id=request_id,
        started_at=at_us,
        provider=azure.PROVIDER,
        api_key_commitment=text(properties.get("objectid")),
        operation=_OPERATIONS.get(operation or "", operation),
        model_requested=deployment,
        model_resolved=azure.model(
            text(properties.get("modelname")), text(properties.get("modelversion"))
        ),
        provider_request_id=request_id,
        region_configured=azure_name(sku.region) if sku else None,
        service_tier=sku.name if sku else None,
        stream=None if stream is None else stream.lower() == "streaming",
        usage_quality="missing" if reading.counters.is_empty else quality,
        usage_raw=None if reading.counters.is_empty else exact(stated),
        **_ending(status),
        **reading.counters.columns(),
    )


def _ending(status: int | None) -> dict[str, Any]:
    """How the request ended, by its HTTP status; what is not said is absent."""
    if status is None:
        return {}
    if status == _CLIENT_CLOSED:
        return {"status": "cancelled", "ended_by": "client_disconnect", "http_status": status}
    if status >= _FAILED:
        ended_by = "timeout" if status in _TIMEOUTS else "upstream_error"
        return {"status": "error", "ended_by": ended_by, "http_status": status}
    return {"status": "ok", "http_status": status}


def _status(line: Row) -> int | None:
    said = text(_first(line, "resultsignature", "resulttype"))
    return count(said) if said is not None and said.isdigit() else None


def _properties(line: Row) -> Row:
    """The properties, which destinations keep as an object or as JSON text."""
    found = _first(line, "properties_s", "properties")
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            raise UnreadableError("properties are no JSON") from None
    return found if isinstance(found, dict) else {}


def _first(line: Row, *names: str) -> Any:
    return next((line[name] for name in names if line.get(name) is not None), None)


def _lowered(fields: Row) -> dict[str, Any]:
    return {name.lower(): value for name, value in fields.items()}
