"""The record kinds and their columns: the contract between sources, controls and files."""

from countersign.records.kind import (
    Record,
    is_dated,
    json_schema,
    kind_name,
    required_columns,
    schema,
    stored_schema,
    to_table,
)
from countersign.records.knowledge import AdequacyTerm, SurfaceTerm
from countersign.records.money import FxTerm, PriceTerm, ProviderCharge, ProviderUsage
from countersign.records.traffic import (
    COUNTERS,
    CallText,
    Delivery,
    GatewayCall,
    GoldenCase,
    InferenceLocation,
    SurfaceAccess,
)

KINDS: dict[str, type[Record]] = {
    kind_name(kind): kind
    for kind in (
        GatewayCall,
        CallText,
        Delivery,
        SurfaceAccess,
        InferenceLocation,
        ProviderUsage,
        ProviderCharge,
        PriceTerm,
        FxTerm,
        SurfaceTerm,
        AdequacyTerm,
        GoldenCase,
    )
}

__all__ = [
    "COUNTERS",
    "KINDS",
    "AdequacyTerm",
    "CallText",
    "Delivery",
    "FxTerm",
    "GatewayCall",
    "GoldenCase",
    "InferenceLocation",
    "PriceTerm",
    "ProviderCharge",
    "ProviderUsage",
    "Record",
    "SurfaceAccess",
    "SurfaceTerm",
    "is_dated",
    "json_schema",
    "kind_name",
    "required_columns",
    "schema",
    "stored_schema",
    "to_table",
]
