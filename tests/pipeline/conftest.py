"""What the tests of data-protection duties share: a sealed week, and copies of it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from countersign.pipeline import admit, assess, seal
from countersign.pipeline.collect import collect


@pytest.fixture(scope="package")
def sealed(calm: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A week of files, collected, admitted, assessed and sealed; every page under its key."""
    site = calm.copy(tmp_path_factory.mktemp("sealed") / "site")
    site.read_files()
    ws = site.open()
    collect(ws, site.week)
    admit.admit(ws)
    assess.assess(ws, site.week)
    seal.seal(ws, site.week)
    return site


@pytest.fixture
def fresh_week(sealed: Any, tmp_path: Path) -> Any:
    """A copy of the sealed week, to be changed."""
    return sealed.copy(tmp_path / "site")


@pytest.fixture(scope="session")
def witnesses() -> ModuleType:
    """A small witness and what serves it: `SmallWitness`, `served`."""
    file = Path(__file__).with_name("witness_server.py")
    spec = importlib.util.spec_from_file_location("witness_server", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["witness_server"] = module
    spec.loader.exec_module(module)
    return module
