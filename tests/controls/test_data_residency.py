"""Residency over one small week in which every request tells another story."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from countersign.controls.data_residency import DataResidency
from countersign.controls.interface import Conclusion
from countersign.errors import ConfigError
from countersign.model import State, Window
from countersign.records import (
    AdequacyTerm,
    GatewayCall,
    InferenceLocation,
    SurfaceAccess,
    SurfaceTerm,
)

WINDOW = Window.parse("2026-11-09/2026-11-16")
MONDAY, FRIDAY = "2026-11-09T10:00:00Z", "2026-11-13T10:00:00Z"
PROMISES = (
    {"tenant": "bank", "jurisdictions": ("EU",), "valid_from": "2026-01-01"},
    {"tenant": "late", "jurisdictions": ("DE",), "valid_from": "2026-11-12"},
)
RANK = {"R0": 0, "R1": 1, "R2": 2, "R3": 3}
Row = dict[str, Any]


def term(surface: str, provider: str, jurisdiction: str, region: str | None, **more: Any) -> Row:
    """A documented term of the pipeline `chat`, in force all year."""
    return {
        "pipeline": "chat",
        "surface": surface,
        "provider": provider,
        "jurisdiction": jurisdiction,
        "region": region,
        "valid_from": "2026-01-01T00:00:00Z",
        "document_digest": "d0" * 32,
        **more,
    }


TERMS = [
    term("gateway", "own", "DE", "fra", operator_parent_jurisdiction="DE"),
    term("log_store", "own", "DE", "fra", lifetime_days=90),
    term("backup", "own", "IE", "dub"),
    term("reranker", "none", "none", None),
    term("vector_store", "vectors", "US", "iad"),
    *[
        term(surface, "openai", place, region, operator_parent_jurisdiction="US")
        for surface in ("inference", "prompt_cache", "abuse_store")
        for place, region in (("EU", "eu"), ("US", "us"))
    ],
    term("inference", "mistral", "FR", "par"),
    term("abuse_store", "mistral", "FR", "par"),
    term("inference", "gone", "SE", "arn", valid_to="2026-11-11T00:00:00Z"),
    term("abuse_store", "gone", "SE", "arn"),
]


class Week:
    """Rows of requests, added one by one."""

    def __init__(self) -> None:
        self.calls: list[Row] = []
        self.places: list[Row] = []
        self.touches: list[Row] = []

    def attempt(self, request: str, provider: str, region: str, **more: Any) -> None:
        """One attempt whose region the provider states, with an R2 gateway before it."""
        row = {"tenant": "bank", "started_at": MONDAY, "attempt": 1, "status": "ok", **more}
        number = f"{request}.{row['attempt']}"
        row |= {"call_id": number, "request_id": request, "provider": provider, "pipeline": "chat"}
        self.calls.append({"region_configured": region, **row})
        if "status" in row and row["status"] == "ok":
            self.places.append(
                {
                    "provider": provider,
                    "region": region,
                    "evidence": "host",
                    "observed_at": row["started_at"],
                    "call_id": number,
                    "strength": "R2",
                }
            )

    def touch(self, request: str, surface: str, provider: str, region: str, at: str) -> None:
        """One touch of a surface with the region in a header."""
        self.touches.append(
            {
                "request_id": request,
                "surface": surface,
                "provider": provider,
                "at": at,
                "region": region,
                "evidence": "header",
                "strength": "R2",
            }
        )

    def rows(self) -> dict[Any, list[Row]]:
        """Every kind, with a gateway touch for each request but `no-gateway`."""
        for call in self.calls:
            if call["attempt"] == 1 and call["request_id"] != "no-gateway":
                self.touch(call["request_id"], "gateway", "own", "fra", call["started_at"])
        return {
            GatewayCall: self.calls,
            InferenceLocation: self.places,
            SurfaceAccess: self.touches,
            SurfaceTerm: TERMS,
            AdequacyTerm: [],
        }


@pytest.fixture(scope="module")
def concluded(memory_tables: Any) -> Conclusion:
    week = Week()
    week.attempt("plain", "openai", "eu")
    week.attempt("failover", "openai", "eu", status="error", model_requested="chat-eu")
    week.attempt("failover", "openai", "us", attempt=2, model_requested="chat-us")
    week.calls[-1]["region_configured"] = "eu"
    week.attempt("failed-outside", "openai", "us", status="error")
    week.attempt("failed-outside", "openai", "eu", attempt=2)
    week.attempt("no-gateway", "openai", "eu")
    week.attempt("no-place", "openai", "eu", status="cancelled", region_configured=None)
    week.attempt("cached", "openai", "eu", in_cache_read=64)
    week.attempt("cached-nowhere", "mistral", "par", in_cache_write_5m=64)
    week.attempt("uncached", "mistral", "par")
    week.attempt("vectors", "openai", "eu")
    week.touch("vectors", "vector_store", "vectors", "iad", MONDAY)
    week.attempt("term-then", "gone", "arn")
    week.attempt("term-ended", "gone", "arn", started_at=FRIDAY)
    week.attempt("global", "openai", "eu")
    week.places[-1] |= {"region": "global", "evidence": "response_field", "strength": "R0"}
    week.attempt("claims-more", "openai", "eu")
    week.places[-1] |= {"strength": "R5"}
    week.attempt("before-promise", "openai", "us", tenant="late")
    week.attempt("under-promise", "openai", "us", tenant="late", started_at=FRIDAY)
    week.attempt("nobody", "openai", "us", tenant=None)
    made: Conclusion = memory_tables.of(WINDOW, week.rows()).conclude(
        DataResidency(promises=PROMISES)
    )
    return made


def hops(concluded: Conclusion, request: str) -> list[Row]:
    """A request's hops, in order."""
    rows = concluded.relations["hops"].to_pylist()
    return sorted((r for r in rows if r["request_id"] == request), key=lambda r: r["seq"])


