"""Promises and minimums as settings state them."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from countersign.controls._residency_promise import (
    FOREVER,
    minimums,
    promised_at,
    promises,
    stated_form,
    stated_minimum,
)
from countersign.errors import ConfigError
from countersign.model import instant


def at(text: str) -> int:
    return instant(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_eu_is_its_members_of_the_day_and_the_label_itself() -> None:
    (promise,) = promises([{"tenant": "t", "jurisdictions": ["EU"]}])
    assert promise.inside("EU", at("2026-01-01"))
    assert promise.inside("DE", at("2026-01-01"))
    assert not promise.inside("CH", at("2026-01-01"))
    assert promise.inside("GB", at("2020-01-31"))
    assert not promise.inside("GB", at("2020-02-01"))
    assert not promise.inside("HR", at("2013-06-30"))
    assert promise.inside("HR", at("2013-07-01"))


def test_there_are_27_members_today() -> None:
    (promise,) = promises([{"tenant": "t", "jurisdictions": ["EU"]}])
    now = {place for place, since, until in promise.places() if since <= at("2026-11-09") < until}
    assert len(now - {"EU"}) == 27


def test_later_promise_replaces_an_earlier_one() -> None:
    stated = promises(
        [
            {"tenant": "t", "jurisdictions": ["DE"], "valid_from": "2026-06-01"},
            {"tenant": "t", "jurisdictions": ["eu"], "valid_from": date(2026, 1, 1)},
        ]
    )
    labels = [
        p and p.label
        for day in ("2025-12-31", "2026-05-31", "2026-06-01")
        for p in [promised_at(stated, "t", at(day))]
    ]
    assert labels == [None, "EU", "DE"]


def test_dates_are_printed_as_text() -> None:
    (promise,) = promises(
        [{"tenant": "t", "jurisdictions": ["DE", "FR"], "valid_from": date(2026, 1, 1)}]
    )
    printed = stated_form(promise)
    assert printed["valid_from"] == "2026-01-01T00:00:00Z"
    assert printed["valid_to"] is None
    assert promises([printed]) == (promise,)


def test_minimum_before_the_first_stated_one_is_r2_and_r1() -> None:
    first, second = minimums({"path": "R3", "valid_from": "2026-06-01"})
    assert (first.path, first.derived, first.valid_to) == (2, 1, at("2026-06-01"))
    assert (second.path, second.derived, second.valid_to) == (3, 1, FOREVER)
    assert minimums([stated_minimum(first), stated_minimum(second)]) == (first, second)


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"tenant": "t"},
        {"tenant": "", "jurisdictions": ["DE"]},
        {"tenant": "t", "jurisdictions": "DE"},
        {"tenant": "t", "jurisdictions": ["DE"], "valid_from": "next week"},
    ],
)
def test_unreadable_promise_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="data-residency"):
        promises([setting])
