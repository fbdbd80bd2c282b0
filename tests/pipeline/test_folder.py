"""DiskFolder over real files."""

from pathlib import Path

import pytest

from countersign.errors import Fault, SourceError
from countersign.pipeline.folder import DiskFolder


def test_names_are_sorted_paths_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "2026-11-09").mkdir()
    (tmp_path / "2026-11-09" / "b.jsonl").write_bytes(b"2")
    (tmp_path / "a.json").write_bytes(b"1")
    (tmp_path / ".partial").write_bytes(b"0")
    folder = DiskFolder("litellm", tmp_path)
    assert folder.names() == ("2026-11-09/b.jsonl", "a.json")
    assert folder.read("2026-11-09/b.jsonl") == b"2"


def test_one_file_is_a_folder_of_one(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_bytes(b"x")
    folder = DiskFolder("prices", tmp_path / "prices.toml")
    assert folder.names() == ("prices.toml",)
    assert folder.read("prices.toml") == b"x"


def test_link_inside_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert DiskFolder("s", tmp_path).read("b") == b"1"


def test_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    inside = tmp_path / "export"
    inside.mkdir()
    (inside / "a").symlink_to(tmp_path / "outside")
    for act in (DiskFolder("s", inside).names, lambda: DiskFolder("s", inside).read("a")):
        with pytest.raises(SourceError) as caught:
            act()
        assert caught.value.fault is Fault.REFUSED
        assert caught.value.page == "a"


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/../../outside"])
def test_path_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError) as caught:
        DiskFolder("s", tmp_path).read(name)
    assert caught.value.fault is Fault.REFUSED


def test_absent_folder_and_file_are_unreachable_and_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nothing there") as caught:
        DiskFolder("s", tmp_path / "none").names()
    assert caught.value.fault is Fault.UNREACHABLE
    with pytest.raises(SourceError, match="No such file") as caught:
        DiskFolder("s", tmp_path).read("gone.json")
    assert caught.value.page == "gone.json"
