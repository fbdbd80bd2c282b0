"""One line of Kong's log serialisation, and what each AI plugin says in it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from countersign import usage
from countersign.connectors.wire import spoken
from countersign.connectors.wire.logged import Ending, after, by_status, line_id
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.provider_name import UNKNOWN, canonical
from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    count,
    inner,
    instant,
    micros,
    row,
    text,
)
from countersign.records import CallText, GatewayCall, SurfaceAccess
from countersign.usage import Reading

_PROXIES: Final = ("proxy", "ai-proxy", "ai-proxy-advanced")
_OLD_SPELLINGS: Final = {
    "prompt_token": "prompt_tokens",
    "completion_token": "completion_tokens",
    "total_token": "total_tokens",
}
_CACHE_UNDOCUMENTED: Final = frozenset({"anthropic", "aws.bedrock"})


@dataclass(frozen=True, slots=True)
class Section:
    """What one AI plugin logged: `ai.proxy`, or `ai.<plugin>` on older pages."""

    line: "Line"
    name: str
    fields: Row

    @property
    def stage(self) -> str | None:
        """The plugin's name, unless it is the proxy itself."""
        return None if self.name in _PROXIES else self.name

    @property
    def call_id(self) -> str:
        """The request's id; other plugins than the proxy call models beside it."""
        return self.line.request_id + (f"#{self.stage}" if self.stage else "")

    @property
    def meta(self) -> Row:
        """Models, provider, latency."""
        return inner(self.fields, "meta")

    @property
    def usage(self) -> Row:
        """The usage block as it was logged."""
        return inner(self.fields, "usage")

    @property
    def provider(self) -> str:
        """The provider by its common name."""
        said = text(self.meta.get("provider_name"))
        return canonical(said) if said else UNKNOWN

    @property
    def reading(self) -> Reading:
        """Counters of the block, its old spellings read as the new ones."""
        block = {_OLD_SPELLINGS.get(name, name): value for name, value in self.usage.items()}
        has_chat = "prompt_tokens" in block or "completion_tokens" in block
        return usage.reading("openai-chat" if has_chat else "openai-responses", block)

    @property
    def is_doubtful(self) -> bool:
        """Whether cache reads are in play of which nobody says if the prompt includes them."""
        return bool(self.reading.counters.in_cache_read) and self.provider in _CACHE_UNDOCUMENTED

    @property
    def is_from_cache(self) -> bool:
        """Whether Kong answered from its own cache."""
        return self.line.cache_status == "Hit" and self.stage is None

    @property
    def first_token_at(self) -> int | None:
        """When the first token came; Kong gives milliseconds since the start."""
        waited = _milliseconds(self.usage.get("time_to_first_token"))
        return after(self.line.started_at, waited) if waited else None

    @property
    def cost(self) -> int | None:
        """Kong's own estimate; 0 is what it says without configured prices."""
        return micros(self.usage.get("cost")) or None

    @property
    def response_id(self) -> str | None:
        """The provider's id, where the response was logged."""
        return text(_decoded(_payload(self).get("response")).get("id"))


@dataclass(frozen=True, slots=True)
class Line:
    """One request as Kong's serialiser wrote it."""

    fields: Row
    started_at: int
    request_id: str

    @classmethod
    def of(cls, item: object) -> "Line":
        """Read what every line has, and refuse what is none."""
        fields = row(item)
        started = count(fields.get("started_at"))
        if started is None:
            raise UnreadableError("started_at is absent")
        request_id = text(inner(fields, "request").get("id"))
        return cls(fields, instant(Decimal(started) / 1000), request_id or line_id(fields))

    @property
    def http_status(self) -> int | None:
        """The status that the client got."""
        return count(inner(self.fields, "response").get("status"))

    @property
    def ending(self) -> Ending:
        """How the request ended, by its status: 499 is a client that left."""
        return by_status(self.http_status)

    @property
    def ended_at(self) -> int | None:
        """When Kong was done."""
        taken = _milliseconds(inner(self.fields, "latencies").get("request"))
        return None if taken is None else after(self.started_at, taken)

    @property
    def tries(self) -> list[Row]:
        """Kong's own tries at upstream addresses, the last of which was answered."""
        found = self.fields.get("tries")
        return [t for t in found if isinstance(t, dict)] if isinstance(found, list) else []

    @property
    def attempts(self) -> int | None:
        """How many tries it took."""
        return len(self.tries) or None

    @property
    def peer(self) -> str | None:
        """The upstream address of the last try."""
        return text(self.tries[-1].get("ip")) if self.tries else None

    @property
    def tenant(self) -> str | None:
        """The consumer, by the operator's id, else by name."""
        consumer = inner(self.fields, "consumer")
        return text(consumer.get("custom_id")) or text(consumer.get("username"))

    @property
    def cache_status(self) -> str | None:
        """Hit, Miss, Bypass or Refresh of Kong's semantic cache, whichever plugin logged it."""
        return next((said for c in self.caches() if (said := text(c.get("cache_status")))), None)

    def caches(self) -> Iterator[Row]:
        """Each plugin's cache block."""
        ai = inner(self.fields, "ai")
        found = (ai, *(inner(ai, name) for name in ai))
        return (cache for block in found if (cache := inner(block, "cache")))

    def sections(self) -> Iterator[Section]:
        """The plugins that asked a model; none on a line of other traffic."""
        ai = inner(self.fields, "ai")
        for name in ai:
            fields = inner(ai, name)
            if inner(fields, "meta") or inner(fields, "usage"):
                yield Section(self, name, fields)


def lines(page: Page) -> Iterator[Line]:
    """Every line of a file; http-log may send them as one array."""
    for document in page.documents():
        for item in document if isinstance(document, list) else (document,):
            yield Line.of(item)


def texts(call: GatewayCall, section: Section) -> Iterator[CallText]:
    """What was asked and answered, where payload logging is on."""
    payload = _payload(section)
    asked = _decoded(payload.get("request"))
    talk = spoken.talk({"messages": asked.get("messages"), "response": payload.get("response")})
    for role, said in (("prompt", talk.prompt), ("output", talk.answer)):
        if said is not None:
            yield CallText(call_id=call.call_id, role=role, text=said, started_at=call.started_at)


def embeddings(line: Line) -> Iterator[SurfaceAccess]:
    """The semantic cache's own touch of an embedding model, which saw the prompt as well."""
    for cache in line.caches():
        provider = text(cache.get("embeddings_provider"))
        if provider:
            yield SurfaceAccess(
                request_id=line.request_id,
                surface="query_embedding",
                provider=canonical(provider),
                at=line.started_at,
            )


def _payload(section: Section) -> Row:
    """The payload block; an example of the documentation puts it beside the plugins."""
    own = inner(section.fields, "payload")
    return own or inner(inner(section.line.fields, "ai"), "payload")


def _decoded(value: object) -> Row:
    if isinstance(value, dict):
        return value
    if isinstance(value, str) and value.startswith("{"):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}
    return {}


def _milliseconds(value: object) -> int | None:
    """Microseconds of a duration in milliseconds; Kong writes -1 for none."""
    taken = micros(value)
    return None if taken is None else taken // 1000
