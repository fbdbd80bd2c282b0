"""The flag that rewrites golden files."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/connectors --rewrite-goldens`; then read the difference."""
    parser.addoption("--rewrite-goldens", action="store_true", help="write expected files anew")


@pytest.fixture
def rewrite_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether the flag was given."""
    return bool(request.config.getoption("--rewrite-goldens", default=False))
