"""Azure OpenAI's own account: token metrics by the minute, and its resource logs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from countersign.connectors.interface import Connector, Fetch
from countersign.connectors.wire import azure, azure_log, azure_metric
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.errors import Fault
from countersign.model import Window, rfc3339
from countersign.records import GatewayCall, InferenceLocation, ProviderUsage, Record
from countersign.registry import plugin_id

_PATH = "/providers/Microsoft.Insights/metrics"


@dataclass(frozen=True)
class AzureUsage(Connector):
    """Tokens per deployment and minute, and one call per request that the resource logged.

    Reads: the address of one resource (`https://management.azure.com/subscriptions/.../accounts/A`)
    gives Azure Monitor's metrics ProcessedPromptTokens, GeneratedTokens and AzureOpenAIRequests,
    day by day; a folder may hold such replies and exported resource logs (`PT1H.json`, JSON
    Lines), one line a request.

    Credential: an ARM token of an identity with Monitoring Reader on the resource.

    Late: metrics within minutes, log files are appended to for hours; no finality is published,
    so days are read again for three days.

    Cannot tell: metrics show no cached and no reasoning tokens: all of the prompt stands under
    `in_uncached` as estimated. RequestResponse has no token counts (usage is missing). Which
    columns the logs have is not published, and that of AzureOpenAIRequestUsage not at all: both
    are read by the names that are known. Whether the time is a request's first or last, and whether
    CorrelationId is the caller's `apim-request-id`, is not said. No line says where a request was
    processed: only the deployment's SKU restricts it, which is a setting of yours, dated by you
    from ARM; `x-ms-region` and `location` name the resource and are not used. Spillover from
    provisioned capacity changes the SKU unseen.
    """

    kinds = (ProviderUsage, GatewayCall, InferenceLocation)
    lag = timedelta(days=3)

    deployments: Mapping[str, tuple[azure.Sku, ...]] = field(default_factory=dict)
    """By deployment: each SKU it had, with the resource's Region and the days it had it."""
    calls_from: Literal["RequestResponse", "AzureOpenAIRequestUsage"] = "RequestResponse"
    """The log category whose lines are calls. One of them: both log the same requests."""
    interval: str = "PT1M"
    top: int = 1_000
    """Most series in a reply. Azure's own default is 10, and it cuts without a word."""
    api_version: str = "2024-02-01"

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Ask for the metrics day by day; the end is exclusive."""
        for day in window.days():
            span = Window.day(day)
            body = fetch(_PATH, self._asked(span))
            yield body
            self._whole(Page(plugin_id(type(self)), body, f"1 of {day}"))

    def parse(self, page: bytes) -> Iterator[Record]:
        """The buckets of a metrics reply, or the calls of log lines."""
        whole = plain(Page(plugin_id(type(self)), page))
        if b'"interval"' in whole.body and b'"timeseries"' in whole.body:
            yield from azure_metric.usages(whole, self._whole(whole), self.deployments)
            return
        yield from whole.records(azure_log.lines(whole), self._logged)

    def _logged(self, line: Mapping[str, object]) -> Iterator[Record]:
        return azure_log.records(line, self.calls_from, self.deployments)

    def _whole(self, page: Page) -> Mapping[str, object]:
        """The reply, unless it is one that Azure may have cut."""
        reply = page.document()
        if (series := azure_metric.widest(page, reply)) >= self.top:
            raise page.fault(Fault.TRUNCATED, f"fewer than {self.top} series", f"{series}")
        return reply

    def _asked(self, span: Window) -> dict[str, str | int]:
        return {
            "api-version": self.api_version,
            "metricnames": ",".join(azure_metric.METRICS),
            "timespan": f"{rfc3339(span.start_us)}/{rfc3339(span.end_us)}",
            "interval": self.interval,
            "aggregation": "Total",
            "$filter": " and ".join(f"{name} eq '*'" for name in azure_metric.DIMENSIONS),
            "top": self.top,
        }
