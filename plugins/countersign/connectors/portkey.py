"""Portkey's account of every request: its log export jobs, or files that such jobs wrote."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from countersign.connectors.interface import Connector, Fetch
from countersign.connectors.wire.endpoint import by_endpoint
from countersign.connectors.wire.exchange import TEXT, told, wants
from countersign.connectors.wire.logged import after, operation
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.place import Place, by_response
from countersign.connectors.wire.portkey_job import CAP, Bounds, Jobs
from countersign.connectors.wire.portkey_log import FIELDS, Log, logs
from countersign.connectors.wire.spoken import Talk
from countersign.connectors.wire.value import count, flag, inner, text
from countersign.model import Window
from countersign.records import CallText, GatewayCall, InferenceLocation, Record
from countersign.registry import plugin_id

_MS: Final = 1_000


@dataclass(frozen=True)
class Portkey(Connector):
    """Requests that went through Portkey, with their text where it may be exported.

    Reads: `/v1/logs/exports`: a job for each day writes JSON lines, one for each request, behind
    a signed link; a day of 50,000 rows or more is halved until it fits. Or the files of such
    jobs from a folder (`file:`). Drafts of jobs that were too large stay in Portkey's list.

    Credential: an API key with the scope `logs.export` (enterprise plan); `workspace` is the
    workspace's slug, because its UUID silently matches nothing.

    Late: no delay is documented; a day is read again for a day.

    Cannot tell: cached and reasoning tokens apart where the response is not exported (then the
    split is an estimate). Calls that an administrator's denied fields hide. Whether a client
    left, unless the status is 499. Whether Portkey's own cache answered: job exports lack that
    column. Where a call was computed, unless the address asked is a regional host.
    """

    kinds = (GatewayCall, InferenceLocation, CallText)
    lag = timedelta(days=1)
    credential_header = "x-portkey-api-key: {}"

    workspace: str = ""
    bounds: Bounds = "time_of_generation"
    """Which of the two documented filters names the days; a wrong one is found out and refused."""
    rows_a_job: int = CAP
    """Fewer make smaller files, where prompts and answers are long."""
    poll_s: float = 5
    polls: int = 360
    keys: Mapping[str, str] = field(default_factory=dict)
    """The provider's id of the key behind each of Portkey's virtual keys."""
    pipeline: str = "chat"
    tenant_key: str = "tenant"
    user_key: str = "_user"
    request_key: str = ""
    """The metadata key that holds the application's request id; else the trace is the request."""

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Run a job for each day; the reply that makes it says how many rows to expect."""
        jobs = Jobs(
            plugin_id(type(self)),
            fetch,
            self.workspace,
            self.bounds,
            min(CAP, self.rows_a_job),
            self.poll_s,
            self.polls,
        )
        fields = jobs.fields(FIELDS if wants(self.records, TEXT) else FIELDS[:-1])
        for day in window.days():
            span = Window.day(day)
            yield from jobs.pages(span.start_us, span.end_us, fields)

    def parse(self, page: bytes) -> Iterator[Record]:
        """The records of a job's file; the reply that made the job holds none."""
        whole = Page(plugin_id(type(self)), page)
        return whole.records(logs(whole), self._records)

    def _records(self, seen: Log) -> Iterator[Record]:
        talk = seen.talk() if wants(self.records, TEXT) else Talk()
        return told(self._call(seen, talk), _place(seen), talk)

    def _call(self, seen: Log, talk: Talk) -> GatewayCall:
        fields, ending, (counters, worth) = seen.fields, seen.ending, seen.counted()
        lasted, retries = (count(fields.get(n)) for n in ("response_time", "retry_success_count"))
        asked, answered = seen.asked, seen.answered
        return GatewayCall(
            call_id=seen.call_id,
            request_id=text(seen.metadata.get(self.request_key))
            or text(fields.get("trace_id"))
            or seen.call_id,
            started_at=seen.started_at,
            provider=seen.provider,
            attempt=None if retries is None else 1 + max(retries, 0),
            stage="gateway_cache" if seen.is_from_cache else None,
            pipeline=self.pipeline,
            ended_at=None if lasted is None else after(seen.started_at, lasted * _MS),
            tenant=text(seen.metadata.get(self.tenant_key)),
            user_commitment=text(seen.metadata.get(self.user_key)),
            api_key_commitment=self.keys.get(text(fields.get("virtual_key")) or ""),
            operation=operation(seen.address),
            model_requested=text(asked.get("model")),
            model_resolved=text(answered.get("model")) or text(fields.get("ai_model")),
            provider_request_id=None if seen.is_from_cache else text(answered.get("id")),
            endpoint_host=seen.endpoint,
            service_tier=text(answered.get("service_tier")),
            stream=flag(fields.get("stream_mode", asked.get("stream"))),
            status=ending.status,
            http_status=seen.http_status,
            finish_reason=talk.finish_reason,
            ended_by=ending.ended_by,
            cancel_boundary=ending.boundary,
            turns=talk.turns,
            config_fingerprint=text(fields.get("config")),
            cost_logged_usd_micros=seen.cost,
            usage_quality=worth,
            usage_raw=seen.usage_raw(),
            **counters.columns(),
        )


def _place(seen: Log) -> Place | None:
    if seen.is_from_cache:
        return None
    named = by_endpoint(seen.endpoint or "", text(seen.fields.get("ai_model")))
    return named or by_response(inner(seen.answered, "usage"))
