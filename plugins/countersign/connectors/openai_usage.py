"""OpenAI's own count of what it served: the organization usage API."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from countersign import usage
from countersign.connectors.interface import Connector, Fetch, Params
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.paging import follow, next_page
from countersign.connectors.wire.value import Row, count, flag, instant, text, verbatim
from countersign.model import US_PER_SECOND, Window
from countersign.records import ProviderUsage, Record
from countersign.registry import plugin_id

_PATH = "/v1/organization/usage/completions"
_GROUPS = ("project_id", "api_key_id", "model", "batch", "service_tier")


@dataclass(frozen=True)
class OpenAIUsage(Connector):
    """Completion tokens per project, key, model, batch and tier, in hourly buckets.

    Reads: `GET /v1/organization/usage/completions`, one row per UTC hour, project, key, model,
    batch and service tier.

    Credential: an organization's admin key that may read usage.

    Late: no latency and no finality is published: days are read again for three days.

    Cannot tell: which requests there were, only how many; where anything ran. Embeddings, images,
    audio and other endpoints have reports of their own that are not read. What a cancelled request
    counted for is in the sums and cannot be told apart.
    """

    kinds = (ProviderUsage,)
    lag = timedelta(days=3)

    bucket_width: str = "1h"
    limit: int = 168

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Follow `next_page`; the end is exclusive, in Unix seconds."""
        source = plugin_id(type(self))
        asked: Params = {
            "start_time": window.start_us // US_PER_SECOND,
            "end_time": window.end_us // US_PER_SECOND,
            "bucket_width": self.bucket_width,
            "group_by": _GROUPS,
            "limit": self.limit,
        }
        return follow(
            source, lambda more: fetch(_PATH, {**asked, **more}), "page", next_page(source)
        )

    def parse(self, page: bytes) -> Iterator[Record]:
        """One record per bucket and group; a bucket without results yields none."""
        return Page(plugin_id(type(self)), page).bucketed(_record)


def _record(found: tuple[Row, Row]) -> Iterator[ProviderUsage]:
    bucket, result = found
    counters = usage.counters("openai-usage-api", result)
    yield ProviderUsage(
        provider="openai",
        bucket_start=instant(bucket.get("start_time")),
        bucket_end=instant(bucket.get("end_time")),
        project=text(result.get("project_id")),
        api_key_commitment=text(result.get("api_key_id")),
        model=text(result.get("model")),
        service_tier=text(result.get("service_tier")),
        batch=flag(result.get("batch")),
        requests=count(result.get("num_model_requests")),
        usage_quality="missing" if counters.is_empty else "exact",
        usage_raw=verbatim(result),
        **counters.columns(),
    )
