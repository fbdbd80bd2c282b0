"""Azure: what is asked of the metrics API, series that it cut, and where a SKU lets a call run."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from countersign.connectors.azure_usage import AzureUsage
from countersign.connectors.wire.azure import Sku
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.pipeline.fetch import HttpFetch
from countersign.records import GatewayCall, InferenceLocation, ProviderUsage

ACCOUNT = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/a"
TWO_DAYS = Window.parse("2026-11-01/2026-11-03")


def series(deployment: str, **point: Any) -> dict[str, Any]:
    return {
        "metadatavalues": [{"name": {"value": "ModelDeploymentName"}, "value": deployment}],
        "data": [{"timeStamp": "2026-11-02T10:00:00Z", **point}],
    }


def metric(name: str, *found: dict[str, Any], **fields: Any) -> dict[str, Any]:
    address = f"{ACCOUNT}/providers/Microsoft.Insights/metrics/{name}"
    return {"id": address, "name": {"value": name}, "timeseries": list(found), **fields}


def reply(*metrics: dict[str, Any], interval: str = "PT1M") -> bytes:
    document = {"interval": interval, "resourceregion": "swedencentral", "value": list(metrics)}
    return json.dumps(document).encode()


@dataclass
class Monitor:
    """The metrics API of one account, which cuts the series to `top` like the real one."""

    deployments: int
    asked: list[dict[str, str]] = field(default_factory=list)

    def reply(self, path: str, query: dict[str, str]) -> bytes:
        assert path == f"{ACCOUNT}/providers/Microsoft.Insights/metrics"
        self.asked.append(query)
        kept = range(min(self.deployments, int(query.get("top", 10))))
        found = [series(f"d{number}", total=number) for number in kept]
        return reply(*(metric(name, *found) for name in query["metricnames"].split(",")))


@contextmanager
def served(monitor: Monitor) -> Iterator[HttpFetch]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            assert self.headers["Authorization"] == "Bearer token"
            body = monitor.reply(url.path, dict(parse_qsl(url.query)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}{ACCOUNT}"
        yield HttpFetch.bound("azure", address, AzureUsage.credential_header, "token")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def usage(*metrics: dict[str, Any], **settings: Any) -> list[ProviderUsage]:
    found = list(AzureUsage(**settings).parse(reply(*metrics)))
    assert all(isinstance(one, ProviderUsage) for one in found)
    return found  # type: ignore[return-value]  # just asserted


def line(**fields: Any) -> dict[str, Any]:
    properties = {"modelDeploymentName": "chat", "modelName": "gpt-5.4"}
    return {
        "TimeGenerated": "2026-11-02T10:00:04Z",
        "Category": "RequestResponse",
        "CorrelationId": "c1",
        "ResultSignature": "200",
        "properties_s": json.dumps(properties | fields.pop("properties", {})),
        **fields,
    }


def logged(*lines: dict[str, Any], **settings: Any) -> list[Any]:
    return list(AzureUsage(**settings).parse("\n".join(map(json.dumps, lines)).encode()))


def test_each_day_is_asked_by_the_minute_with_every_group_and_an_explicit_top() -> None:
    monitor = Monitor(deployments=30)
    with served(monitor) as fetch:
        pages = list(AzureUsage().pages(fetch, TWO_DAYS))
    assert [q["timespan"] for q in monitor.asked] == [
        "2026-11-01T00:00:00Z/2026-11-02T00:00:00Z",
        "2026-11-02T00:00:00Z/2026-11-03T00:00:00Z",
    ]
    assert {q["interval"] for q in monitor.asked} == {"PT1M"}
    assert "ModelDeploymentName eq '*'" in monitor.asked[0]["$filter"]
    assert [len(list(AzureUsage().parse(page))) for page in pages] == [30, 30]


def test_a_reply_with_as_many_series_as_allowed_may_be_cut_and_is_refused() -> None:
    monitor = Monitor(deployments=30)
    connector = AzureUsage(top=20)
    with served(monitor) as fetch, pytest.raises(SourceError) as caught:
        list(connector.pages(fetch, TWO_DAYS))
    assert caught.value.fault is Fault.TRUNCATED
    with pytest.raises(SourceError):
        list(connector.parse(monitor.reply(f"{ACCOUNT}/providers/Microsoft.Insights/metrics", {
            "metricnames": "GeneratedTokens", "top": "20"
        })))  # fmt: skip


def test_the_metrics_of_one_group_and_minute_are_one_bucket() -> None:
    (bucket,) = usage(
        metric("ProcessedPromptTokens", series("chat", total=120.0)),
        metric("GeneratedTokens", series("chat", total=8)),
        metric("AzureOpenAIRequests", series("chat", total=1)),
    )
    assert (bucket.account, bucket.project, bucket.requests) == ("a", "chat", 1)
    assert (bucket.in_uncached, bucket.out_visible, bucket.in_cache_read) == (120, 8, None)
    assert bucket.usage_quality == "estimated"
    assert bucket.bucket_end - bucket.bucket_start == 60_000_000


def test_a_point_without_a_total_is_missing_and_zero_is_zero() -> None:
    (absent,) = usage(metric("GeneratedTokens", series("chat")))
    (zero,) = usage(metric("GeneratedTokens", series("chat", total=0.0)))
    assert (absent.usage_quality, absent.out_visible) == ("missing", None)
    assert (zero.usage_quality, zero.out_visible) == ("estimated", 0)


@pytest.mark.parametrize(
    "body",
    [
        reply(metric("GeneratedTokens", errorCode="InternalServerError")),
        reply(metric("GeneratedTokens", series("chat", total=1.5))),
        reply(metric("GeneratedTokens", series("chat", timeStamp="noon"))),
        reply(metric("GeneratedTokens", {"data": None})),
        reply(metric("GeneratedTokens", series("chat")), interval="a minute"),
    ],
)
def test_a_metric_that_azure_could_not_give_is_no_zero(body: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        list(AzureUsage().parse(body))
    assert caught.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    ("name", "region", "expected"),
    [
        ("Standard", "Germany West Central", ("germanywestcentral", "R1", "DE")),
        ("ProvisionedManaged", "uksouth", ("uksouth", "R1", "GB")),
        ("DataZoneStandard", "swedencentral", ("datazone-eu", "R1", "EU")),
        ("DataZoneProvisionedManaged", "eastus2", ("datazone-us", "R1", "US")),
        ("DataZoneBatch", "switzerlandnorth", ("DataZoneBatch", "R0", None)),
        ("GlobalStandard", "swedencentral", ("global", "R0", None)),
        ("GlobalBatch", "germanywestcentral", ("global", "R0", None)),
        ("Developer", "swedencentral", ("Developer", "R0", None)),
        ("SkuOfNextYear", "swedencentral", ("SkuOfNextYear", "R0", None)),
    ],
)
def test_the_sku_decides_where_a_call_may_run(
    name: str, region: str, expected: tuple[str, str, str | None]
) -> None:
    skus = {"chat": (Sku(name, region, date(2026, 1, 1)),)}
    _, place = logged(line(), deployments=skus)
    assert isinstance(place, InferenceLocation)
    assert place.evidence == "deployment_sku"
    assert (place.region, place.strength, place.jurisdiction) == expected


def test_the_sku_is_the_one_of_that_day_and_without_one_nothing_is_said() -> None:
    skus = {
        "chat": (
            Sku("Standard", "swedencentral", date(2026, 1, 1), date(2026, 11, 2)),
            Sku("GlobalStandard", "swedencentral", date(2026, 11, 2)),
        )
    }
    before = line(TimeGenerated="2026-11-01T23:59:59Z")
    places = [r.region for r in logged(before, line(), deployments=skus) if hasattr(r, "region")]
    assert places == ["swedencentral", "global"]
    (alone,) = logged(line(location="swedencentral"), deployments={})
    assert (alone.region_configured, alone.region_observed) == (None, None)


def test_one_category_gives_calls_and_the_other_is_left_out() -> None:
    both = (line(), line(Category="AzureOpenAIRequestUsage", properties={"promptTokens": 9}))
    (plain,) = logged(*both)
    (counted,) = logged(*both, calls_from="AzureOpenAIRequestUsage")
    assert isinstance(counted, GatewayCall)
    assert (plain.usage_quality, plain.in_uncached) == ("missing", None)
    assert (counted.usage_quality, counted.in_uncached) == ("exact", 9)


def test_a_usage_object_in_the_properties_is_read_as_openais() -> None:
    said = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
    (call,) = logged(
        line(Category="AzureOpenAIRequestUsage", properties={"usage": said}),
        calls_from="AzureOpenAIRequestUsage",
    )
    assert (call.in_uncached, call.out_visible, call.usage_quality) == (10, 4, "exact")


@pytest.mark.parametrize(
    ("signature", "status", "ended_by"),
    [
        ("200", "ok", None),
        ("499", "cancelled", "client_disconnect"),
        ("408", "error", "timeout"),
        ("429", "error", "upstream_error"),
        ("Succeeded", None, None),
    ],
)
def test_the_signature_says_how_a_request_ended(
    signature: str, status: str | None, ended_by: str | None
) -> None:
    (call,) = logged(line(ResultSignature=signature))
    assert (call.status, call.ended_by) == (status, ended_by)


@pytest.mark.parametrize(
    "wrong", [{"Category": None}, {"CorrelationId": ""}, {"properties_s": "{"}], ids=str
)
def test_a_line_that_cannot_be_read_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="row 2"):
        logged(line(), line(**wrong))
