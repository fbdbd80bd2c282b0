"""Calls and deliveries as reconciliation reads them: one row per logged attempt.

What became of an answer is decided here, row by row, from the log and the reader's meter:
`uncounted` (no usage came), `superseded` (another attempt was shown), `unmetered` (no delivery
record), `stopped`, `broken`, `textless` (completed, nothing to read) or `read`.
"""

from dataclasses import dataclass
from typing import Final, Literal

import ibis
import ibis.expr.datatypes as dt
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
STOPS: Final = dt.Array(
    dt.Struct(
        {
            **dict.fromkeys(("stop_call", "stop_request"), "string"),
            **dict.fromkeys(
                ("estimated", "out_visible", "shown", "shown_characters", "first_at"), "int64"
            ),
        }
    )
)
"""Stopped calls one by one, beside the sums that hold them."""
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
    ended_by = call.ended_by.fill_null("")
    counted = ibis.coalesce(*(call[name] for name in COUNTERS)).notnull()
    others = {
        "attempt": call.attempt.fill_null(1),
        "ended_at": ibis.coalesce(call.ended_at, call.started_at),
        "hour": call.started_at.truncate(limits.unit),
    }
    return call.select(
        call.call_id, call.request_id, call.provider_request_id, call.provider, call.started_at,
        model=ibis.coalesce(call.model_resolved, call.model_requested, "unknown"),
        key=call.api_key_commitment.fill_null(""), tenant=call.tenant.fill_null(""),
        is_counted=counted, is_estimated=counted & (quality == "estimated"),
        is_stopped=(status == "cancelled") | ended_by.isin(("client_disconnect", "user_stop")),
        is_broken=status == "error", **{name: call[name].fill_null(0) for name in COUNTERS},
        **{name: others[name] for name in more},
    )  # fmt: skip


def deliveries(tables: Tables, limits: Limits) -> ir.Table:
    """One meter's word on each request: the nearest to the reader that is configured."""
    delivery = tables.table(Delivery)
    measured = ibis.coalesce(delivery.rendered_tokens, delivery.rendered_characters).notnull()
    mine = delivery.meter.isnull() | (delivery.meter == limits.meter)
    ended = delivery.ended.fill_null("")
    return delivery.filter(measured & mine).select(
        delivered=delivery.request_id,
        shown_call=delivery.call_id,
        reader_stopped=ended.isin(("user_stop", "disconnect")),
        reader_failed=ended == "error",
        tokens=delivery.rendered_tokens,
        characters=delivery.rendered_characters,
    )


def classified(calls: ir.Table, deliveries: ir.Table) -> ir.Table:
    """Each call with what its reader was shown of it, and what became of the answer.

    The engine carries every column of both sides through this join: it is given flags, not texts.
    """
    both = calls.left_join(deliveries, calls.request_id == deliveries.delivered)
    same = both.shown_call.isnull() | (both.shown_call == both.call_id)
    # A broken stream loses the provider's id in the log: then the request id alone must do.
    same = same | (both.shown_call == both.provider_request_id) | both.provider_request_id.isnull()
    is_failed, is_metered = ~both.is_counted & both.is_broken, both.reader_stopped.notnull()
    seen = is_metered & same & ~is_failed
    content = ibis.cases(
        (~both.is_counted, "uncounted"),
        (is_metered & ~seen, "superseded"),
        (~seen, "unmetered"),
        (both.reader_stopped | both.is_stopped, "stopped"),
        (both.reader_failed | both.is_broken, "broken"),
        (ibis.coalesce(both.tokens, both.characters) == 0, "textless"),
        else_="read",
    )
    none = ibis.null("int64")
    return both.mutate(
        content=content,
        is_failed=is_failed,
        shown_tokens=ibis.ifelse(seen, both.tokens, none),
        shown_characters=ibis.ifelse(seen & both.tokens.isnull(), both.characters, none),
    )


def named_stops(calls: ir.Table) -> ir.Table:
    """Mark the calls whose reader stopped and that may have cost something after that: `stop`."""
    shown = calls.shown_tokens
    costs = calls.is_estimated | shown.isnull() | (calls.out_visible > shown)
    known = {
        "stop_call": calls.call_id,
        "stop_request": calls.request_id,
        "estimated": calls.is_estimated.cast("int64"),
        "out_visible": calls.out_visible,
        "shown": shown.fill_null(0),
        "shown_characters": calls.shown_characters.fill_null(0),
        "first_at": us(calls.started_at),
    }
    is_stop = (calls.content == "stopped") & costs
    return calls.mutate(stop=ibis.ifelse(is_stop, ibis.struct(known), ibis.null(STOPS.value_type)))


def us(at: ir.Value) -> ir.IntegerValue:
    """Microseconds since the epoch, as an integer, whatever the engine's time zone."""
    return at.delta(ibis.timestamp(_EPOCH), unit="microsecond")
