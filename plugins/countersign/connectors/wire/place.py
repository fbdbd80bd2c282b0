"""Where a provider says that a call ran, from a regional host name or a response field."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from countersign.connectors.wire.value import Row, text
from countersign.records import GatewayCall, InferenceLocation

_REGIONAL: Final = re.compile(r"([a-z]{2})\.api\.openai\.com")
_JURISDICTION: Final = {"uk": "GB"}


@dataclass(frozen=True, slots=True)
class Place:
    """A region with the evidence for it. R2: asserted per request; R0: says nothing."""

    region: str
    evidence: str
    strength: str
    jurisdiction: str | None = None

    @property
    def is_asserted(self) -> bool:
        """Whether the provider commits itself to the region."""
        return self.strength != "R0"


@lru_cache(maxsize=256)
def by_host(host: str) -> Place | None:
    """OpenAI's regional hosts (`eu.api.openai.com`) process where they are named after."""
    match = _REGIONAL.fullmatch(host)
    if match is None:
        return None
    region = match.group(1)
    return Place(region, "host", "R2", _JURISDICTION.get(region, region.upper()))


def by_response(usage_object: Row) -> Place | None:
    """Anthropic's `inference_geo`: `us` is a place; `global` and `not_available` are none."""
    said = text(usage_object.get("inference_geo"))
    if said is None:
        return None
    if said in ("global", "not_available"):
        return Place(said, "response_field", "R0")
    return Place(said, "response_field", "R2", said.upper())


def location(attempt: GatewayCall, place: Place) -> InferenceLocation:
    """Where the provider says the call ran. It belongs to the day on which the call started."""
    return InferenceLocation(
        provider=attempt.provider,
        region=place.region,
        evidence=place.evidence,
        observed_at=attempt.started_at,
        call_id=attempt.call_id,
        provider_request_id=attempt.provider_request_id,
        jurisdiction=place.jurisdiction,
        strength=place.strength,
    )
