"""The installation that is simulated: tenants, deployments, keys, intents and list prices.

Prices are picodollars per token (0.75 USD per million tokens is 750,000): money stays integer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

OPENAI: Final = "openai"
ANTHROPIC: Final = "anthropic"
PROVIDERS: Final = (OPENAI, ANTHROPIC)
LANGUAGES: Final = ("en", "de", "fr", "es")

CREDENTIALS: Final[Mapping[str, str]] = {
    "COUNTERSIGN_LITELLM_KEY": "sk-world-litellm-master",
    "COUNTERSIGN_OPENAI_ADMIN_KEY": "sk-admin-world-openai",
    "COUNTERSIGN_ANTHROPIC_ADMIN_KEY": "sk-ant-admin01-world",
    "COUNTERSIGN_BEACON_KEY": "bk-world-beacons",
}
"""What the simulated sources accept, by the environment variable that the configuration names."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model on a provider's price list and its speed."""

    provider: str
    name: str
    tokens_per_second: int
    first_token_ms: int


GPT: Final = Model(OPENAI, "gpt-5.4-mini-2026-03-17", 90, 420)
CLAUDE: Final = Model(ANTHROPIC, "claude-sonnet-5", 62, 780)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One upstream of the gateway. `project` is the OpenAI project or the Anthropic workspace."""

    id: str
    group: str
    model: Model
    api_base: str
    key: str
    project: str


DEPLOYMENTS: Final[Mapping[str, Deployment]] = {
    d.group: d
    for d in (
        Deployment(
            "dep-openai-eu", "chat-eu", GPT, "https://eu.api.openai.com/v1",
            "key_eu_prod", "proj_eu",
        ),
        Deployment(
            "dep-openai-us", "chat-us", GPT, "https://us.api.openai.com/v1",
            "key_us_prod", "proj_us",
        ),
        Deployment(
            "dep-anthropic", "chat-fast", CLAUDE, "https://api.anthropic.com",
            "apikey_prod", "wrkspc_prod",
        ),
    )
}  # fmt: skip
"""By the model group that people ask for."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One customer of the platform. Shares are relative weights."""

    name: str
    share: float
    users: int
    groups: Mapping[str, float]
    languages: Mapping[str, float]
    intents: Mapping[str, float]
    tags_intent: bool = False

    @property
    def short(self) -> str:
        """`aster` for `aster-bank`: the prefix of its users' ids."""
        return self.name.split("-", 1)[0]


INTENTS: Final = (
    "order-status", "refund", "invoice-question", "account-access", "plan-change",
    "product-advice", "complaint", "translation", "summary", "report-draft",
    "code-change", "data-extract",
)  # fmt: skip
NEW_INTENT: Final = "passkey-migration"
CODE_LIKE: Final = frozenset({"code-change", "data-extract"})
"""Intents whose sizes and arrivals follow the coding trace; the rest follow conversations."""
FEATURES: Final[Mapping[str, str]] = {
    "translation": "workbench", "summary": "workbench", "report-draft": "workbench",
    "code-change": "workbench", "data-extract": "workbench",
}  # fmt: skip
"""Which product feature an intent is used from; `assistant` when not listed."""


def _weights(*values: float) -> dict[str, float]:
    return dict(zip(INTENTS, values, strict=True))


TENANTS: Final = (
    Tenant(
        "aster-bank", 0.34, 170,
        {"chat-eu": 1.0},
        {"de": 0.46, "en": 0.26, "fr": 0.18, "es": 0.10},
        _weights(4, 6, 14, 16, 9, 7, 8, 7, 11, 9, 3, 6),
    ),
    Tenant(
        "borealis-shop", 0.36, 190,
        {"chat-us": 0.6, "chat-fast": 0.4},
        {"en": 0.58, "es": 0.22, "fr": 0.12, "de": 0.08},
        _weights(22, 15, 8, 7, 5, 17, 9, 4, 4, 3, 3, 3),
        tags_intent=True,
    ),
    Tenant(
        "cygnus-media", 0.30, 150,
        {"chat-fast": 0.65, "chat-us": 0.35},
        {"en": 0.52, "fr": 0.24, "es": 0.14, "de": 0.10},
        _weights(3, 3, 6, 8, 10, 5, 5, 17, 19, 14, 5, 5),
    ),
)  # fmt: skip

GATEWAY_REGION: Final = "eu-central-1"
"""Where the one gateway runs that all tenants share."""

COUNTERS: Final = ("in_uncached", "in_cache_read", "in_cache_write_5m", "in_cache_write_1h", "out")
"""Priced token classes, in the order of every count tuple of the provider's books."""

_PRICES: Final[Mapping[str, tuple[int, ...]]] = {
    GPT.name: (750_000, 75_000, 0, 0, 4_500_000),
    CLAUDE.name: (2_000_000, 200_000, 2_500_000, 4_000_000, 10_000_000),
}
_OLD_GPT_OUTPUT: Final = 4_800_000
_PRICE_CUT_AFTER: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class PriceList:
    """List prices; the output price of the OpenAI model was cut two weeks into the history."""

    start: date

    @property
    def cut_on(self) -> date:
        """First day of the lower price."""
        return self.start + _PRICE_CUT_AFTER

    def of(self, model: str, day: date) -> tuple[int, ...]:
        """Picodollars per token of each of `COUNTERS`."""
        prices = _PRICES[model]
        if model == GPT.name and day < self.cut_on:
            return (*prices[:-1], _OLD_GPT_OUTPUT)
        return prices

    def cost_pico(self, model: str, day: date, counts: tuple[int, ...]) -> int:
        """What the counts cost on a day."""
        return sum(price * n for price, n in zip(self.of(model, day), counts, strict=True))