def verdicts(concluded: Conclusion) -> Mapping[str, Row]:
    """Rows of the `requests` relation by id."""
    return {row["request_id"]: row for row in concluded.relations["requests"].to_pylist()}


@pytest.mark.parametrize(
    ("request_id", "verdict", "set_by"),
    [
        ("plain", "compliant", "gateway"),
        ("failover", "violating", "inference attempt 2"),
        ("no-gateway", "unproven", "gateway"),
        ("no-place", "unproven", "inference"),
        ("cached", "compliant", "gateway"),
        ("cached-nowhere", "unproven", "prompt_cache"),
        ("uncached", "compliant", "gateway"),
        ("vectors", "violating", "vector_store"),
        ("term-then", "compliant", "gateway"),
        ("term-ended", "unproven", "inference"),
        ("global", "unproven", "inference"),
        ("before-promise", "unrestricted", "gateway"),
        ("under-promise", "violating", "inference"),
        ("nobody", "unrestricted", "gateway"),
    ],
)
def test_verdict_names_the_hop_that_set_it(
    concluded: Conclusion, request_id: str, verdict: str, set_by: str
) -> None:
    row = verdicts(concluded)[request_id]
    assert (row["verdict"], row["set_by"]) == (verdict, set_by)


def test_failover_shows_both_attempts(concluded: Conclusion) -> None:
    touched = [h for h in hops(concluded, "failover") if h["surface"] == "inference"]
    assert [(h["jurisdiction"], h["status"]) for h in touched] == [("EU", "error"), ("US", "ok")]
    assert [h["strength"] for h in touched] == ["R1", "R2"]


def test_failed_attempt_outside_is_a_violation(concluded: Conclusion) -> None:
    assert verdicts(concluded)["failed-outside"]["verdict"] == "violating"


def test_path_starts_at_the_gateway_and_ends_in_what_was_left(concluded: Conclusion) -> None:
    drawn = [h["surface"] for h in hops(concluded, "cached")]
    assert drawn == [
        "gateway",
        "inference",
        "prompt_cache",
        "log_store",
        "abuse_store",
        "backup",
    ]
    assert [h["derived"] for h in hops(concluded, "cached")] == [False] * 2 + [True] * 4


def test_store_of_one_provider_holds_nothing_of_another(concluded: Conclusion) -> None:
    stores = [h for h in hops(concluded, "uncached") if h["surface"] == "abuse_store"]
    assert [(h["provider"], h["jurisdiction"]) for h in stores] == [("mistral", "FR")]


def test_provider_cannot_claim_more_than_its_evidence_carries(concluded: Conclusion) -> None:
    (hop,) = [h for h in hops(concluded, "claims-more") if h["surface"] == "inference"]
    assert hop["strength"] == "R2"


def test_global_is_no_jurisdiction(concluded: Conclusion) -> None:
    (hop,) = [h for h in hops(concluded, "global") if h["surface"] == "inference"]
    assert (hop["region"], hop["jurisdiction"], hop["strength"]) == ("global", None, "R0")


