"""Rows of evaluations under our own column names: cases of a set, and outcomes of requests."""

import json
import math
from decimal import Decimal
from typing import Final

from countersign.connectors.wire.value import (
    Row,
    UnreadableError,
    count,
    flag,
    instant,
    micros,
    needed,
    optional_instant,
    text,
)
from countersign.records import GoldenCase, Outcome

_MOST: Final = 8_192
"""Dimensions that no embedding has."""


def case(fields: Row, in_set: str | None, instrument: str) -> GoldenCase:
    """One case with its result in one run."""
    named = text(fields.get("set")) or in_set
    if named is None:
        raise UnreadableError("set is absent, here and in the source's settings")
    return GoldenCase(
        set=named,
        case_id=needed(fields, "case_id"),
        set_version=text(fields.get("set_version")),
        added_at=optional_instant(fields.get("added_at")),
        intent=text(fields.get("intent")),
        language=text(fields.get("language")),
        tenant=text(fields.get("tenant")),
        run_id=text(fields.get("run_id")),
        run_at=optional_instant(fields.get("run_at")),
        instrument=text(fields.get("instrument")) or instrument,
        prompt_hash=text(fields.get("prompt_hash")),
        config_fingerprint=text(fields.get("config_fingerprint")),
        passed=judged(fields, "passed"),
        score_ppm=share(fields, "score"),
        inclusion_ppm=share(fields, "inclusion"),
        embedding=_vector(fields.get("embedding")),
        embedding_model=text(fields.get("embedding_model")),
        unseen_term_ppm=count(fields.get("unseen_term_ppm")),
        tags=texts(fields.get("tags")),
    )


def outcome(fields: Row) -> Outcome:
    """How one request or session turned out."""
    resolved = judged(fields, "resolved")
    if resolved is None:
        raise UnreadableError("resolved is neither true nor false")
    request_id, session_id = text(fields.get("request_id")), text(fields.get("session_id"))
    if request_id is None and session_id is None:
        raise UnreadableError("an outcome of neither a request_id nor a session_id")
    return Outcome(
        resolved=resolved,
        at=instant(fields.get("at")),
        request_id=request_id,
        session_id=session_id,
        human_handoff=judged(fields, "human_handoff"),
        score_ppm=share(fields, "score"),
        judged_by=text(fields.get("judged_by")),
        inclusion_ppm=share(fields, "inclusion"),
    )


def share(fields: Row, name: str) -> int | None:
    """Parts per million: stated as such, or as a share of one under the shorter name."""
    stated = count(fields.get(f"{name}_ppm"))
    said = fields.get(name)
    return stated if stated is not None else micros(None if said == "" else said)


def judged(fields: Row, name: str) -> bool | None:
    """Yes or no, also as 1 and 0; absent stays absent, anything else is no judgement."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    said = flag(value)
    plain = said if said is not None else {"1": True, "0": False}.get(text(value) or "")
    if plain is None:
        raise UnreadableError(f"{name} is neither true nor false")
    return plain


def texts(value: object) -> tuple[str, ...] | None:
    """A list of texts, also as JSON text or with commas between."""
    if isinstance(value, str):
        value = _list(value) if value.lstrip()[:1] == "[" else value.split(",")
    if not isinstance(value, list):
        return None
    found = tuple(said.strip() for item in value if (said := text(item)) and said.strip())
    return found or None


def _list(said: str) -> object:
    try:
        return json.loads(said, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        raise UnreadableError("a list was expected as JSON text") from None


def _vector(value: object) -> tuple[float, ...] | None:
    found = _list(value) if isinstance(value, str) and value else value
    if found is None or found == "":
        return None
    if not isinstance(found, list) or len(found) > _MOST:
        raise UnreadableError("an embedding is a list of numbers")
    return tuple(map(_component, found))


def _component(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise UnreadableError("an embedding is a list of numbers")
    try:
        component = float(value)
    except OverflowError:
        component = math.inf
    if not math.isfinite(component):
        raise UnreadableError("an embedding is a list of finite numbers")
    return component
