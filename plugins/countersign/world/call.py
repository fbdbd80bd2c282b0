"""One request as it really was: what was asked, what was decoded, logged, billed and shown."""

from dataclasses import dataclass, field
from typing import Final

from countersign.world.installation import Deployment, Tenant
from countersign.world.text import Answer

Counts = tuple[int, int, int, int, int]
"""Tokens by `installation.COUNTERS`; output includes reasoning."""

COMPLETE: Final = "complete"
BROKEN: Final = "broken-stream"
RETRY_PLAIN: Final = "retry-after-500"
RETRY_BILLED: Final = "retry-billed"
DOUBLE_LOGGED: Final = "double-logged"
PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked, and what the provider would answer if nobody stopped it.

    `billed_ppm` is how many provider tokens one o200k token of visible text is (in ppm);
    `reads` and `writes_*` are the prompt cache's share of `prompt_tokens`.
    """

    at_us: int
    tenant: Tenant
    user: str
    session: str
    intent: str
    language: str
    deployment: Deployment
    stream: bool
    asks_usage: bool
    prompt: str
    prompt_tokens: int
    reads: int
    writes_5m: int
    writes_1h: int
    answer: Answer
    reasoning: int
    billed_ppm: int
    call_id: str
    provider_id: str
    first_token_us: int
    failed_over_from: str | None = None

    @property
    def failed_over(self) -> bool:
        """Whether another group's deployment answered than the one that was asked for."""
        return self.failed_over_from is not None

    def visible(self, o200k_tokens: int) -> int:
        """Provider tokens of so many o200k tokens of visible text."""
        return (o200k_tokens * self.billed_ppm + PPM // 2) // PPM

    @property
    def whole_output(self) -> int:
        """Output tokens of the complete answer, reasoning included."""
        return self.reasoning + self.visible(self.answer.tokens)

    def counts(self, output: int) -> Counts:
        """What the provider bills for this prompt and so much output."""
        cached = self.reads + self.writes_5m + self.writes_1h
        uncached = self.prompt_tokens - cached
        return (uncached, self.reads, self.writes_5m, self.writes_1h, output)

    def lasting_us(self, output: int) -> int:
        """How long the provider takes for so many output tokens."""
        return self.first_token_us + output * 1_000_000 // self.deployment.model.tokens_per_second


@dataclass(frozen=True, slots=True)
class Call:
    """What became of a request.

    `logged` is the gateway's row, `billed` the provider's account of the attempt that answered,
    `lost` that of an attempt whose answer never arrived. `kept` is the text that the gateway had,
    `shown` what the reader saw. `estimated`: no usage chunk ever came, the gateway counted.
    """

    request: Request
    kind: str
    started_us: int
    ended_us: int
    logged: Counts
    billed: Counts
    kept: Answer
    shown: Answer
    ended: str = "completed"
    reasoning_logged: int = 0
    estimated: bool = False
    error_code: str = ""
    lost: Counts | None = None
    retries: int = 0
    headers_seen: bool = True
    first_token_us: int = field(default=0)

    @property
    def failed(self) -> bool:
        """Whether the gateway calls it a failure."""
        return self.error_code == "500"

    @property
    def row_id(self) -> str:
        """`request_id` of the gateway's row: the provider's id, which a failure loses."""
        return self.request.call_id if self.failed else self.request.provider_id

    @property
    def tail(self) -> int:
        """Output tokens billed for this answer and never shown."""
        return self.billed[4] - self.request.visible(self.shown.tokens)