def test_hop_that_rests_on_a_term_cites_its_document(concluded: Conclusion) -> None:
    (hop,) = [h for h in hops(concluded, "plain") if h["surface"] == "log_store"]
    assert (hop["evidence"], hop["page_digest"]) == ("surface_term", "d0" * 32)
    assert hop["lifetime_days"] == 90


def test_verdicts_follow_from_the_hops_that_are_shown(concluded: Conclusion) -> None:
    """The engine grades by integers; the drawn path must say the same."""
    for name, row in verdicts(concluded).items():
        shown = hops(concluded, name)
        path = min(h["strength"] for h in shown if not h["derived"])
        state = min(h["strength"] for h in shown if h["derived"])
        assert (row["path_strength"], row["derived_strength"]) == (path, state), name
        if row["verdict"] != "unrestricted":
            assert row["verdict"] == _judged(shown, path, state), name


def _judged(shown: list[Row], path: str, state: str) -> str:
    if any(h["outside"] for h in shown):
        return "violating"
    return "compliant" if RANK[path] >= 2 and RANK[state] >= 1 else "unproven"


def test_counts_are_of_promised_requests(concluded: Conclusion) -> None:
    assert concluded.state is State.NOT_SATISFIED
    assert concluded.measures["requests"] == 16
    assert concluded.examined == concluded.measures["pinned_requests"] == 14
    assert (concluded.holding, concluded.not_holding, concluded.undecided) == (5, 4, 5)
    assert concluded.measures["cache_exposed"] == 1


def test_picture_is_the_violating_request_with_most_jurisdictions(concluded: Conclusion) -> None:
    drawn = concluded.picture["hops"]
    assert isinstance(drawn, list)
    assert concluded.picture["request"] == "failed-outside"
    assert [hop["seq"] for hop in drawn if isinstance(hop, dict)] == list(range(1, len(drawn) + 1))


def test_the_drawn_hops_say_which_of_them_lie_outside(concluded: Conclusion) -> None:
    drawn = concluded.picture["hops"]
    assert isinstance(drawn, list)
    shown = [(hop["surface"], hop["violating"]) for hop in drawn if isinstance(hop, dict)]
    kept = hops(concluded, str(concluded.picture["request"]))
    assert shown == [(hop["surface"], hop["outside"]) for hop in kept]
    assert ("inference", True) in shown
    assert ("gateway", False) in shown


def test_surface_counts_are_of_distinct_requests(concluded: Conclusion) -> None:
    rows = concluded.relations["hops"].to_pylist()
    names = ("surface", "provider", "region", "jurisdiction", "strength")
    expected: dict[tuple[Any, ...], set[str]] = {}
    for row in rows:
        expected.setdefault(tuple(row[name] for name in names), set()).add(row["request_id"])
    surfaces = concluded.tables["surfaces"]
    assert isinstance(surfaces, list)
    counted = {
        tuple(row[name] for name in names): row["requests"]
        for row in surfaces
        if isinstance(row, dict)
    }
    assert counted == {place: len(ids) for place, ids in expected.items()}


@pytest.mark.parametrize(
    "words",
    [
        "no surface_term says where query_embedding, trace_store is",
        "inference gone, region arn: no surface_term in force",
        "1 calls name no tenant",
    ],
)
def test_what_could_not_be_shown_is_said(concluded: Conclusion, words: str) -> None:
    assert any(words in sentence for sentence in concluded.not_examined)


def test_residency_sovereignty_and_custody_are_three_verdicts(concluded: Conclusion) -> None:
    assert concluded.verdicts == {
        "residency": "not-satisfied",
        "sovereignty": "needs-basis",
        "custody": "not stated",
    }


def test_worst_comes_first(concluded: Conclusion) -> None:
    facts = [o.fact for o in concluded.observations]
    assert facts == sorted(facts, key=list(_order()).index)
    undecided = [o for o in concluded.observations if o.holds is None]
    assert [o.measures["strength"] for o in undecided] == sorted(
        o.measures["strength"] for o in undecided
    )


def _order() -> Iterator[str]:
    yield from ("out-of-region-interval", "out-of-region", "unproven")


def test_nothing_promised_is_nothing_concluded(memory_tables: Any) -> None:
    week = Week()
    week.attempt("plain", "openai", "eu")
    made = memory_tables.of(WINDOW, week.rows()).conclude(DataResidency())
    assert made.state is State.INCONCLUSIVE
    assert "No promise" in made.reason


def test_strength_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="R0 is no evidence"):
        DataResidency(minimum_strength={"path": "R0"})
