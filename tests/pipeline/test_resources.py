"""A team's own templates and rules: one of the two is enough, neither is a mistake."""

from pathlib import Path
from typing import Any

import pytest

from countersign.errors import ConfigError
from countersign.packet import reports
from countersign.pipeline import admit, resources
from countersign.registry import shipped

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def site(calm: Any, tmp_path: Path) -> Any:
    """An installation that names a folder of its own, still empty."""
    found = calm.copy(tmp_path / "site")
    (found.folder / "ours").mkdir()
    found.edit("[countersign]\n", '[countersign]\nreports = "ours"\n')
    return found


def test_a_folder_of_expectations_alone_leaves_the_shipped_templates(site: Any) -> None:
    own = site.folder / "ours" / "expectations"
    own.mkdir()
    ws = site.open()
    assert ws.reports_folder is None
    assert reports.read("page.css", ws.reports_folder) == reports.read("page.css")
    assert resources.folders("expectations", ws.config)[0] == own
    assert resources.folders("reports", ws.config) == shipped("reports")


def test_a_folder_of_templates_alone_leaves_the_shipped_expectations(site: Any) -> None:
    own = site.folder / "ours" / "reports"
    own.mkdir()
    (own / "page.css").write_text("/* ours */", "utf-8")
    ws = site.open()
    assert ws.reports_folder == own
    assert reports.read("page.css", ws.reports_folder) == b"/* ours */"
    assert reports.read("packet.html.j2", ws.reports_folder) == reports.read("packet.html.j2")
    assert resources.folders("expectations", ws.config) == shipped("expectations")


@pytest.mark.parametrize("left", ["empty", "absent"])
def test_a_folder_with_neither_is_refused_by_name(site: Any, left: str) -> None:
    if left == "absent":
        (site.folder / "ours").rmdir()
    ws = site.open()
    observed = "neither" if left == "empty" else "nothing there"
    for look in (lambda: ws.reports_folder, lambda: admit.admit(ws)):
        with pytest.raises(ConfigError, match=f"reports .*ours.*observed {observed}"):
            look()


@pytest.mark.parametrize("name", ["reports", "expectations"])
def test_templates_and_rules_are_found_by_one_function(name: str) -> None:
    first, *_ = shipped(name)
    assert resources.folders(name) == shipped(name)
    assert first.resolve() == ROOT / name
    if name == "reports":
        assert reports.folders() == (first,)
