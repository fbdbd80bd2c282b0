"""LiteLLM's price table: one entry a model, dollars per single token, variants by field name.

Every entry gives at least one term. What is no price of a token counter (per image, per second,
per query, in another unit) gives a term under the field's own name: admission refuses and lists
it, so that nothing of the table is dropped unseen.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Any, Final

from countersign.connectors.wire.value import Row, text
from countersign.records import PriceTerm

_EXAMPLE: Final = "sample_spec"
_AS_PRINTED: Final = Context(prec=15)
"""Decimal digits that a double keeps: what a sum or product left behind them is no price."""
_PICO: Final = Decimal(10) ** 12
_LIMIT: Final = 2**63
_FIELD: Final = re.compile(
    r"(?P<what>input_cost_per_token|output_cost_per_token|output_cost_per_reasoning_token"
    r"|output_cost_per_(?:audio|image|video)_token|input_cost_per_token_cache_hit"
    r"|cache_read_input_token_cost|cache_creation_input_token_cost)"
    r"(?:_above_(?P<hours>1|12)hr)?(?P<above>_above_\d+k_tokens)?"
    r"(?:_(?P<tier>batches|priority|flex|balanced|ultrafast|decisions))?"
)
_COUNTERS: Final[Mapping[tuple[str, str | None], tuple[str, ...]]] = {
    ("input_cost_per_token", None): ("in_uncached",),
    ("output_cost_per_token", None): ("out_visible",),
    ("output_cost_per_reasoning_token", None): ("out_reasoning",),
    ("output_cost_per_audio_token", None): ("out_other",),
    ("output_cost_per_image_token", None): ("out_other",),
    ("output_cost_per_video_token", None): ("out_other",),
    ("input_cost_per_token_cache_hit", None): ("in_cache_read",),
    ("cache_read_input_token_cost", None): ("in_cache_read",),
    ("cache_creation_input_token_cost", None): ("in_cache_write_5m", "in_cache_write_30m"),
    ("cache_creation_input_token_cost", "1"): ("in_cache_write_1h",),
    ("cache_creation_input_token_cost", "12"): ("in_cache_write_12h",),
}
"""Writes without a stated lifetime have the provider's default one: 5 or 30 minutes."""
_FAMILIES: Final[Mapping[str, str]] = {
    "bedrock_mantle": "bedrock_mantle",
    "bedrock": "aws.bedrock",
    "azure_ai": "azure.ai.inference",
    "azure": "azure.ai.openai",
    "vertex_ai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "xai": "x_ai",
    "text-completion-openai": "openai",
    "cohere": "cohere",
}
"""Beginnings of LiteLLM's provider names, and what the providers' own records say."""
_PLACE: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d|us|eu|apac|us-gov|global(?:-standard)?")
_UPLIFT: Final = "regional_processing_uplift_multiplier_"


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the table. `blank` holds what all its terms share."""

    fields: Row
    blank: PriceTerm

    def terms(self) -> Iterator[PriceTerm]:
        """Every price of the entry, and one refusable term when it has none."""
        if not self.fields or self.blank.model == _EXAMPLE:
            yield self.blank
            return
        own = [*self._fields(self.fields), *self._bands(), *self._off_peak()]
        own += self._reasoning(own)
        own += [*self._multiplied(own)]
        yield from own or [self.blank]

    def _fields(self, fields: Row, tier: str | None = None) -> Iterator[PriceTerm]:
        for name, value in fields.items():
            match = _FIELD.fullmatch(name)
            counters = _COUNTERS.get((match["what"], match["hours"]), ()) if match else ()
            if match is None or not counters:
                yield from self._other(name, value, tier)
                continue
            if counters == ("out_other",) and self._mixes_media:
                counters = (name,)
            terms = self._conditions(match, tier)
            for counter in counters:
                yield replace(self.blank, token_type=counter, unit_usd_pico=_pico(value), **terms)

    @property
    def _mixes_media(self) -> bool:
        """Whether sound, pictures and film have several prices: the one counter has none then."""
        return len({str(self.fields[name]) for name in _MEDIA if name in self.fields}) > 1

    def _conditions(self, match: re.Match[str], tier: str | None) -> dict[str, Any]:
        batch = True if match["tier"] == "batches" else None
        level = None if batch else match["tier"]
        tiers = (self.blank.tier, tier, level, (match["above"] or "")[1:])
        return {"tier": ",".join(filter(None, tiers)) or None, "batch": batch}

    def _other(self, name: str, value: object, tier: str | None) -> Iterator[PriceTerm]:
        """A price that no counter has, under its own name."""
        if ("cost" not in name and "multiplier" not in name) or name.startswith(_UPLIFT):
            return
        inner = value.items() if isinstance(value, dict) else (("", value),)
        for part, price in inner:
            named = f"{name}.{part}" if part else name
            is_dollars = "dbu" not in name and "multiplier" not in name
            pico: Any = _pico(price) if is_dollars else None
            said = self.blank.tier or tier
            yield replace(self.blank, token_type=named, unit_usd_pico=pico, tier=said)

    def _bands(self) -> Iterator[PriceTerm]:
        """Prices by the length of the prompt; the first band is the ordinary price."""
        bands = self.fields.get("tiered_pricing")
        for band in bands if isinstance(bands, list) else ():
            if isinstance(band, dict):
                span = band.get("range")
                since = _number(span[0]) if isinstance(span, list) and span else None
                tier = f"above_{(since / 1000).normalize():f}k_tokens" if since else None
                yield from self._fields(band, tier)

    def _off_peak(self) -> Iterator[PriceTerm]:
        found = self.fields.get("off_peak_pricing")
        if isinstance(found, dict):
            yield from self._fields(found, "off_peak")

    def _reasoning(self, own: list[PriceTerm]) -> list[PriceTerm]:
        """Reasoning without a price of its own costs what output does: the table's own rule."""
        stated = {(t.tier, t.batch) for t in own if t.token_type == "out_reasoning"}
        return [
            replace(t, token_type="out_reasoning")
            for t in own
            if t.token_type == "out_visible" and (t.tier, t.batch) not in stated
        ]

    def _multiplied(self, own: list[PriceTerm]) -> Iterator[PriceTerm]:
        """Uplifts for a region (two letters), and factors of a tier such as `fast`."""
        listed = self.fields.get("provider_specific_entry")
        factors = {k: _number(v) for k, v in (listed if isinstance(listed, dict) else {}).items()}
        for name, value in self.fields.items():
            if name.startswith(_UPLIFT):
                factors[name.removeprefix(_UPLIFT)] = _number(value)
        priced = [t for t in own if t.unit_usd_pico is not None and t.token_type in _ALL]
        for name, factor in factors.items():
            if factor is not None and len(name) != 2:
                made = [_times(t, factor, tier=name) for t in priced if not (t.tier or t.batch)]
                priced += made
                yield from made
        for name, factor in factors.items():
            if factor is not None and len(name) == 2:
                yield from (_times(t, factor, region=name) for t in priced if t.region is None)


