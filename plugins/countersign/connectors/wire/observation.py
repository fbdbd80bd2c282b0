"""One Langfuse observation, under the API's names: exports write them with underscores."""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from countersign.connectors.wire import spoken, table_file
from countersign.connectors.wire.exchange import host, opened
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.logged import Ending, Quality, quality
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.provider_name import UNKNOWN, canonical
from countersign.connectors.wire.value import Row, instant, needed, optional_instant, row, text
from countersign.errors import Fault
from countersign.usage import Counters, langfuse

_UNDERSCORE: Final = re.compile(r"_([a-z])")
_PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system", "ls_provider", "llm_provider")
_LANGCHAIN: Final = {
    "amazon_bedrock": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
}
_ADDRESS: Final = ("server.address", "api_base", "base_url")
_LEFT: Final = re.compile(r"disconnect|client closed|\b499\b", re.IGNORECASE)
_STOPPED: Final = re.compile(r"cancel|abort|generatorexit", re.IGNORECASE)
_ERROR: Final = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Timeout)\b")
_MESSAGE: Final = frozenset({"role", "content", "choices", "tool_calls"})
_SLOW: Final = re.compile(r"time[d ]*-?out", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Observation:
    """One row. `metadata` is the caller's, `attributes` what OpenTelemetry put into it."""

    fields: Row
    call_id: str
    started_at: int
    metadata: Row
    attributes: Row

    @classmethod
    def of(cls, item: object) -> "Observation":
        """Read what every row has, and refuse what is none."""
        fields = _renamed(row(item))
        metadata = opened(fields.get("metadata"))
        return cls(
            fields=fields,
            call_id=needed(fields, "id"),
            started_at=instant(fields.get("startTime")),
            metadata=metadata,
            attributes=opened(metadata.get("attributes")),
        )

    @property
    def type(self) -> str:
        """GENERATION, EMBEDDING, SPAN ..."""
        return needed(self.fields, "type")

    @property
    def usage(self) -> Row:
        """`usageDetails` as it came."""
        return opened(self.fields.get("usageDetails"))

    def counted(self, keys: langfuse.Keys) -> tuple[Counters, Quality]:
        """Counters and their worth; zeros of a call that was answered are no exact figures."""
        counters, worth = quality(langfuse.read(self.usage, keys), self.ending().status)
        return counters, "estimated" if worth == "exact" and not counters.total else worth

    @property
    def model(self) -> str | None:
        """The model as the integration gave it: asked for or answered, nobody says."""
        said = text(self.fields.get("providedModelName")) or text(self.fields.get("model"))
        return self.noted("gen_ai.response.model") or said

    @property
    def ended_at(self) -> int | None:
        """When it ended; None while it has not, or if the end got lost."""
        return optional_instant(self.fields.get("endTime"))

    @property
    def cost(self) -> object:
        """Langfuse's estimate in USD; exports write 0 where no price is known."""
        return self.fields.get("totalCost") or None

    def provider(self, by_model: Mapping[str, str]) -> str:
        """The provider by its common name: as noted in the metadata, else by the model's prefix."""
        said = self.noted(*_PROVIDER)
        if said is None and self.model:
            longest = sorted(by_model, key=len, reverse=True)
            said = next((by_model[p] for p in longest if self.model.startswith(p)), None)
        return canonical(_LANGCHAIN.get(said, said)) if said else UNKNOWN

    def endpoint(self) -> str | None:
        """The host that was asked, where the integration notes it."""
        said = self.noted(*_ADDRESS)
        return host(said) if said else None

    def noted(self, *names: str) -> str | None:
        """The first of the names that the attributes or the metadata have."""
        found = (text(of.get(name)) for name in names for of in (self.attributes, self.metadata))
        return next((said for said in found if said is not None), None)

    def ending(self) -> Ending:
        """How the call ended; there is no flag for a client that left, only what errors say."""
        said = text(self.fields.get("statusMessage")) or ""
        if self.fields.get("level") != "ERROR":
            return Ending(None) if self.ended_at is None else Ending("ok", "completed")
        if _LEFT.search(said):
            return Ending("cancelled", "client_disconnect")
        if _STOPPED.search(said):
            return Ending("cancelled")
        return Ending("error", "timeout" if _SLOW.search(said) else "upstream_error")

    @property
    def error_type(self) -> str | None:
        """The class that the message names; the rest of a message may quote the prompt."""
        found = _ERROR.search(text(self.fields.get("statusMessage")) or "")
        return found.group() if found and self.fields.get("level") == "ERROR" else None

    def talk(self) -> spoken.Talk:
        """What was asked last and answered, where it is kept."""
        asked, answered = self.fields.get("input"), self.fields.get("output")
        one = opened(asked)
        messages = one.get("messages") or ([one] if "role" in one else asked)
        talk = spoken.talk({"messages": messages, "response": answered})
        if (
            talk.answer is None
            and isinstance(answered, str)
            and not _MESSAGE & set(opened(answered))
        ):
            return replace(talk, answer=text(answered))
        return talk


def observations(page: Page) -> Iterator[object]:
    """Every row of a reply, of an export (JSON, JSON lines, CSV, Parquet), packed or not."""
    whole = plain(page)
    if whole.body.removeprefix(BOM_UTF8).lstrip()[:1] not in (b"{", b"[", b""):
        yield from _table(whole)
        return
    for document in whole.documents():
        if isinstance(document, list):
            yield from document
        elif isinstance(document, dict) and "data" in document and "id" not in document:
            yield from page.rows(document, "data")
        else:
            yield document


def _table(page: Page) -> Iterator[object]:
    table = table_file.read(page)
    if not {"id", "start_time", "type"} <= set(table.names):
        raise page.fault(Fault.MALFORMED, "columns id, start_time, type", "none of the three")
    for cells in table.rows:
        if isinstance(cells, str):
            raise page.fault(Fault.MALFORMED, "whole rows", cells)
        yield dict(zip(table.names, cells, strict=True))


def _renamed(fields: Row) -> Row:
    if "start_time" not in fields:
        return fields
    return {
        _UNDERSCORE.sub(lambda m: m.group(1).upper(), name): value for name, value in fields.items()
    }
