"""What the tests of data-protection duties share: a sealed week, and copies of it."""

from pathlib import Path
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