_MEDIA: Final = tuple(f"output_cost_per_{kind}_token" for kind in ("audio", "image", "video"))
_ALL: Final = {counter for counters in _COUNTERS.values() for counter in counters}


def entries(table: Row, blank: PriceTerm, providers: Mapping[str, str]) -> Iterator[Entry]:
    """Every entry of the table; `blank` holds dates and evidence."""
    for name, fields in table.items():
        found: Row = fields if isinstance(fields, dict) else {}
        family = text(found.get("litellm_provider")) or "unknown"
        model, region, term = _named(name, family)
        provider = providers.get(family) or _otel(family)
        yield Entry(found, replace(blank, provider=provider, model=model, region=region, tier=term))


def is_table(document: Mapping[str, Any]) -> bool:
    """Whether an entry of the document says which provider LiteLLM asks for it."""
    return any(isinstance(v, dict) and "litellm_provider" in v for v in document.values())


def _otel(family: str) -> str:
    return next((ours for start, ours in _FAMILIES.items() if family.startswith(start)), family)


def _named(name: str, family: str) -> tuple[str, str | None, str | None]:
    """Model, region and commitment out of `bedrock/eu-central-1/6-month-commitment/model`."""
    name = text(name) or "unknown"
    first, *rest = name.split("/")
    if not rest or not family.startswith(first):
        return name, None, None
    region = rest.pop(0) if len(rest) > 1 and _PLACE.fullmatch(rest[0]) else None
    committed = len(rest) > 1 and rest[0].endswith("-commitment")
    term = rest.pop(0) if committed else None
    return "/".join(rest), region, term


def _times(
    term: PriceTerm, factor: Decimal, *, region: str | None = None, tier: str | None = None
) -> PriceTerm:
    pico: int | None = (
        term.unit_usd_pico
    )  # None is a price that nobody could read: so is its double
    price: Any = None if pico is None else _whole(Decimal(pico) * factor)
    return replace(term, unit_usd_pico=price, tier=tier or term.tier, region=region or term.region)


def _pico(value: object) -> Any:
    """Pico-dollars of one token; None where the number is none, or is finer than that."""
    price = _number(value)
    return None if price is None else _whole(_AS_PRINTED.plus(price) * _PICO)


def _whole(pico: Decimal) -> Any:
    if pico != pico.to_integral_value() or abs(pico) >= _LIMIT:
        return None
    return int(pico)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    try:
        found = _AS_PRINTED.plus(Decimal(value))
    except ArithmeticError:
        return None
    return found if found.is_finite() and abs(found) < 10**18 else None
