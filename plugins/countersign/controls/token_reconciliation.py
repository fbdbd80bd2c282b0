"""Token reconciliation: does the provider bill the tokens that were rendered?

Billed and logged counters are compared per provider, model, API key and bucket; logged and
rendered tokens per request. The classes are mutually exclusive and foot exactly. Order of rules:

1. A provider-day without usage is not examined; a key without a call in the window is `unlogged`.
2. Cells whose counters agree are balanced; cells whose gap is within the stated error of their
   estimated calls (a stopped stream is logged as an estimate) are `usage_missing` on the prompt
   side and `cancelled_tail` on the output side.
3. `boundary`, `double_logged`, `retry_billed`, `logged_unbilled`, `late` by the rules of
   `_tokens_causes`; a rule applies only where both records fit. The rest is `unexplained`.
4. Logged tokens by nature: `input_uncached`, `cache_read`, `cache_write`, `reasoning_hidden`;
   visible output less what was shown, by how the answer ended: `cancelled_tail` (stopped),
   `broken_stream`, `tool_and_system_overhead` (completed, nothing to read), `tokenizer_skew`
   (completed), `retry_billed` (another attempt was shown), `unmetered` (no delivery record).

The surplus row of `double_logged` is neither billed nor rendered: it stands in the bridge from
billed to logged, and is struck from the ladder from billed to rendered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import ibis.expr.types as ir
import pyarrow as pa

from countersign.canonical import Json
from countersign.controls import _tokens_relations as relations
from countersign.controls import _tokens_report as report
from countersign.controls._tokens_books import Books, close
from countersign.controls._tokens_calls import Limits
from countersign.controls._tokens_lines import day_text
from countersign.controls._tokens_statement import micros
from countersign.controls.interface import Conclusion, Control, Tables
from countersign.errors import ConfigError
from countersign.model import US_PER_SECOND, Grade, Observation, State, Window
from countersign.records import Delivery, GatewayCall, PriceTerm, ProviderCharge, ProviderUsage

_UNITS: Final[Mapping[int, Literal["m", "h", "D"]]] = {1: "m", 60: "h", 1_440: "D"}


@dataclass(frozen=True)
class TokenReconciliation(Control):
    """Every billed token is matched to a call, and every class of difference is priced.

    The provider's usage buckets are compared with the gateway's log, and the log with what the
    readers' meters were shown. Tokens billed after a reader stopped are the cancellation tax: a
    measure, not a failure. The claim fails when a provider-day holds more unexplained money than
    the tolerance, or when a key is billed that the gateway never logged. Where only an estimate
    exists the figure says so: bounded, or unverifiable.
    """

    claim = (
        "Every billed token is accounted for, class by class, and tokens billed after the reader "
        "stopped are priced."
    )
    needs = (GatewayCall, ProviderUsage)
    uses = (Delivery, ProviderCharge, PriceTerm)
    maps_to = (("FOCUS 1.2", "BilledCost, ConsumedQuantity"), ("ISO/IEC 42001", "A.6.2.8"))

    tolerance_ppm: int = 5_000
    """Unexplained share of billed money that a provider-day may hold."""
    bucket_minutes: int = 60
    """Grain of comparison; usage buckets may be finer, not wider."""
    clock_skew_s: int = 5
    """How far the clocks of gateway and provider may differ at a bucket's edge."""
    meter: str = "browser"
    """Whose word counts for what was shown."""
    estimate_error_ppm: int = 350_000
    """How wrong a gateway's own count of a prompt may be."""
    estimate_error_tokens: int = 32
    """The same, in tokens per call on top."""
    longest_answer_tokens: int = 16_384
    """The most that one stopped call can have been billed beyond what was logged."""
    characters_error_ppm: int = 250_000
    """How wrong the tokens of one answer may be when they are calibrated from characters."""
    settled_after_hours: int = 72
    """How long a bucket may still change when the provider does not say that it is final."""
    name_at_most: int = 20_000
    """Stopped calls that are named one by one; the others are in the totals."""

    def __post_init__(self) -> None:
        if self.bucket_minutes not in _UNITS:
            raise ConfigError(
                "token-reconciliation, bucket_minutes",
                expected="1, 60 or 1440: what providers report by",
                observed=str(self.bucket_minutes),
            )

    def reduce(self, tables: Tables) -> dict[str, ir.Table]:
        """Cells of both sides, the calls that may explain those in doubt, prices and charges."""
        limits = self._limits
        return {
            "lines": relations.lines(tables, limits),
            "coverage": relations.coverage(tables, limits),
            "prices": relations.prices(tables),
            "charges": relations.charges(tables),
        }

    def conclude(self, reduced: Mapping[str, pa.Table], window: Window) -> Conclusion:
        """Attribute every gap, close the books, and judge each provider-day."""
        books = close(reduced, self._limits, window)
        days = report.days(books)
        over = report.exceeded(days, self.tolerance_ppm)
        keys = report.unlogged(books)
        is_priced = not books.slots.unpriced
        lost = report.unlogged_keys(keys, self._limits.bucket_us, is_priced=is_priced)
        stopped = report.stops(books)
        explained = (
            *report.named_calls(books),
            *report.tails(books, stopped, self.name_at_most),
        )
        failing = (*lost, *over)
        failed = {row["provider"] for row in keys}
        counts = self._counts(books, {*failed, *(seen.subject for seen in over)})
        state, reason, grade = self._verdict(books, days, failing)
        return Conclusion(
            state=state,
            reason=reason,
            grade=grade,
            observations=(*failing, *explained),
            examined=counts["examined"],
            holding=counts["holding"],
            not_holding=counts["not_holding"],
            undecided=counts["undecided"],
            measures=self._measures(books, days, keys, len(stopped)),
            picture=self._picture(books, days),
            tables={
                "statement": list(books.statement.rows),
                "providers": report.providers(books, days, self.tolerance_ppm, failed),
                "tax": report.tax(books),
                "keys": [_key(row, is_priced=is_priced) for row in keys],
                "basis": report.basis(books),
                "bridge": list(books.bridge.rows),
                "counters": report.counters(books),
                "charges": [row.document() for row in books.charged.rows],
            },
            not_examined=tuple(report.not_examined(books, self._limits.bucket_us)),
        )

    @property
    def _limits(self) -> Limits:
        return Limits(
            unit=_UNITS[self.bucket_minutes],
            bucket_us=self.bucket_minutes * 60 * US_PER_SECOND,
            skew_us=self.clock_skew_s * US_PER_SECOND,
            meter=self.meter,
            estimate_error_ppm=self.estimate_error_ppm,
            estimate_error_tokens=self.estimate_error_tokens,
            longest_answer_tokens=self.longest_answer_tokens,
            characters_error_ppm=self.characters_error_ppm,
            settled_after_us=self.settled_after_hours * 3_600 * US_PER_SECOND,
        )

    def _verdict(
        self, books: Books, days: list[report.Day], failing: tuple[Observation, ...]
    ) -> tuple[State, str, Grade]:
        known = [day for day in days if day.ppm is not None]
        worst = max(known, key=lambda day: (day.ppm or 0, day.name), default=None)
        at_most = "no provider-day could be compared"
        if worst is not None:
            at_most = (
                f"{worst.ppm} ppm of billed money is unexplained on {worst.name}, the worst "
                f"provider-day; the limit is {self.tolerance_ppm} ppm"
            )
        grade = Grade(f"{worst.ppm} ppm", worst.name) if worst else Grade("missing", "price_term")
        if failing:
            first, more = failing[0], len(failing) - 1
            beside = f", and {more} more" if more else ""
            what = f"{_named(first)}: {first.observed}{beside}"
            return (
                State.NOT_SATISFIED,
                f"{what}. {_sentence(at_most)}",
                Grade(first.observed, first.subject),
            )
        gaps = self._gaps(books, days)
        if gaps:
            reason = f"Not decided: {gaps[0]}. {_sentence(at_most)}"
            return State.INCONCLUSIVE, reason, Grade("missing", gaps[0])
        return State.SATISFIED, _sentence(at_most), grade

    def _gaps(self, books: Books, days: list[report.Day]) -> list[str]:
        """Why the claim cannot be decided although nothing contradicts it."""
        gaps = []
        if books.left_out or books.coverage.wide:
            gaps.append("provider_usage is missing or too coarse for a provider-day with calls")
        if books.slots.unpriced:
            models = ", ".join(sorted(books.slots.unpriced_models))
            gaps.append(f"price_term lacks a price that billed tokens need: {models}")
        if not books.is_metered:
            gaps.append("delivery is absent, so nothing says what was rendered")
        blind = [d.name for d in days if (d.unmetered_ppm or 0) > self.tolerance_ppm]
        if blind and books.is_metered:
            gaps.append(f"delivery is missing for more than the tolerance on {blind[0]}")
        if not days:
            gaps.append("no provider-day with both usage and calls")
        return gaps

    def _counts(self, books: Books, failed: set[str]) -> dict[str, int]:
        """Buckets of provider and model: examined, and how they ended."""
        slots = {(s[0], s[1], s[2]) for s in books.slots.billed}
        slots |= {slot for slot, *_ in books.ladder.parts()}
        bad = {
            slot
            for slot in slots
            if slot[0] in failed or f"{slot[0]} {day_text(slot[2])}" in failed
        }
        open_days = len(books.left_out)
        undecided = {s for s in slots - bad if s[0] in books.slots.unpriced}
        return {
            "examined": len(slots) + open_days,
            "holding": len(slots) - len(bad) - len(undecided),
            "not_holding": len(bad),
            "undecided": len(undecided) + open_days,
        }

    def _picture(self, books: Books, days: list[report.Day]) -> dict[str, Json]:
        return {
            "rows": list(books.statement.rows),
            "unexplained_ppm": _worst(days),
            "limit_ppm": self.tolerance_ppm,
        }

    def _measures(
        self,
        books: Books,
        days: list[report.Day],
        keys: list[dict[str, Any]],
        stopped: int,
    ) -> dict[str, int | None]:
        rows = books.statement
        billed, rendered = rows.of("billed"), rows.of("rendered")
        unlogged = rows.of("unlogged")
        tail = rows.of("cancelled_tail") if books.is_metered else {}
        measures: dict[str, int | None] = {
            "billed_tokens": billed["tokens"],
            "billed_usd_micros": billed["usd_micros"],
            "charged_usd_micros": books.charged.of(),
            "price_difference_usd_micros": books.charged.price_difference,
            "logged_tokens": books.bridge.of("logged")["tokens"],
            "rendered_tokens": rendered["tokens"],
            "rendered_usd_micros": rendered["usd_micros"],
            "cancelled_requests": stopped,
            "cancelled_tail_tokens": tail.get("tokens"),
            "cancelled_tail_usd_micros": tail.get("usd_micros"),
            "double_logged_tokens": -books.bridge.of("double_logged")["tokens"],
            "unexplained_tokens": rows.of("unexplained")["tokens"],
            "unexplained_usd_micros": rows.of("unexplained")["usd_micros"],
            "unexplained_ppm": _worst(days),
            "unlogged_keys": len({(row["provider"], row["key"]) for row in keys}),
            "unlogged_tokens": unlogged["tokens"],
            "unlogged_usd_micros": unlogged["usd_micros"],
        }
        for name in ("retry_billed", "logged_unbilled", "usage_missing", "late", "unmetered"):
            measures[f"{name}_tokens"] = rows.of(name)["tokens"]
        return measures


def _worst(days: list[report.Day]) -> int | None:
    found = [day.ppm for day in days if day.ppm is not None]
    return max(found) if found and len(found) == len(days) else None


def _key(row: Mapping[str, Any], *, is_priced: bool) -> dict[str, Json]:
    return {
        "subject": row["key"] or "(no key)",
        "project": row["project"] or None,
        "model": row["model"],
        "billed_tokens": row["tokens"],
        "billed_usd_micros": micros(row["pico"]) if is_priced else None,
    }


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _named(one: Observation) -> str:
    """What failed, in words; a key by the first digits of its commitment."""
    if one.fact == "unlogged-key":
        return f"Key {one.subject[:8]}"
    return one.subject
