"""OpenRouter's own account: a day's activity by endpoint, and single generations."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from countersign import usage
from countersign.connectors.interface import Connector, Fetch
from countersign.connectors.wire import generation
from countersign.connectors.wire.gzipped import plain
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, count, exact, instant, needed, row, text
from countersign.errors import Fault
from countersign.model import US_PER_DAY, Window
from countersign.records import GatewayCall, InferenceLocation, ProviderUsage, Record
from countersign.registry import plugin_id

_PATH: Final = "/api/v1/activity"


@dataclass(frozen=True)
class OpenRouter(Connector):
    """Tokens per model, endpoint and UTC day; and calls with their failed tries, if exported.

    Reads: `GET /api/v1/activity?date=`, one request a day, one row per model and endpoint; a folder
    may hold such replies and replies of `GET /api/v1/generation?id=` (one a file, or JSON Lines).
    The API has no list of generations and the gateway's log has their ids: whoever wants single
    calls saves the replies.

    Credential: a management key for the activity; an ordinary key for generations.

    Late: a day is complete when it has ended in UTC, which is not promised; it reaches 30 days
    back; days are read again for three days.

    Cannot tell: whether the activity's tokens are native or normalised, and which key or project
    asked. Cached tokens may exceed the prompt on replayed hits: such rows are estimated. Of a
    generation the native figures are taken, which are what is billed; whether a cancelled one was
    billed to its end depends on the upstream, so it is estimated. `data_region` is OpenRouter's
    own routing and says nothing of the upstream's place (R1; `global` is R0). Failed tries name
    their upstream in no column of a call.
    """

    kinds = (ProviderUsage, GatewayCall, InferenceLocation)
    lag = timedelta(days=3)

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """One page a day."""
        for day in window.days():
            yield fetch(_PATH, {"date": day.isoformat()})

    def parse(self, page: bytes) -> Iterator[Record]:
        """The rows of an activity reply, or the calls of generations."""
        whole = plain(Page(plugin_id(type(self)), page))
        found = False
        for document in whole.documents():
            found = True
            data = document.get("data") if isinstance(document, dict) else None
            if isinstance(data, list):
                yield from whole.records(map(row, data), _activity)
            elif isinstance(data, dict):
                yield from whole.records((data,), generation.records)
            else:
                raise whole.fault(Fault.MALFORMED, "'data', a list or an object", repr(data)[:60])
        if not found:
            raise whole.fault(Fault.TRUNCATED, "a JSON object", "no content")


def _activity(fields: Row) -> Iterator[ProviderUsage]:
    reading = usage.reading("openrouter-activity", fields)
    start = instant(needed(fields, "date"))
    served = (text(fields.get("provider_name")), text(fields.get("endpoint_id")))
    quality = "estimated" if reading.unaccounted else "exact"
    yield ProviderUsage(
        provider=generation.PROVIDER,
        bucket_start=start,
        bucket_end=start + US_PER_DAY,
        model=text(fields.get("model")) or text(fields.get("model_permaslug")),
        requests=count(fields.get("requests")),
        upstream="/".join(filter(None, served)) or None,
        usage_quality="missing" if reading.counters.is_empty else quality,
        usage_raw=exact(fields),
        **reading.counters.columns(),
    )
