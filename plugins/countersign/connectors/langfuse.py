"""Langfuse's account of every model call: the observations API, or its export to blob storage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from countersign.connectors.interface import Connector, Fetch, Folder, Params
from countersign.connectors.wire.endpoint import by_endpoint
from countersign.connectors.wire.exchange import TEXT, told, wants
from countersign.connectors.wire.logged import raw
from countersign.connectors.wire.observation import Observation, observations
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.paging import follow
from countersign.connectors.wire.spoken import Talk
from countersign.connectors.wire.value import inner, micros, optional_instant, text
from countersign.model import Window, rfc3339
from countersign.records import CallText, GatewayCall, InferenceLocation, Record
from countersign.registry import plugin_id
from countersign.usage import langfuse

_PATH: Final = "/api/public/v2/observations"
_FIELDS: Final = "core,basic,time,metadata,model,usage,trace_context"
_OTHER_TABLES: Final = frozenset({"scores", "traces", "manifests"})


@dataclass(frozen=True)
class Langfuse(Connector):
    """Calls that applications reported to Langfuse, with their text where it is kept.

    Reads: `/api/public/v2/observations` (self-hosted from v4), one row for each observation of
    the `types`; or the blob storage export (`observations_v2/` or `observations/`; JSON, JSON
    lines, CSV or Parquet, packed or not) from a folder (`file:`).

    Credential: a project's API keys as `public-key:secret-key` (HTTP Basic).

    Late: rows can be changed at any time and nothing can be asked by time of change, so a day
    is read again by start time for three days; old SDKs are up to 10 minutes late.

    Cannot tell: which provider, unless metadata or `providers` says so. Whether usage was
    reported or reckoned by Langfuse itself. Whether cached and reasoning tokens are inside the
    input and output figures, unless the total shows it or `usage` says so: else they are
    estimates. Who ended a call early: only error messages hint at it. Where a call was
    computed, unless the host asked is noted and is a regional one.
    """

    kinds = (GatewayCall, InferenceLocation, CallText)
    lag = timedelta(hours=72)
    credential_header = "Authorization: Basic {basic}"

    limit: int = 1_000
    types: tuple[str, ...] = ("GENERATION", "EMBEDDING")
    usage: Mapping[str, langfuse.Keys] = field(default_factory=dict)
    """By the model name's prefix (empty: any): how the integration that wrote it counts."""
    providers: Mapping[str, str] = field(default_factory=dict)
    """By the model name's prefix, for rows whose metadata names none."""
    pipeline: str = "chat"
    tenant_key: str = "tenant"
    request_key: str = ""
    """The metadata key that holds the application's request id; else the trace is the request."""

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Follow the cursor of each type; the end is exclusive."""
        for kind in self.types:
            asked = self._asked(window, kind)
            yield from follow(
                plugin_id(type(self)),
                lambda more, asked=asked: fetch(_PATH, {**asked, **more}),  # type: ignore[misc]
                "cursor",
                lambda document: inner(document, "meta").get("cursor"),
            )

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the files of observations; of two layouts of one export the enriched one."""
        del window  # file names say when an export ran, not which days it holds
        names = [n for n in folder.names() if not _OTHER_TABLES & set(n.split("/")[:-1])]
        enriched = any("observations_v2" in name.split("/") for name in names)
        for name in names:
            is_notice = name.endswith(".txt")
            if not is_notice and not (enriched and "observations" in name.split("/")):
                yield folder.read(name)

    def parse(self, page: bytes) -> Iterator[Record]:
        """The records of the calls among a page's observations."""
        whole = Page(plugin_id(type(self)), page)
        return whole.records(observations(whole), self._records)

    def _asked(self, window: Window, kind: str) -> Params:
        return {
            "fromStartTime": rfc3339(window.start_us),
            "toStartTime": rfc3339(window.end_us),
            "type": kind,
            "fields": _FIELDS + (",io" if wants(self.records, TEXT) else ""),
            "expandMetadata": "attributes",
            "limit": self.limit,
        }

    def _records(self, item: object) -> Iterator[Record]:
        seen = Observation.of(item)
        if seen.type not in self.types:
            return
        talk = seen.talk() if wants(self.records, TEXT) else Talk()
        call = self._call(seen, talk)
        yield from told(call, by_endpoint(call.endpoint_host or "", call.model_resolved), talk)

    def _call(self, seen: Observation, talk: Talk) -> GatewayCall:
        fields, ending = seen.fields, seen.ending()
        counters, worth = seen.counted(langfuse.chosen(self.usage, seen.model or ""))
        return GatewayCall(
            call_id=seen.call_id,
            request_id=(seen.noted(self.request_key) if self.request_key else None)
            or text(fields.get("traceId"))
            or seen.call_id,
            started_at=seen.started_at,
            provider=seen.provider(self.providers),
            parent_call_id=text(fields.get("parentObservationId")),
            pipeline=self.pipeline,
            first_token_at=optional_instant(fields.get("completionStartTime")),
            ended_at=seen.ended_at,
            tenant=seen.noted(self.tenant_key),
            user_commitment=text(fields.get("userId")),
            session_commitment=text(fields.get("sessionId")),
            feature=text(fields.get("traceName")),
            environment=text(fields.get("environment")),
            operation=seen.noted("gen_ai.operation.name"),
            model_requested=seen.noted("gen_ai.request.model"),
            model_resolved=seen.model,
            provider_request_id=seen.noted("gen_ai.response.id"),
            endpoint_host=seen.endpoint(),
            status=ending.status,
            error_type=seen.error_type,
            finish_reason=talk.finish_reason,
            ended_by=ending.ended_by,
            cancel_boundary=ending.boundary,
            turns=talk.turns,
            cost_logged_usd_micros=micros(seen.cost),
            usage_quality=worth,
            usage_raw=raw(seen.usage),
            **counters.columns(),
        )
