"""Vertex: what a location promises, sampled logs, net costs, appended corrections."""

import json
from decimal import Decimal
from typing import Any

import pytest

from countersign.connectors.vertex_usage import VertexUsage
from countersign.errors import SourceError
from countersign.records import GatewayCall, InferenceLocation, ProviderCharge

USAGE = {"promptTokenCount": 12, "candidatesTokenCount": 6, "totalTokenCount": 18}


def logged(location: str = "europe-west4", **fields: Any) -> dict[str, Any]:
    return {
        "logging_time": "2026-11-02T10:00:04Z",
        "endpoint": f"projects/p/locations/{location}/publishers/google/models/gemini-3.5-flash",
        "full_response": {"responseId": "x1", "usageMetadata": USAGE},
        **fields,
    }


def billed(**fields: Any) -> dict[str, Any]:
    return {
        "service": {"description": "Vertex AI"},
        "sku": {"id": "S1", "description": "Gemini Input Tokens"},
        "usage_start_time": "2026-11-02 09:00:00 UTC",
        "usage_end_time": "2026-11-02 10:00:00 UTC",
        "export_time": "2026-11-03 01:00:00 UTC",
        "cost": 0.42,
        "currency": "USD",
        **fields,
    }


def parse(*rows: dict[str, Any], **settings: Any) -> list[Any]:
    body = "\n".join(map(json.dumps, rows)).encode()
    return list(VertexUsage(**settings).parse(body))


@pytest.mark.parametrize(
    ("location", "strength", "jurisdiction"),
    [
        ("us-central1", "R2", "US"),
        ("europe-west4", "R2", "EU"),
        ("eu", "R2", "EU"),
        ("europe-west2", "R0", None),
        ("global", "R0", None),
        ("moon-north1", "R0", None),
    ],
)
def test_a_location_promises_a_jurisdiction_or_nothing(
    location: str, strength: str, jurisdiction: str | None
) -> None:
    _, place = parse(logged(location))
    assert isinstance(place, InferenceLocation)
    assert (place.region, place.strength, place.jurisdiction) == (location, strength, jurisdiction)


def test_an_endpoint_without_a_location_has_no_place() -> None:
    (call,) = parse(logged(endpoint="1234567890"))
    assert isinstance(call, GatewayCall)
    assert call.region_configured is None


def test_sampled_calls_are_not_taken_but_their_places_are() -> None:
    found = parse(logged(), sampling_rate=Decimal("0.5"))
    assert [type(one) for one in found] == [InferenceLocation]


def test_the_last_chunk_of_a_stream_holds_and_is_never_added() -> None:
    chunks = [{"responseId": "x", "usageMetadata": USAGE} for _ in range(3)]
    call, _ = parse(logged(full_response=json.dumps(chunks)))
    assert (call.in_uncached, call.out_visible, call.usage_quality) == (12, 6, "exact")


@pytest.mark.parametrize("response", [None, "null", {}, [], {"responseId": "x"}])
def test_a_response_without_usage_is_missing(response: object) -> None:
    call, _ = parse(logged(full_response=response, request_id="r"))
    assert (call.usage_quality, call.in_uncached, call.usage_raw) == ("missing", None, None)


@pytest.mark.parametrize(
    "time", ["2026-11-02T10:00:04Z", "2026-11-02 10:00:04 UTC", "1.793613604E9", 1793613604]
)
def test_every_spelling_of_a_timestamp_is_the_same_instant(time: object) -> None:
    assert parse(logged(logging_time=time))[0].started_at == 1_793_613_604_000_000


def test_the_net_cost_is_exact() -> None:
    credits_ = [{"amount": -0.1}, {"amount": -0.2}]
    (charge,) = parse(billed(cost=0.3, credits=credits_))
    assert isinstance(charge, ProviderCharge)
    assert charge.BilledCost == "0"


def test_corrections_and_equal_rows_are_lines_of_their_own() -> None:
    later = billed(cost=-0.02, export_time="2026-11-05 00:00:00 UTC", adjustment_info={"id": "a"})
    found = parse(billed(), billed(), later)
    assert [c.x_line for c in found] == [None, 2, None]
    assert [c.ChargeClass for c in found] == [None, None, "Correction"]
    about = [tuple(getattr(c, name) for name in ProviderCharge.identity) for c in found]
    assert len(set(about)) == 3


def test_the_invoice_month_is_the_billing_period() -> None:
    (charge,) = parse(billed(invoice={"month": "202612"}))
    assert charge.BillingPeriodStart == 1_796_083_200_000_000
    assert charge.BillingPeriodEnd == 1_798_761_600_000_000


@pytest.mark.parametrize(
    "row",
    [
        logged(full_response={}, request_id=None),
        logged(full_response="{cut"),
        logged(logging_time="soon"),
        logged(full_response={"responseId": "x", "usageMetadata": {"promptTokenCount": 1.5}}),
        billed(cost="much"),
        billed(credits=[1]),
        billed(invoice={"month": "999912"}),
        {"neither": "nor"},
    ],
    ids=str,
)
def test_a_row_that_cannot_be_read_is_named(row: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="row 2"):
        parse(billed(), row)
