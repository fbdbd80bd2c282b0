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
        "upstream",
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
    upstream: Text | None = None
    """Whose endpoint a reseller used, where it tells them apart."""
    fetched_at: Instant | None = None
    final: Flag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCharge(Record):
    """One billed line: FOCUS columns by their names, plus `x_` columns.

    FOCUS has no id of a row. What a line is about is named by its periods, accounts, resource,
    SKU and kind of charge; `x_line` is 2, 3, ... for further lines of one page about the same.
    Costs and quantities are no part of it: an export that was revised is refused beside the
    one before it, and not counted twice.
    """

    time_column: ClassVar[str] = "ChargePeriodStart"
    identity: ClassVar[tuple[str, ...]] = (
        "ProviderName",
        "ChargePeriodStart",
        "ChargePeriodEnd",
        "BillingPeriodStart",
        "BillingAccountId",
        "SubAccountId",
        "ChargeCategory",
        "ChargeClass",
        "ChargeDescription",
        "ServiceName",
        "RegionId",
        "ResourceId",
        "SkuId",
        "SkuPriceId",
        "SkuMeter",
        "PricingCategory",
        "CommitmentDiscountId",
        "BillingCurrency",
        "x_model",
        "x_token_type",
        "x_project",
        "x_service_tier",
        "x_exported_at",
        "x_line",
    )

    ProviderName: Text
    ChargePeriodStart: Instant
    ChargePeriodEnd: Instant
    BilledCost: Money
    BillingCurrency: Text
    BillingAccountId: Text | None = None
    BillingPeriodEnd: Instant | None = None
    BillingPeriodStart: Instant | None = None
    ChargeCategory: Text | None = None
    ChargeClass: Text | None = None
    ChargeDescription: Text | None = None
    ChargeFrequency: Text | None = None
    CommitmentDiscountId: Text | None = None
    CommitmentDiscountStatus: Text | None = None
    ConsumedQuantity: Money | None = None
    ConsumedUnit: Text | None = None
    ContractedCost: Money | None = None
    EffectiveCost: Money | None = None
    HostProviderName: Text | None = None
    InvoiceId: Text | None = None
    InvoiceIssuerName: Text | None = None
    ListCost: Money | None = None
    ListUnitPrice: Money | None = None
    PricingCategory: Text | None = None
    PricingCurrency: Text | None = None
    PricingCurrencyEffectiveCost: Money | None = None
    PricingQuantity: Money | None = None
    PricingUnit: Text | None = None
    PublisherName: Text | None = None
    RegionId: Text | None = None
    ResourceId: Text | None = None
    ServiceCategory: Text | None = None
    ServiceName: Text | None = None
    ServiceProviderName: Text | None = None
    ServiceSubcategory: Text | None = None
    SkuId: Text | None = None
    SkuMeter: Text | None = None
    SkuPriceDetails: Text | None = None
    SkuPriceId: Text | None = None
    SubAccountId: Text | None = None
    Tags: Text | None = None
    x_model: Text | None = None
    x_token_type: Text | None = None
    x_project: Text | None = None
    x_service_tier: Text | None = None
    x_columns: Text | None = None
    """The export's own `x_` columns, as one JSON object."""
    x_exported_at: Instant | None = None
    x_focus_version: Text | None = None
    x_line: Count | None = None
    x_unreadable: Text | None = None
    """Which values of the row could not be read, and why; admission refuses it by this."""
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
