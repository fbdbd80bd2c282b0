"""The record kinds and their columns: the contract between sources, controls and files."""

from countersign.records.change import Outcome, PromptChange
from countersign.records.kind import (
    Record,
    from_table,
    is_dated,
    json_schema,
    kind_name,
    required_columns,
    schema,
    stored_schema,
    tables,
    to_table,
)
from countersign.records.knowledge import AdequacyTerm, SurfaceTerm
from countersign.records.money import FxTerm, PriceTerm, ProviderCharge, ProviderUsage
from countersign.records.trace import Span
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
        Span,
        ProviderUsage,
        ProviderCharge,
        PriceTerm,
        FxTerm,
        SurfaceTerm,
        AdequacyTerm,
        GoldenCase,
        PromptChange,
        Outcome,
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
    "Outcome",
    "PriceTerm",
    "PromptChange",
    "ProviderCharge",
    "ProviderUsage",
    "Record",
    "Span",
    "SurfaceAccess",
    "SurfaceTerm",
    "from_table",
    "is_dated",
    "json_schema",
    "kind_name",
    "required_columns",
    "schema",
    "stored_schema",
    "tables",
    "to_table",
]
