"""Azure's deployments: under which SKU one ran when, and where that SKU lets it run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from countersign.connectors.wire.cloud_region import azure_name, of_azure
from countersign.connectors.wire.place import Place
from countersign.connectors.wire.value import instant

PROVIDER: Final = "azure.ai.openai"
_EVIDENCE: Final = "deployment_sku"
_ZONES: Final[Mapping[str, frozenset[str]]] = {
    "US": frozenset({"US"}),
    "EU": frozenset({"DE", "ES", "FR", "IE", "IT", "NL", "PL", "SE"}),
}
_IN_REGION: Final = ("standard", "provisionedmanaged")


@dataclass(frozen=True, slots=True)
class Sku:
    """What a deployment was, for a time: ARM's `sku.name`, and the Region of its resource."""

    name: str
    region: str
    valid_from: date
    valid_to: date | None = None

    @property
    def place(self) -> Place:
        """The area to which the SKU restricts processing: a setting (R1), or none at all (R0)."""
        name, country = self.name.lower(), of_azure(self.region)
        if name in _IN_REGION:
            return Place(azure_name(self.region), _EVIDENCE, "R1", country)
        zone = next((zone for zone, inside in _ZONES.items() if country in inside), None)
        if name.startswith("datazone") and zone is not None:
            return Place(f"datazone-{zone.lower()}", _EVIDENCE, "R1", zone)
        return Place("global" if name.startswith("global") else self.name, _EVIDENCE, "R0")


Deployments = Mapping[str, Sequence[Sku]]


def sku_at(deployments: Deployments, name: str | None, at_us: int) -> Sku | None:
    """The SKU of a deployment at an instant, by the dated settings; unknown is None."""
    for sku in deployments.get(name or "", ()):
        until = None if sku.valid_to is None else instant(sku.valid_to)
        if instant(sku.valid_from) <= at_us and (until is None or at_us < until):
            return sku
    return None


def model(name: str | None, version: str | None) -> str | None:
    """`gpt-5.4-2026-06-01` of a model's name and version, as OpenAI itself writes it."""
    return f"{name}-{version}" if name and version else name
