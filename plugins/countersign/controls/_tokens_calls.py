"""Calls and deliveries as reconciliation reads them: one row per logged attempt.

What became of an answer is decided here, row by row, from the log and the reader's meter:
`uncounted` (no usage came), `superseded` (another attempt was shown), `unmetered` (no delivery
record), `stopped`, `broken`, `textless` (completed, nothing to read) or `read`.
"""

from dataclasses import dataclass
from typing import Final, Literal

import ibis
import ibis.expr.types as ir

from countersign.controls.interface import Tables
from countersign.records import COUNTERS, Delivery, GatewayCall

FAMILIES: Final = {
    "in_uncached": ("in_uncached",),
    "in_cache_read": ("in_cache_read",),
    "cache_write": tuple(name for name in COUNTERS if name.startswith("in_cache_write")),
    "in_tool_use": ("in_tool_use",),
    "output": ("out_visible", "out_reasoning", "out_other"),
}
"""Counters that are compared as one, because sources split them differently: providers' usage
reports give output with reasoning in it, gateways give cache writes without their lifetime."""
PROMPT: Final = ("in_uncached", "in_cache_read", "cache_write", "in_tool_use")
GAPS: Final = tuple(f"gap_{name}" for name in FAMILIES)
_EPOCH: Final = "1970-01-01T00:00:00+00:00"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the relations and the rules take from the control's settings."""

    unit: Literal["m", "h", "D"]
    bucket_us: int
    skew_us: int
    meter: str
    estimate_error_ppm: int
    estimate_error_tokens: int
    longest_answer_tokens: int
    settled_after_us: int
    characters_error_ppm: int


def attempts(tables: Tables, limits: Limits, *more: str) -> ir.Table:
    """Logged calls with what reconciliation reads of them; counters that are absent are zero."""
    call = tables.table(GatewayCall)
    quality, status = call.usage_quality.fill_null(""), call.status.fill_null("")
    counted = ibis.coalesce(*(call[name] for name in COUNTERS)).notnull()
    others = {
        "attempt": call.attempt.fill_null(1),
        "ended_at": ibis.coalesce(call.ended_at, call.started_at),
    }
    return call.select(
        call.call_id, call.request_id, call.provider_request_id, call.provider, call.ended_by,
        call.started_at, status=status,
        model=ibis.coalesce(call.model_resolved, call.model_requested, "unknown"),
        key=call.api_key_commitment.fill_null(""), hour=call.started_at.truncate(limits.unit),
        tenant=call.tenant.fill_null(""), is_counted=counted,
        is_estimated=counted & (quality == "estimated"), is_failed=~counted & (status == "error"),
        **{name: call[name].fill_null(0) for name in COUNTERS},
        **{name: others[name] for name in more},
    )  # fmt: skip


def deliveries(tables: Tables, limits: Limits) -> ir.Table:
    """One meter's word on each request: the nearest to the reader that is configured."""
    delivery = tables.table(Delivery)
    measured = ibis.coalesce(delivery.rendered_tokens, delivery.rendered_characters).notnull()
    mine = delivery.meter.isnull() | (delivery.meter == limits.meter)
    return delivery.filter(measured & mine).select(
        delivered=delivery.request_id,
        shown_call=delivery.call_id,
        reader=delivery.ended,
        tokens=delivery.rendered_tokens,
        characters=delivery.rendered_characters,
    )


def classified(calls: ir.Table, deliveries: ir.Table) -> ir.Table:
    """Each call with what its reader was shown of it, and what became of the answer."""
    both = calls.left_join(deliveries, calls.request_id == deliveries.delivered)
    same = both.shown_call.isnull() | (both.shown_call == both.call_id)
    # A broken stream loses the provider's id in the log: then the request id alone must do.
    same = same | (both.shown_call == both.provider_request_id) | both.provider_request_id.isnull()
    seen = both.delivered.notnull() & same & ~both.is_failed
    stopped = (
        both.reader.isin(("user_stop", "disconnect"))
        | (both.status == "cancelled")
        | both.ended_by.isin(("client_disconnect", "user_stop"))
    ).fill_null(False)
    broken = ((both.reader == "error") | (both.status == "error")).fill_null(False)
    content = ibis.cases(
        (~both.is_counted, "uncounted"),
        (both.delivered.notnull() & ~seen, "superseded"),
        (~seen, "unmetered"),
        (stopped, "stopped"),
        (broken, "broken"),
        (ibis.coalesce(both.tokens, both.characters) == 0, "textless"),
        else_="read",
    )
    none = ibis.null("int64")
    return both.mutate(
        content=content,
        shown_tokens=ibis.ifelse(seen, both.tokens, none),
        shown_characters=ibis.ifelse(seen & both.tokens.isnull(), both.characters, none),
    )


def named_stops(calls: ir.Table) -> ir.Table:
    """Name the calls whose reader stopped, and that may have cost something after that."""
    shown = calls.shown_tokens
    costs = calls.is_estimated | shown.isnull() | (calls.out_visible > shown)
    is_named, none = (calls.content == "stopped") & costs, ibis.null("string")
    return calls.mutate(
        stop_call=ibis.ifelse(is_named, calls.call_id, none),
        stop_request=ibis.ifelse(is_named, calls.request_id, none),
    )


def us(at: ir.Value) -> ir.IntegerValue:
    """Microseconds since the epoch, as an integer, whatever the engine's time zone."""
    return at.delta(ibis.timestamp(_EPOCH), unit="microsecond")
