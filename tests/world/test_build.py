import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from countersign import config, world
from countersign.errors import ConfigError


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(
    tmp_path: Path, demo: Any, make_world: Callable[..., Any]
) -> None:
    assert digests(make_world(tmp_path, "demo").folder) == digests(demo.folder)


def test_another_seed_gives_other_bytes_everywhere(
    tmp_path: Path, demo: Any, make_world: Callable[..., Any]
) -> None:
    other, first = digests(make_world(tmp_path, "demo", 12).folder), digests(demo.folder)
    same = {name for name in first if other.get(name) == first[name]}
    assert same == {
        "countersign.toml",
        "terms/prices/list.toml",
        "terms/surfaces/chat.toml",
    }


def test_building_again_replaces_what_was_there(
    tmp_path: Path, quiet: Any, make_world: Callable[..., Any]
) -> None:
    make_world(tmp_path, "demo", 3)
    assert digests(make_world(tmp_path, "quiet").folder) == digests(quiet.folder)


def test_the_written_configuration_is_valid(demo: Any) -> None:
    loaded = config.load(demo.folder / "countersign.toml")
    assert set(loaded.sources) == {
        "litellm", "litellm-text", "openai-usage", "openai-costs", "anthropic-usage",
        "anthropic-cost", "beacons", "prices", "surfaces",
    }  # fmt: skip
    assert loaded.now().isoformat() == "2026-09-14T06:00:00+00:00"
    assert loaded.mail.recipients
    for source in loaded.sources.values():
        scheme, _, path = source.url.partition(":")
        assert scheme == "http" or (demo.folder / path).is_dir()
        assert source.credential is None or source.credential[4:] in world.CREDENTIALS


def test_every_source_is_exported(demo: Any) -> None:
    for source in ("openai-usage", "openai-costs", "anthropic-usage", "anthropic-cost"):
        assert len(list((demo.folder / "export" / source).glob("*.json"))) == 14
    assert len(list((demo.folder / "export" / "litellm").glob("*/*.jsonl"))) == 14
    assert len(list((demo.folder / "export" / "beacons").glob("*.jsonl"))) == 14


def test_an_empty_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one week"):
        world.build(
            tmp_path,
            seed=1,
            start=date(2026, 9, 7),
            weeks=0,
            requests_per_day=10,
            scenario=None,
            progress=lambda _: None,
        )
