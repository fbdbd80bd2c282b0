"""Azure Monitor's metrics reply: series of one metric each, put together by group and bucket."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from countersign import usage
from countersign.connectors.wire import azure
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    count,
    exact,
    inner,
    instant,
    row,
    text,
)
from countersign.errors import Fault
from countersign.records import ProviderUsage

METRICS: Final = ("ProcessedPromptTokens", "GeneratedTokens", "AzureOpenAIRequests")
DIMENSIONS: Final = ("ModelDeploymentName", "ModelName", "ModelVersion")
_INTERVAL: Final = re.compile(r"P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?")
_MICROSECOND: Final = timedelta(microseconds=1)
_REQUESTS: Final = "azureopenairequests"


@dataclass(frozen=True, slots=True)
class Bucket:
    """What the metrics say about one group in one interval, by the metric's name in lower case."""

    group: Mapping[str, str]
    start_us: int
    totals: dict[str, int | None] = field(default_factory=dict)


def usages(page: Page, reply: Row, deployments: azure.Deployments) -> Iterator[ProviderUsage]:
    """One record per group and interval of a metrics reply.

    Raises:
        SourceError: a metric that Azure could not give, or a reply of another shape.
    """
    resource = _resource(reply)
    span_us = _interval(page, reply)
    region = text(reply.get("resourceregion"))
    for bucket in _buckets(page, reply).values():
        yield _usage(bucket, span_us, resource, region, deployments)


def widest(page: Page, reply: Row) -> int:
    """How many series the metric with the most has: Azure cuts the list without a word."""
    metrics = page.rows(reply, "value")
    return max((len(page.rows(metric, "timeseries")) for metric in metrics), default=0)


def _buckets(page: Page, reply: Row) -> dict[tuple[object, ...], Bucket]:
    found: dict[tuple[object, ...], Bucket] = {}
    for metric in page.rows(reply, "value"):
        name = text(inner(metric, "name").get("value")) or ""
        error = metric.get("errorCode")
        if error not in (None, "Success"):
            raise page.fault(Fault.MALFORMED, f"metric {name}", f"error {str(error)[:60]}")
        for series in page.rows(metric, "timeseries"):
            group = _group(page, series)
            for at_us, total in _points(page, series):
                key = (*sorted(group.items()), at_us)
                bucket = found.setdefault(key, Bucket(group, at_us))
                bucket.totals[name.lower()] = total
    return found


def _group(page: Page, series: Row) -> dict[str, str]:
    values = page.rows(series, "metadatavalues") if series.get("metadatavalues") else []
    named = ((text(inner(v, "name").get("value")), text(v.get("value"))) for v in values)
    return {name.lower(): value for name, value in named if name and value}


def _points(page: Page, series: Row) -> Iterator[tuple[int, int | None]]:
    for number, point in enumerate(page.rows(series, "data"), start=1):
        try:
            yield instant(row(point).get("timeStamp")), count(point.get("total"))
        except UnreadableError as error:
            raise page.fault(Fault.MALFORMED, "points", f"point {number}: {error}") from None


def _usage(
    bucket: Bucket,
    span_us: int,
    resource: str | None,
    region: str | None,
    deployments: azure.Deployments,
) -> ProviderUsage:
    deployment = bucket.group.get("modeldeploymentname")
    sku = azure.sku_at(deployments, deployment, bucket.start_us)
    totals: dict[str, Any] = {k: v for k, v in bucket.totals.items() if v is not None}
    counters = usage.counters("azure-metrics", totals)
    return ProviderUsage(
        provider=azure.PROVIDER,
        bucket_start=bucket.start_us,
        bucket_end=bucket.start_us + span_us,
        account=resource,
        project=deployment,
        model=azure.model(bucket.group.get("modelname"), bucket.group.get("modelversion")),
        service_tier=sku.name if sku else None,
        region=bucket.group.get("region") or region,
        requests=bucket.totals.get(_REQUESTS),
        usage_quality="missing" if counters.is_empty else "estimated",
        usage_raw=exact(totals),
        **counters.columns(),
    )


def _resource(reply: Row) -> str | None:
    """The account's name, out of a metric's id."""
    metrics = reply.get("value")
    first = metrics[0] if isinstance(metrics, list) and metrics else None
    said = text(first.get("id")) if isinstance(first, dict) else None
    before, found, _ = (said or "").partition("/providers/Microsoft.Insights/")
    return before.rpartition("/")[2] or None if found else None


def _interval(page: Page, reply: Row) -> int:
    said = text(reply.get("interval")) or ""
    match = _INTERVAL.fullmatch(said)
    days, hours, minutes = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    span = timedelta(days=days, hours=hours, minutes=minutes)
    if not span:
        raise page.fault(Fault.MALFORMED, "an interval like PT1M", repr(said[:20]))
    return span // _MICROSECOND
