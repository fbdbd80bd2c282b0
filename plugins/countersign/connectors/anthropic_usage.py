"""Anthropic's own count of what it served: the messages usage report."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from countersign import usage
from countersign.connectors.interface import Connector, Fetch, Params
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.paging import follow, next_page
from countersign.connectors.wire.value import Row, instant, text, verbatim
from countersign.model import Window, rfc3339
from countersign.records import ProviderUsage, Record
from countersign.registry import plugin_id

_PATH = "/v1/organizations/usage_report/messages"
_GROUPS = ("api_key_id", "workspace_id", "model", "service_tier", "inference_geo")
_HEADERS = {"anthropic-version": "2023-06-01"}


@dataclass(frozen=True)
class AnthropicUsage(Connector):
    """Message tokens per workspace, key, model, tier and inference geography, hour by hour.

    Reads: `GET /v1/organizations/usage_report/messages`, one row per UTC hour, workspace, key,
    model, service tier and inference geography.

    Credential: an admin key (`sk-ant-admin01-...`); individual accounts have none.

    Late: figures come within about five minutes as a rule, and no finality is published: days are
    read again for three days.

    Cannot tell: how many requests there were, and which; a NULL workspace is the default one, a
    NULL key is the console's. `inference_geo` says "us" or "global" at most, and global is
    anywhere. Claude on Bedrock, Vertex or the AWS platform is not in it.
    """

    kinds = (ProviderUsage,)
    lag = timedelta(days=3)
    credential_header = "x-api-key: {}"

    bucket_width: str = "1h"
    limit: int = 168

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Follow `next_page`; the end is exclusive, in RFC 3339."""
        source = plugin_id(type(self))
        asked: Params = {
            "starting_at": rfc3339(window.start_us),
            "ending_at": rfc3339(window.end_us),
            "bucket_width": self.bucket_width,
            "group_by[]": _GROUPS,
            "limit": self.limit,
        }
        return follow(
            source,
            lambda more: fetch(_PATH, {**asked, **more}, headers=_HEADERS),
            "page",
            next_page(source),
        )

    def parse(self, page: bytes) -> Iterator[Record]:
        """One record per bucket and group; a bucket without results yields none."""
        return Page(plugin_id(type(self)), page).bucketed(_record)


def _record(found: tuple[Row, Row]) -> Iterator[ProviderUsage]:
    bucket, result = found
    counters = usage.counters("anthropic-usage-report", result)
    yield ProviderUsage(
        provider="anthropic",
        bucket_start=instant(bucket.get("starting_at")),
        bucket_end=instant(bucket.get("ending_at")),
        project=text(result.get("workspace_id")),
        api_key_commitment=text(result.get("api_key_id")),
        model=text(result.get("model")),
        service_tier=text(result.get("service_tier")),
        region=text(result.get("inference_geo")),
        usage_quality="missing" if counters.is_empty else "exact",
        usage_raw=verbatim(result),
        **counters.columns(),
    )
