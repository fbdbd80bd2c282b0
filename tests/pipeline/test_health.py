"""Each source's health: complete up to when, how late, what failed, what it never sent before."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from countersign.pipeline import admit
from countersign.pipeline.collect import collect
from countersign.pipeline.describe import LABELS, Description
from countersign.pipeline.health import health

LAST = "2026-11-15"


@pytest.fixture(scope="module")
def week(calm: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A week of files, collected and admitted."""
    site = calm.copy(tmp_path_factory.mktemp("health") / "site")
    site.read_files()
    collect(site.open(), site.week)
    admit.admit(site.open())
    return site


def test_before_anything_was_collected_nothing_is_complete(calm: Any) -> None:
    found = health(calm.open())["litellm"]
    assert (found.last_complete_day, found.rows, found.days, found.is_late) == (None, 0, 0, True)
    assert "complete up to nothing yet" in found.text


def test_a_source_that_is_well_says_how_far_and_how_much(week: Any) -> None:
    found = health(week.open())["litellm"]
    assert (found.last_complete_day, found.days, found.waiting) == (LAST, 7, 0)
    assert (found.lag_hours, found.allowed_hours, found.is_late) == (6, 48, False)
    assert found.rows > 400
    assert found.provisional_days == 1, "the last day alone is still within LiteLLM's day"
    assert (found.failures, found.refusals, found.new_fields) == ((), (), ())
    assert health(week.open())["surfaces"].lag_hours is None
    assert not health(week.open())["surfaces"].is_late


def test_money_is_provisional_until_its_invoice(week: Any, tmp_path: Path) -> None:
    assert health(week.open())["openai-costs"].provisional_days == 7
    site = week.copy(tmp_path / "site")
    site.edit("now = 2026-11-16T06:00:00Z", "now = 2026-12-06T06:00:00Z")
    collect(site.open(), site.week)
    after = health(site.open())
    assert after["openai-costs"].provisional_days == after["litellm"].provisional_days == 0


def test_too_late_a_day_is_called_late(week: Any, tmp_path: Path) -> None:
    site = week.copy(tmp_path / "site")
    site.edit("now = 2026-11-16T06:00:00Z", "now = 2026-11-18T01:00:00Z")
    found = health(site.open())
    assert (found["litellm"].lag_hours, found["litellm"].is_late) == (49, True)
    assert "LATE: 49 h behind, 48 h allowed" in found["litellm"].text
    assert not found["openai-usage"].is_late, "its own three days are not over"


def test_a_failed_reading_and_a_day_that_was_not_admitted_are_told(
    calm: Any, tmp_path: Path
) -> None:
    site = calm.copy(tmp_path / "site")
    with site.serve(faults={"beacons": "unauthorized"}):
        collect(site.open(), site.week, ("beacons", "litellm"))
    found = health(site.open())
    assert {t.what for t in found["beacons"].failures} == {"credential refused"}
    assert len(found["beacons"].failures) == 7
    assert "7 days, 2026-11-09 to 2026-11-15: credential refused" in found["beacons"].text
    assert len(found["beacons"].text.splitlines()) == 3
    assert found["litellm"].waiting == 7
    admit.admit(site.open())
    assert health(site.open())["litellm"].waiting == 0


def test_a_new_field_is_kept_raw_and_told_and_can_be_accepted(
    week: Any, tmp_path: Path, countersign: Callable[..., Any]
) -> None:
    site = week.copy(tmp_path / "site")
    config = ("--config", str(site.config))
    (file,) = (site.folder / "export" / "litellm" / LAST).iterdir()
    payloads = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    payloads[0]["metadata"]["routing_zone"] = "eu-9"
    file.write_text("".join(json.dumps(one) + "\n" for one in payloads), "utf-8")
    rows_before = health(site.open())["litellm"].rows
    assert countersign("collect", "--window", "2026-11-15/2026-11-16", *config).code == 0
    said = countersign("admit", *config)
    assert "litellm: 1 fields never seen before, kept raw: metadata.routing_zone" in said.err
    (told,) = health(site.open())["litellm"].new_fields
    assert (told.path, told.day, told.pages) == ("metadata.routing_zone", LAST, 1)
    assert health(site.open())["litellm"].rows == rows_before, "nothing is refused for it"
    assert b"routing_zone" in site.open().lake.raw.page("litellm", LAST, told.example)
    assert (
        "new field: metadata.routing_zone, since 2026-11-15" in countersign("sources", *config).out
    )
    countersign("sources", "litellm", "--accept-fields", *config)
    assert health(site.open())["litellm"].new_fields == ()


def test_the_command_shows_one_source_with_its_own_words_and_settings(
    week: Any, countersign: Callable[..., Any]
) -> None:
    config = ("--config", str(week.config))
    said = countersign("sources", "openai-costs", *config)
    assert said.code == 0
    for label in (*LABELS, "Settings", "invoice_days"):
        assert label in said.out
    assert max(map(len, said.out.splitlines())) <= 160
    found = json.loads(countersign("sources", "litellm", "--json", *config).out)
    assert found["credential"].startswith("the master key")
    assert found["health"]["last_complete_day"] == LAST
    (paged,) = (s for s in found["settings"] if s["name"] == "page_size")
    assert (paged["default"], paged["value"]) == ("1000", "1000")
    (taken,) = (s for s in found["settings"] if s["name"] == "records")
    assert taken["meaning"].startswith("Take only these kinds"), "the settings of all are told too"


def test_a_kind_of_connector_is_described_without_an_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, countersign: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COUNTERSIGN_CONFIG", raising=False)
    said = countersign("sources", "focus-export", "--json")
    assert json.loads(said.out)["health"] is None
    assert "providers" in {s["name"] for s in json.loads(said.out)["settings"]}
    unknown = countersign("sources", "telegraph")
    assert unknown.code == 2
    assert "Traceback" not in unknown.err
    assert countersign("sources", "focus-export", "--accept-fields").code == 2


def test_every_source_of_an_installation_can_be_described(week: Any) -> None:
    for made in week.open().sources.values():
        described = Description.of(type(made), made)
        assert [label for label, _ in described.labelled] == list(LABELS)
        assert described.about
