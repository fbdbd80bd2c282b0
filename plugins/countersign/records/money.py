"""Kinds that describe what was billed, and at which prices."""

from dataclasses import dataclass
from typing import ClassVar

from countersign.records.kind import Count, Flag, Instant, Money, Record, Text
from countersign.records.traffic import Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderUsage(Counted):
    """One usage bucket and group as the provider reports it."""

    time_column: ClassVar[str] = "bucket_start"
    identity: ClassVar[tuple[str, ...]] = (
        "provider",
        "bucket_start",
        "account",
        "project",
        "api_key_commitment",
        "model",
        "service_tier",
        "region",
        "batch",
    )

    provider: Text
    bucket_start: Instant
    bucket_end: Instant
    account: Text | None = None
    project: Text | None = None
    api_key_commitment: Text | None = None
    model: Text | None = None
    service_tier: Text | None = None
    region: Text | None = None
    batch: Flag | None = None
    requests: Count | None = None
    fetched_at: Instant | None = None
    final: Flag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCharge(Record):
    """One billed line: FOCUS columns by their names, plus `x_` columns."""

    time_column: ClassVar[str] = "ChargePeriodStart"
    identity: ClassVar[tuple[str, ...]] = (
        "ProviderName",
        "ChargePeriodStart",
        "SubAccountId",
        "ChargeDescription",
        "x_model",
        "x_token_type",
    )

    ProviderName: Text
    ChargePeriodStart: Instant
    ChargePeriodEnd: Instant
    BilledCost: Money
    BillingCurrency: Text
    ChargeCategory: Text | None = None
    ChargeDescription: Text | None = None
    ConsumedQuantity: Money | None = None
    ConsumedUnit: Text | None = None
    RegionId: Text | None = None
    ServiceName: Text | None = None
    SkuMeter: Text | None = None
    SubAccountId: Text | None = None
    x_model: Text | None = None
    x_token_type: Text | None = None
    x_project: Text | None = None
    x_service_tier: Text | None = None
    fetched_at: Instant | None = None
    final: Flag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTerm(Record):
    """The list price of one counter of one model from a date on."""

    time_column: ClassVar[str] = ""
    identity: ClassVar[tuple[str, ...]] = (
        "provider",
        "model",
        "token_type",
        "valid_from",
        "tier",
        "region",
        "batch",
    )

    provider: Text
    model: Text
    token_type: Text
    unit_usd_pico: Count
    valid_from: Instant
    valid_to: Instant | None = None
    tier: Text | None = None
    region: Text | None = None
    batch: Flag | None = None
    document_digest: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FxTerm(Record):
    """The rate of one currency on one day; without it, amounts in it are inconclusive."""

    time_column: ClassVar[str] = ""
    identity: ClassVar[tuple[str, ...]] = ("currency", "day")

    currency: Text
    day: Text
    usd_micros_per_unit: Count
    document_digest: Text | None = None
