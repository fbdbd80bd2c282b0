"""Erasing a person's traces from OTLP, other spans and requests left as they are."""

import gzip
import json
from typing import Any

from countersign.connectors.otlp import Otlp
from countersign.records import Record

HERS, HIS = "a" * 32, "b" * 32


class Ada:
    """By the user, and by the ids of her calls, as erasure knows them."""

    def may_own(self, row: bytes) -> bool:
        return row.startswith(b"\x1f\x8b") or b"ada" in row or HERS.encode() in row

    def owns(self, record: Record) -> bool:
        ids = {getattr(record, name, None) for name in ("user_commitment", "request_id")}
        call_id = getattr(record, "call_id", None) or ""
        return bool(ids & {"ada", HERS}) or call_id.startswith(HERS)


def span(number: int, trace_id: str, **attributes: str) -> dict[str, Any]:
    named = [
        {"key": key.replace("_", "."), "value": {"stringValue": value}}
        for key, value in attributes.items()
    ]
    return {
        "traceId": trace_id,
        "spanId": f"{number:016x}",
        "name": "span",
        "startTimeUnixNano": "1793613600120000000",
        "endTimeUnixNano": "1793613603900000000",
        "attributes": named,
    }


def request(*spans: dict[str, Any]) -> bytes:
    service = {"key": "service.name", "value": {"stringValue": "bot"}}
    scopes = [{"scope": {"name": "s"}, "spans": spans}]
    group = {"resource": {"attributes": [service]}, "scopeSpans": scopes}
    return json.dumps({"resourceSpans": [group]}, indent=1).encode()


MINE = [
    span(1, HERS, user_id="ada", openinference_span_kind="LLM", input_value="I am ada"),
    span(2, HERS, db_system="qdrant"),
    span(3, HERS, user_id="ada"),
]
OTHERS = [span(4, HIS, user_id="bob"), span(5, HIS, db_system="qdrant")]
MIXED = request(MINE[0], OTHERS[0], *MINE[1:], OTHERS[1])
UNTOUCHED = request(span(6, HIS)) + b"\n"


def test_a_persons_traces_go_and_other_spans_and_requests_stay() -> None:
    left = Otlp().without(MIXED + b"\n" + UNTOUCHED, Ada())
    assert left.rows == 3
    first, _, second = (left.page or b"").partition(b"\n")
    assert json.loads(first) == json.loads(request(*OTHERS))
    assert second == UNTOUCHED


def test_packed_page_stays_packed() -> None:
    left = Otlp().without(gzip.compress(MIXED), Ada())
    assert json.loads(gzip.decompress(left.page or b"")) == json.loads(request(*OTHERS))


def test_person_of_a_resource_takes_all_its_spans() -> None:
    group = json.loads(UNTOUCHED)
    owner = {"key": "tenant.id", "value": {"stringValue": "ada"}}
    group["resourceSpans"][0]["resource"]["attributes"].append(owner)

    class Tenant(Ada):
        def owns(self, record: Record) -> bool:
            return getattr(record, "tenant", None) == "ada"

    left = Otlp().without(json.dumps(group).encode(), Tenant())
    assert (left.page, left.rows) == (None, 1)


def test_page_without_the_person_is_the_same_page() -> None:
    left = Otlp().without(UNTOUCHED, Ada())
    assert (left.page, left.rows) == (UNTOUCHED, 0)


def test_page_of_nobody_else_and_page_that_cannot_be_read_are_not_kept() -> None:
    assert Otlp().without(request(*MINE), Ada()).page is None
    assert Otlp().without(MIXED[:-4], Ada()).page is None
