"""What was planted, written down while it was planted: the only thing that `score` believes.

A planted entry names the control and the fact that should be reported, the subjects, the time,
integer measures, and the other observations that legitimately follow from it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from countersign.canonical import Json
from countersign.model import PPM, US_PER_SECOND, Window, moment, rfc3339
from countersign.world.call import DOUBLE_LOGGED, RETRY_BILLED, Call
from countersign.world.growth import Growth
from countersign.world.incident import Incident
from countersign.world.installation import GPT, PriceList
from countersign.world.scenario import STOP_CLASSES, UnloggedKey
from countersign.world.shadow import Attempt

_TOKENS: Final = "token-reconciliation"
_RESIDENCY: Final = "data-residency"
_DRIFT: Final = "input-drift"
_FOLLOWS_NEW_INTENT: Final = (
    ("feature-moved", "intent"), ("feature-moved", "unseen_term"),
    ("feature-moved", "prompt_tokens"), ("feature-moved", "prompt_characters"),
    ("feature-moved", "output_tokens"), ("feature-moved", "output_characters"),
    ("feature-moved", "feature"), ("feature-moved", "cluster"), ("new-level", "cluster=*"),
)  # fmt: skip
"""A new intent brings new words and other lengths."""
Planted = dict[str, Any]


@dataclass(slots=True)
class Truth:
    """Collects what is planted while a world is written."""

    span: Window
    prices: PriceList
    incident: Incident | None
    growth: Growth | None
    _entries: list[Planted] = field(default_factory=list)
    _hit: list[Call] = field(default_factory=list)
    _asked: list[Call] = field(default_factory=list)
    _weekly: dict[tuple[int, str], int] = field(default_factory=dict)

    def call(self, call: Call) -> None:
        """Note a call and what was planted in it."""
        tenant = call.request.tenant.name
        week = self._week(call.request.at_us)
        self._weekly[week, tenant] = self._weekly.get((week, tenant), 0) + 1
        if call.kind in STOP_CLASSES:
            self._entries.append(_tail(call))
        elif call.kind == RETRY_BILLED:
            self._entries.append(_retry(call))
        elif call.kind == DOUBLE_LOGGED:
            self._entries.append(_double(call))
        if call.request.failed_over:
            self._hit.append(call)
        if self.growth is not None and call.request.intent == self.growth.name:
            self._asked.append(call)

    def unlogged(self, key: UnloggedKey, attempts: Sequence[Attempt]) -> None:
        """Note what a key used that no gateway saw."""
        if not attempts:
            return
        pico = sum(
            self.prices.cost_pico(GPT.name, moment(a.start_us).date(), a.counts) for a in attempts
        )
        measures = {
            "requests": len(attempts),
            "billed_tokens": sum(sum(a.counts) for a in attempts),
            "billed_usd_micros": (pico + 500_000) // PPM,
        }
        first, last = attempts[0].start_us, attempts[-1].end_us
        self._entries.append(
            _entry("unlogged-key", (_TOKENS, "unlogged-key"), [key.key], (first, last), measures)
        )

    def entries(self) -> list[Planted]:
        """Everything that was planted, in order of time."""
        found = [*self._entries, *self._failover(), *self._new_intent()]
        return sorted(found, key=lambda e: (e["from"], e["id"]))

    def _week(self, at_us: int) -> int:
        """Whole weeks before the world's end: 0 is the last."""
        return (self.span.end - moment(at_us).date() - timedelta(days=1)).days // 7

    def _failover(self) -> Iterator[Planted]:
        if self.incident is None or not self._hit:
            return
        hit, tenant = self._hit, self.incident.tenant
        week = self._week(self.incident.start_us)
        span = (self.incident.start_us, self.incident.end_us)
        of_week = self._weekly[week, tenant]
        measures = {
            "requests": len(hit),
            "interval_requests": len(hit),
            "interval_share_ppm": PPM,
            "week_requests": of_week,
            "week_share_ppm": _ppm(len(hit), of_week),
            "duration_s": (span[1] - span[0]) // US_PER_SECOND,
        }
        ids = [call.request.call_id for call in hit]
        yield _entry("failover", (_RESIDENCY, "out-of-region"), ids, span, {"requests": len(ids)})
        named = (_RESIDENCY, "out-of-region-interval")
        yield _entry("failover-interval", named, [tenant], span, measures)

    def _new_intent(self) -> Iterator[Planted]:
        if self.growth is None or not self._asked:
            return
        last = [call for call in self._asked if self._week(call.request.at_us) == 0]
        measures = {
            "requests": len(last),
            "share_ppm": _ppm(len(last), self._of_week(0)),
            "users": len({call.request.user for call in last}),
            "first_seen_us": self._asked[0].request.at_us,
        }
        for tenant in sorted({call.request.tenant.name for call in last}):
            users = {c.request.user for c in last if c.request.tenant.name == tenant}
            rows = sum(c.request.tenant.name == tenant for c in last)
            name = tenant.split("-", 1)[0]
            measures[f"{name}_users"] = len(users)
            measures[f"{name}_share_ppm"] = _ppm(rows, self._weekly[0, tenant])
        span = (self._asked[0].request.at_us, self.span.end_us)
        entry = _entry(
            "new-intent", (_DRIFT, "new-level"), [f"intent={self.growth.name}"], span, measures
        )
        entry["consequences"] = [
            {"fact": fact, "subject": subject} for fact, subject in _FOLLOWS_NEW_INTENT
        ]
        yield entry

    def _of_week(self, week: int) -> int:
        return sum(rows for (number, _), rows in self._weekly.items() if number == week)


def document(
    entries: Sequence[Planted], *, seed: int, scenario: str, span: Window, now: str
) -> dict[str, Json]:
    """`truth.json`."""
    return {
        "seed": seed,
        "scenario": scenario,
        "start": span.start.isoformat(),
        "end": span.end.isoformat(),
        "now": now,
        "planted": list(entries),
    }


def _tail(call: Call) -> Planted:
    call_id, span = call.request.call_id, (call.started_us, call.ended_us)
    measures = {
        "billed_minus_rendered_tokens": call.tail,
        "billed_minus_logged_tokens": call.billed[4] - call.logged[4],
    }
    entry = _of_call("cancelled-tail", call_id, span, measures)
    if not call.headers_seen:
        entry["consequences"] = [{"fact": "unproven", "subject": call_id}]
    return {**entry, "class": call.kind}


def _retry(call: Call) -> Planted:
    call_id, lost = call.request.call_id, call.lost or (0, 0, 0, 0, 0)
    span = (call.request.at_us, call.ended_us)
    return _of_call("retry-billed", call_id, span, {"tokens": sum(lost)})


def _double(call: Call) -> Planted:
    call_id, span = call.request.call_id, (call.started_us, call.ended_us)
    return _of_call("double-logged", call_id, span, {"tokens": sum(call.logged)})


def _of_call(fact: str, call_id: str, span: tuple[int, int], measures: dict[str, int]) -> Planted:
    return _entry(f"{fact}/{call_id}", (_TOKENS, fact), [call_id], span, measures)


def _entry(
    name: str,
    named: tuple[str, str],
    subjects: list[str],
    span: tuple[int, int],
    measures: dict[str, int],
) -> Planted:
    control, fact = named
    return {
        "id": name,
        "control": control,
        "fact": fact,
        "subjects": subjects,
        "from": rfc3339(span[0]),
        "to": rfc3339(span[1]),
        "measures": measures,
        "consequences": [],
    }


def _ppm(part: int, whole: int) -> int:
    return round(part * PPM / whole) if whole else 0
