"""What every test may ask for."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real third-party data, read where it lies; the test is skipped where it is absent."""
    folder = Path(os.environ.get("COUNTERSIGN_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent (set COUNTERSIGN_SHARED_DATA)")
    return folder
