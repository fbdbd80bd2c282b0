"""A source that is added to an installation gives its rows at the first admission after it."""

import re
from pathlib import Path
from typing import Any

from countersign.pipeline import admit
from countersign.pipeline.collect import collect

ADDED = ("litellm", "openai-usage", "beacons")


def test_sources_added_later_give_their_rows_at_once(calm: Any, tmp_path: Path) -> None:
    site = calm.copy(tmp_path / "site")
    site.read_files()
    everything = site.config.read_text("utf-8")
    without = everything
    for name in ADDED:
        without, gone = re.subn(rf"\[sources\.{name}(?:\.\w+)?\]\n(?:(?!\[).*\n)*", "", without)
        assert gone
    site.config.write_text(without, "utf-8")
    collect(site.open(), site.week)
    first = admit.admit(site.open())
    assert "gateway_call" not in first.rows

    site.config.write_text(everything, "utf-8")
    collect(site.open(), site.week)
    second = admit.admit(site.open())
    assert second.refusals == ()
    assert second.days == 7 * len(ADDED), "nothing else is admitted again"
    assert {"gateway_call", "provider_usage", "delivery"} <= set(second.rows)
    assert admit.admit(site.open()).days == 0

    together = calm.copy(tmp_path / "together")
    together.read_files()
    collect(together.open(), together.week)
    admit.admit(together.open())
    counts = {key: day.kinds for key, day in together.open().lake.admitted().days.items()}
    assert {k: d.kinds for k, d in site.open().lake.admitted().days.items()} == counts


def test_a_source_collected_in_the_days_that_an_older_one_has_already_gives_its_rows(
    calm: Any, tmp_path: Path
) -> None:
    site = calm.copy(tmp_path / "site")
    site.read_files()
    for source in ("litellm", "openai-usage", "anthropic-usage"):
        collect(site.open(), site.week, (source,))
        admission = admit.admit(site.open())
        assert admission.days == 7
        assert sum(admission.rows.values()) > 0, source
