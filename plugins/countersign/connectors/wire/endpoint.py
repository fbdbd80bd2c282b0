"""What the host that a client asked says about the place: at most a promise, often nothing.

A host proves where a request entered. Whether the answer was computed there depends on the
product: OpenAI's regional hosts process where they are named after (R2); Amazon's and Google's
regional hosts promise it for models that are not routed across regions (R1); a `global` route
promises nothing (R0).
"""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from countersign.connectors.wire.place import Place, by_host

_BEDROCK: Final = re.compile(
    r"(?:[\w-]+\.)?bedrock-runtime(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.(?:amazonaws\.com|api\.aws)"
)
_VERTEX: Final = re.compile(r"(?:([a-z]+(?:-[a-z]+)+\d+)-)?aiplatform\.googleapis\.com")
_PROFILE: Final = re.compile(r"(?:.*inference-profile/)?(global|us|us-gov|eu|apac|jp|au|ca)\..+")
"""A cross-region inference profile: Amazon chooses among the regions of the prefix."""


@lru_cache(maxsize=1024)
def by_endpoint(host: str, model: str | None = None) -> Place | None:
    """The place that a host and a model id together stand for; None where they say nothing."""
    name = host.lower().rstrip(".")
    bedrock = _BEDROCK.fullmatch(name)
    if bedrock:
        return _bedrock(bedrock.group(1), model)
    vertex = _VERTEX.fullmatch(name)
    if vertex:
        region = vertex.group(1)
        return Place(region, "host", "R1") if region else Place("global", "host", "R0")
    return by_host(name)


def configured(host: str, provider: str, model: str | None = None) -> Place | None:
    """The same of a host that a configuration names and nobody saw: a setting, so at most R1.

    A host of another company than the provider's is a placeholder, and says nothing.
    """
    place = by_endpoint(host, model)
    if place is None or provider.partition(".")[0] != _company(host.lower()):
        return None
    return replace(place, strength="R1") if place.is_asserted else place


def _company(host: str) -> str:
    if host.endswith((".amazonaws.com", ".api.aws")):
        return "aws"
    return "gcp" if host.endswith(".googleapis.com") else "openai"


def _bedrock(region: str, model: str | None) -> Place | None:
    profile = _PROFILE.fullmatch(model or "")
    if profile is None:
        return Place(region, "host", "R1")
    return Place("global", "host", "R0") if profile.group(1) == "global" else None
